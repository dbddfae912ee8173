"""The audit log with its chain, views of lists that people keep, and mail on its way.

Audit entries point at objects by kind and id, never by foreign key: they outlive what they tell of.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.http import QueryDict

from core.access import Scope
from core.ids import uuid7
from core.sealed import SealedField


class Outcome(models.TextChoices):
    DONE = "done", "done"
    REFUSED = "refused", "refused"
    FAILED = "failed", "failed"


class AuditEntry(models.Model):
    """One act, or one refusal. The application's database role can insert and read these, nothing else."""

    scope = Scope(organization="organization_id", owner="actor_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=254)
    session_id = models.UUIDField(null=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.UUIDField(null=True)
    object_name = models.CharField(max_length=255, blank=True)
    organization_id = models.UUIDField(null=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    reason = models.TextField(blank=True)
    # From the request's arrival to this entry; what comes after it (the commit, the answer) is not in it.
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="audit_by_organization"),
            models.Index(fields=["object_kind", "object_id", "-id"], name="audit_by_object"),
            models.Index(fields=["actor_id", "-id"], name="audit_by_actor"),
            # Entries lie in the order of their times: a summary per 32 pages finds a day in millions, and costs no insert.
            BrinIndex(fields=["at"], name="audit_by_time", pages_per_range=32, autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_kind} {self.object_name}"


class AuditWaiting(models.Model):
    """An entry that no seal has yet. A trigger adds these, so one is seen exactly when its entry has been committed."""

    entry_id = models.UUIDField(primary_key=True, editable=False)

    def __str__(self) -> str:
        return str(self.entry_id)


class AuditSeal(models.Model):
    """An entry's place in the chain of its organization, append-only as the entries are. See `core.sealing`.

    `chain`: the organization's id, or `core.sealing.PROVIDER`. Ids grow in the order of commits: one sealer at a time.
    """

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField(editable=False)
    number = models.BigIntegerField(editable=False)
    entry_id = models.UUIDField(unique=True, editable=False)
    version = models.PositiveSmallIntegerField(editable=False)
    digest = models.CharField(max_length=64, editable=False)
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "seal"
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="seal_number_in_chain")]

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class AuditCheckpoint(models.Model):
    """Where a chain begins since retention removed what came before: the number and digest of the last seal removed."""

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField(editable=False)
    number = models.BigIntegerField(editable=False)
    digest = models.CharField(max_length=64, editable=False)
    removed = models.PositiveBigIntegerField(editable=False)
    before = models.DateTimeField(editable=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "checkpoint"
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="checkpoint_number_in_chain")]

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class AuditRetention(models.Model):
    """How long the entries of one chain are kept, where that differs from the installation's policy."""

    chain = models.UUIDField(primary_key=True, editable=False)
    days = models.PositiveIntegerField()  # 0: for ever

    def __str__(self) -> str:
        return f"{self.chain} {self.days}"


class AuditStream(models.Model):
    """How far a receiver outside has been told, by seal: those are in the order of commits. See `core.outlet`."""

    target = models.CharField(max_length=64, primary_key=True, editable=False)  # a digest of its address
    sent_to = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=255, blank=True)
    next_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "audit stream"

    def __str__(self) -> str:
        return f"{self.target[:8]} {self.sent_to}"


class SupportAccess(models.Model):
    """A session of the provider's that has looked into an organization: told to the organization once."""

    session_id = models.UUIDField(editable=False)
    organization_id = models.UUIDField(editable=False)
    began_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "support access"
        verbose_name_plural = "support accesses"
        constraints = [
            models.UniqueConstraint(fields=["session_id", "organization_id"], name="support_access_told_once")
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.organization_id}"


class AnsweredRequest(models.Model):
    """What a request with an Idempotency-Key was answered, for those who send it again. See `core.replays`."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    user_id = models.UUIDField()
    route = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    answered_at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class SavedView(models.Model):
    """A list's query under a name, for one person (by id: people stand above)."""

    scope = Scope(owner="owner_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    listing = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "view"
        constraints = [
            models.UniqueConstraint(
                fields=["owner_id", "listing", "name"],
                name="view_name_of_owner",
                violation_error_message="You have a view of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def as_dict(self) -> dict[str, str]:
        query = QueryDict(self.query)
        return {name: str(query[name]) for name in query}


class Mail(models.Model):
    """A mail to somebody: put here with its cause, sent by a worker, at least once. See `core.mail.outbox`."""

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=40)
    recipient = models.EmailField()
    subject = models.CharField(max_length=255)
    # Sealed, since it has links that are secrets; empty as soon as it has been sent or given up.
    body = SealedField("mail")
    organization_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    good_until = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=255, blank=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "mail"
        indexes = [
            models.Index(
                fields=["next_at"], name="mail_due", condition=models.Q(sent_at__isnull=True, given_up_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
