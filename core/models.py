"""The audit log, and views of lists that people keep.

Audit entries point at objects by kind and id, never by foreign key: they outlive what they tell of.
"""

from django.db import models
from django.db.models.functions import Now
from django.http import QueryDict

from core.access import Scope
from core.ids import uuid7


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
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_kind} {self.object_name}"


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
