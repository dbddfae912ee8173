"""Virtual data centers and the ledger of what is claimed in them."""

import uuid

from django.db import models
from django.db.models.functions import Now

from clusters.models import Cluster, Placement, Reconciled, unsettled
from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from tenancy.models import Organization


class Enforcement(models.TextChoices):
    """Which ledger a VDC's CPU and memory limits bind: of all its VMs, or of those powered on. Disks always count."""

    ALLOCATED = "allocated"
    ACTIVE = "active"


class NetworkMode(models.TextChoices):
    DEFAULT = "default"
    ISOLATED = "isolated"


class Vdc(Reconciled):
    """A share of a cluster that an organization owns: a namespace with quotas, where VMs live."""

    scope = Scope(organization="organization_id", vdc="id")

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="vdcs")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="vdcs")
    # Its organization's place on that cluster: what has to be there before the VDC can be.
    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="vdcs")
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    description = models.CharField(max_length=1000, blank=True)
    namespace = models.CharField(max_length=63, editable=False)
    enforcement = models.CharField(max_length=16, choices=Enforcement.choices, default=Enforcement.ALLOCATED)
    network_mode = models.CharField(max_length=16, choices=NetworkMode.choices, default=NetworkMode.DEFAULT)
    min_disk_gib = models.PositiveIntegerField(null=True, blank=True)
    max_disk_gib = models.PositiveIntegerField(null=True, blank=True)
    # How many objects that are not OVIM's the person who deleted the VDC agreed to destroy with it (ENGINE §5).
    strangers_to_delete = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "VDC"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="vdc_name_in_organization",
                violation_error_message="The organization has a VDC of this name already.",
            ),
        ]
        indexes = [unsettled("vdc_unsettled"), models.Index(fields=["name", "id"], name="vdc_by_name")]

    def __str__(self) -> str:
        return self.name

    def cluster_pk(self) -> uuid.UUID:
        return self.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.organization_id


class NamespaceAccess(Reconciled):
    """Who may do what with kubectl in one namespace: an organization's own on a cluster, or a VDC's (ADR 24).

    Made and ended along with its placement or VDC, and a row of its own: people's access waits for nothing else there,
    and nothing else waits for it.
    """

    scope = Scope(organization="organization_id", vdc="vdc_id")

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="namespace_accesses")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="namespace_accesses")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, null=True, related_name="access")
    vdc = models.OneToOneField(Vdc, on_delete=models.PROTECT, null=True, related_name="access")
    people = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField()), help_text="role → how many"
    )
    compared_at = models.DateTimeField(null=True, help_text="when it was last compared with what people may do")

    class Meta:
        verbose_name = "namespace access"
        verbose_name_plural = "namespace accesses"
        constraints = [
            models.CheckConstraint(
                name="access_of_one_namespace",
                condition=models.Q(placement__isnull=True) ^ models.Q(vdc__isnull=True),
            ),
        ]
        indexes = [
            unsettled("access_unsettled"),
            models.Index(models.F("compared_at").asc(nulls_first=True), "id", name="access_by_comparison"),
        ]

    def __str__(self) -> str:
        return f"access in {self.vdc or self.placement}"

    def cluster_pk(self) -> uuid.UUID:
        return self.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.organization_id


class QuotaMode(models.TextChoices):
    """How an organization's VDCs draw from its quota: by the sum of their limits, or by the sum of their use."""

    RESERVATION = "reservation"
    ELASTIC = "elastic"


class QuotaScope(models.Model):
    """Limits and totals of one organization or VDC. Whoever claims locks this row first; a trigger keeps the totals.

    `limits`, `allocated` and `active` map a resource (`cpu`, `memory_mib`, `disk_gib`, `disk_gib/<storage class>`,
    `vms`, `running_vms`) to an integer; a resource without a limit is not limited. A VDC's `mode` is a copy of its
    organization's, so that its lock alone shows whether the organization's has to be held, too.
    """

    scope = Scope(organization="organization_id", vdc="vdc_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="quota_scopes")
    vdc = models.OneToOneField(Vdc, on_delete=models.CASCADE, null=True, related_name="quota")
    mode = models.CharField(max_length=16, choices=QuotaMode.choices, default=QuotaMode.RESERVATION)
    generation = models.BigIntegerField(default=1)
    limits = models.JSONField(default=dict)
    allocated = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    active = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(vdc__isnull=True), name="one_quota_per_organization"
            ),
        ]
        verbose_name = "quota scope"

    def __str__(self) -> str:
        return f"quota of {self.vdc_id or self.organization_id}"


class QuotaClaim(models.Model):
    """What one row holds of one resource: of its VDC's scope, or of the organization's own where it has no VDC."""

    scope = models.ForeignKey(QuotaScope, on_delete=models.PROTECT, related_name="claims")
    owner_kind = models.CharField(max_length=40)
    owner_id = models.UUIDField()
    resource = models.CharField(max_length=40)
    storage_class = models.CharField(max_length=253, blank=True, default="")
    allocated = models.BigIntegerField(default=0)
    active = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner_kind", "owner_id", "resource", "storage_class"], name="one_claim_per_resource"
            ),
            models.CheckConstraint(condition=models.Q(allocated__gte=0, active__gte=0), name="claims_are_not_negative"),
        ]
        verbose_name = "quota claim"

    def __str__(self) -> str:
        return f"{self.owner_kind} {self.owner_id} {self.resource}"
