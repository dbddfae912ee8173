"""Rows of the reconcile engine: what is to be done, whose object is whose, what the cluster was last seen to hold."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from core.sealed import SealedField


class Installation(models.Model):
    """The one row that names this OVIM. Every object we write carries its id, so that two OVIMs can share a cluster."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    singleton = models.BooleanField(default=True, unique=True, editable=False)

    def __str__(self) -> str:
        return str(self.id)


class NameClaim(models.TextChoices):
    """By which claim of their tokens a cluster knows people (kube-apiserver's `--oidc-username-claim`)."""

    USERNAME = "username", "user name"
    EMAIL = "email", "e-mail address"
    SUBJECT = "subject", "subject at the identity provider"


# What a kube-apiserver puts in front of names. Names that begin with `system:` are Kubernetes' own.
name_prefix = RegexValidator(
    r"^(?!system:)(?!-\Z)[^\s\x00-\x1f\x7f]*\Z",
    "Write it as the API server has it: no blanks, not beginning with system:, and empty (not -) where it has none.",
    code="prefix",
)


class Cluster(models.Model):
    """A Kubernetes cluster that OVIM writes to. The credential is encrypted at rest (`clusters.secrets`)."""

    scope = Scope()

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    server = models.URLField(max_length=512)
    ca = models.TextField(blank=True, help_text="PEM; empty: the system's certificates")
    certificate = models.TextField(blank=True, default="", db_default="", help_text="PEM of the client; empty: a token")
    credential = SealedField("ovim", help_text="a bearer token, or the certificate's key; encrypted")
    credential_expires_at = models.DateTimeField(null=True, blank=True, help_text="if the credential itself says so")
    signs_in_as = models.TextField(
        blank=True, default="", db_default="", help_text="name and groups in the certificate"
    )
    # The uid of its namespace kube-system: what tells a cluster from another one behind the same address.
    identity = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    is_default = models.BooleanField(default=False)
    schedulable = models.BooleanField(default=True, db_default=True, help_text="whether it takes new VDCs")
    # How people's roles get there: as role bindings to the names by which the cluster knows them (ADR 24).
    tenant_access = models.BooleanField(default=False, db_default=False, help_text="whether people's roles hold there")
    oidc_username_claim = models.CharField(
        max_length=16, choices=NameClaim.choices, default=NameClaim.USERNAME, db_default=NameClaim.USERNAME
    )
    oidc_username_prefix = models.CharField(
        max_length=255, blank=True, default="", db_default="", validators=[name_prefix]
    )
    oidc_groups_prefix = models.CharField(
        max_length=255, blank=True, default="", db_default="", validators=[name_prefix]
    )
    oidc_issuer = models.URLField(max_length=512, blank=True, default="", db_default="", help_text="empty: any")
    # Groups that the identity provider knows are bound as such: it says who is in them, not OVIM.
    oidc_groups = models.BooleanField(default=False, db_default=False)
    generation = models.BigIntegerField(default=1)
    # Raised when the address or the credential changes: clients and the watcher are then made anew.
    access_generation = models.BigIntegerField(default=1, db_default=1)
    capabilities = models.JSONField(default=dict, blank=True, help_text="as `clusters.discovery` found them")
    lacking = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    warnings = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    check_error = models.TextField(blank=True, default="", db_default="", help_text="why the last check failed")
    checked_at = models.DateTimeField(null=True, blank=True, help_text="when it was last looked into")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="when it last answered its watcher")
    failing_since = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    audited_at = models.DateTimeField(null=True, blank=True, help_text="when it was last searched for orphans")
    audit_note = models.TextField(blank=True, default="", help_text="what that search could not look at")
    watched_at = models.DateTimeField(null=True, blank=True, help_text="when its watcher last said that it lives")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "cluster"
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_cluster",
                violation_error_message="There is a default cluster already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def storage_classes(self) -> list[str] | None:
        """The names of those that it was last seen to have; None: that was not looked at."""
        found = self.capabilities.get("storage_classes")
        return None if found is None else [item["name"] for item in found]


class Phase(models.TextChoices):
    """What a row comes to, in one word. Derived by each app's `observe.py`; screens show nothing else."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    STARTING = "Starting"
    ACTIVE = "Active"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"


class Reconciled(models.Model):
    """A row that a reconciler brings into a cluster. Services write intent; `clusters.record` alone writes the rest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    generation = models.BigIntegerField(default=1)
    observed_generation = models.BigIntegerField(default=0)
    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.PENDING)
    conditions = models.JSONField(default=list, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True, help_text="when its objects were first there; never unset")
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True, help_text="since when it is left alone (ADR 10)")
    suspended_because = models.CharField(max_length=255, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def cluster_pk(self) -> uuid.UUID:
        """The cluster this row's objects live in."""
        raise NotImplementedError

    def tenant_pk(self) -> uuid.UUID:
        """The organization whose share of the workers this row's work counts against."""
        raise NotImplementedError


def unsettled(name: str) -> models.Index:
    """The partial index by which the minute sweep finds rows whose work was lost."""
    return models.Index(
        fields=["id"],
        name=name,
        condition=~models.Q(generation=models.F("observed_generation")) | models.Q(deletion_requested_at__isnull=False),
    )


class Placement(Reconciled):
    """An organization or catalog on one cluster: the row that is reconciled for it there."""

    scope = Scope(organization="tenant_id")

    owner_kind = models.CharField(max_length=40)
    owner_id = models.UUIDField()
    tenant_id = models.UUIDField()
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="placements")

    class Meta:
        verbose_name = "placement"
        constraints = [
            models.UniqueConstraint(fields=["owner_kind", "owner_id", "cluster"], name="one_placement_per_cluster"),
        ]
        indexes = [unsettled("placement_unsettled")]

    def __str__(self) -> str:
        return f"{self.owner_kind} {self.owner_id} on {self.cluster_id}"

    def cluster_pk(self) -> uuid.UUID:
        return self.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.tenant_id


class NamespaceAllotment(models.Model):
    """A namespace name that is ours on a cluster, from before it is made until it is confirmed gone."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="namespaces")
    name = models.CharField(max_length=63)
    owner_kind = models.CharField(max_length=40)
    owner_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="one_owner_per_namespace"),
            models.UniqueConstraint(fields=["cluster", "owner_kind", "owner_id"], name="one_namespace_per_owner"),
        ]

    def __str__(self) -> str:
        return self.name


class WorkItem(models.Model):
    """One row that may need work. The queue is this table; a Celery message only says "look"."""

    kind = models.CharField(max_length=40)
    object_id = models.UUIDField()
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE)
    tenant = models.UUIDField()
    requested_seq = models.BigIntegerField(default=1)
    due_at = models.DateTimeField(null=True, db_default=Now(), help_text="null: parked")
    attempts = models.IntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    parked_on_kind = models.CharField(max_length=40, blank=True, default="")
    parked_on_id = models.UUIDField(null=True)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="one_work_item_per_row")]
        indexes = [
            models.Index(fields=["cluster", "tenant", "due_at"], name="work_due"),
            models.Index(fields=["lease_token"], name="work_by_lease", condition=models.Q(lease_token__isnull=False)),
            models.Index(
                fields=["parked_on_kind", "parked_on_id"],
                name="work_parked",
                condition=models.Q(parked_on_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class InventoryItem(models.Model):
    """An object that is ours, known by uid. Committed before the first write; forgotten only when confirmed gone.

    `owner` is the row whose reconciler writes it, `data_of` the row whose deletion alone destroys it.
    """

    owner_kind = models.CharField(max_length=40)
    owner_id = models.UUIDField()
    data_of_kind = models.CharField(max_length=40)
    data_of_id = models.UUIDField()
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE)
    group = models.CharField(max_length=253, blank=True)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    claim_token = models.UUIDField(default=uuid.uuid4)
    past_tokens = ArrayField(models.UUIDField(), default=list)
    uid = models.UUIDField(null=True)
    applied_hash = models.CharField(max_length=64, blank=True, default="")
    owned_hash = models.CharField(max_length=64, blank=True, default="")
    checked_at = models.DateTimeField(null=True)
    # How often in a row, and when last, we wrote over what somebody else had made of it (`clusters.rivals`).
    rewrites = models.SmallIntegerField(default=0, db_default=0)
    rewritten_at = models.DateTimeField(null=True)
    tombstoned_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "group", "kind", "namespace", "name"],
                condition=models.Q(tombstoned_at__isnull=True),
                name="one_owner_per_object",
            ),
        ]
        indexes = [
            models.Index(fields=["owner_kind", "owner_id"], name="inventory_by_owner"),
            models.Index(fields=["data_of_kind", "data_of_id"], name="inventory_by_data"),
            models.Index(
                fields=["tombstoned_at"], name="inventory_tombs", condition=models.Q(tombstoned_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def tokens(self) -> tuple[uuid.UUID, ...]:
        """All that it was ever claimed by."""
        return (self.claim_token, *self.past_tokens)


class ObservedObject(models.Model):
    """An object as the cluster last showed it: a cache, written by the watcher and by the answers of our own applies.

    `body` is trimmed (no managedFields); `owned_hash` is the hash of our entry in them.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE)
    group = models.CharField(max_length=253, blank=True)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    uid = models.UUIDField()
    resource_version = models.BigIntegerField()
    controller_uid = models.UUIDField(null=True)
    body = models.JSONField()
    owned_hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "group", "kind", "namespace", "name"], name="observed_key"),
        ]
        indexes = [
            models.Index(fields=["cluster", "controller_uid"], name="observed_children"),
            models.Index(fields=["cluster", "uid"], name="observed_by_uid"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Happening(models.Model):
    """One thing that happened to a row: an outcome of its reconcile, a write to the cluster, an event of the cluster.

    Points at its row by kind and id, like audit entries, and sorts among them by id: both begin with the time. What
    repeats has a `key` and is counted, not told again. `said` is what sentences are made of, `raw` what else was said.
    """

    class What(models.TextChoices):
        OUTCOME = "outcome"
        WRITE = "write"
        EVENT = "event"

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_kind = models.CharField(max_length=40)
    owner_id = models.UUIDField()
    organization_id = models.UUIDField()
    at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.IntegerField(default=1)
    what = models.CharField(max_length=8, choices=What.choices)
    code = models.CharField(max_length=64)
    ok = models.BooleanField(default=True)
    duration_ms = models.IntegerField(null=True)
    generation = models.BigIntegerField(default=0)
    said = models.JSONField(default=dict)
    raw = models.JSONField(default=dict)
    key = models.CharField(max_length=64, null=True)  # null: never the same as another

    class Meta:
        verbose_name = "happening"
        # Ids are unique across kinds: without the kind, the indexes that each line pays for are half as wide.
        constraints = [
            models.UniqueConstraint(
                fields=["owner_id", "key"], condition=models.Q(key__isnull=False), name="happening_told_once"
            )
        ]
        indexes = [models.Index(fields=["owner_id", "id"], name="happening_by_owner")]

    def __str__(self) -> str:
        return f"{self.owner_kind} {self.owner_id}: {self.code}"


class Orphan(models.Model):
    """An object that carries our installation's label and that no row stands for, as the audit of a cluster found it.

    A label proves nothing: `applied_by_us` says whether our field manager wrote it. It goes only by an order.
    """

    scope = Scope()

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="orphans")
    group = models.CharField(max_length=253, blank=True)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    uid = models.UUIDField()
    applied_by_us = models.BooleanField(default=False)
    made_at = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="", help_text="why its deletion was not carried out")

    class Meta:
        verbose_name = "orphan"
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="one_orphan_per_object")]
        indexes = [
            models.Index(
                fields=["id"], name="orphan_to_delete", condition=models.Q(deletion_requested_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
