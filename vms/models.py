"""Virtual machines and their disks."""

import uuid

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Cast, Now, Upper

from catalogs.models import CatalogItem, Image
from clusters.models import Phase, Reconciled, unsettled
from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from tenancy.models import Organization, User
from vdcs.models import Vdc


class PowerState(models.TextChoices):
    ON = "on"
    OFF = "off"


class Order(models.TextChoices):
    """What a reconciler won't do by itself, ordered by a person.

    `accept` and `reclaim` are done at once, the others are carried out.
    """

    RECREATE_DISK = "recreate-disk"
    REPAIR = "repair"
    ACCEPT = "accept"
    FORGET_VOLUME = "forget-volume"
    RECLAIM = "reclaim"


class Ordered(models.Model):
    """A row that orders can be given about. One stands until it is done; it is about the object of `order_uid` only."""

    order = models.CharField(max_length=16, choices=Order.choices, blank=True, default="")
    order_uid = models.UUIDField(null=True, blank=True)

    class Meta:
        abstract = True


# A VM that is as somebody wants it; one that somebody should look at. The rest is on its way.
CALM = (Phase.RUNNING, Phase.STOPPED)
TROUBLED = (Phase.FAILED, Phase.UNKNOWN, Phase.PAUSED)


class VirtualMachine(Reconciled, Ordered):
    """A VM in a VDC. `power_state` is intent; what the cluster shows is in `phase`, `node`, `ip_addresses`.

    `power_generation` is the generation of the last change of power intent, `power_applied_generation` that of the
    last apply that carried one (ENGINE §4).
    """

    scope = Scope(organization="organization_id", vdc="vdc_id", vm="id", owner="owner_id")

    # The VDC never moves between organizations, so the copy spares every scoped list a join.
    # No index of their own: those below begin with these columns, and a second one would only tempt the planner.
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    vdc = models.ForeignKey(Vdc, on_delete=models.PROTECT, related_name="vms", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="vms", db_index=False)
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    catalog_item = models.ForeignKey(CatalogItem, on_delete=models.SET_NULL, null=True, related_name="+")
    cpu = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    power_state = models.CharField(max_length=3, choices=PowerState.choices, default=PowerState.ON)
    power_generation = models.BigIntegerField(default=1)
    power_applied_generation = models.BigIntegerField(default=0)
    user_data = models.TextField(blank=True)
    ssh_keys = models.JSONField(default=list, blank=True)
    ip_addresses = models.JSONField(default=list, blank=True)
    node = models.CharField(max_length=253, blank=True)
    guest_os = models.CharField(max_length=255, blank=True)
    # Of a machine that was adopted: its `spec` in the cluster as it was then. What OVIM can't express is kept by it.
    adopted_spec = models.JSONField(null=True, blank=True)
    progress = models.CharField(max_length=16, blank=True, help_text="of the disk import, as CDI says it: 42.10%")

    class Meta:
        verbose_name = "virtual machine"
        constraints = [
            models.UniqueConstraint(
                fields=["vdc", "name"],
                name="vm_name_in_vdc",
                violation_error_message="The VDC has a virtual machine of this name already.",
            ),
            models.CheckConstraint(condition=models.Q(cpu__gte=1, memory_mib__gte=1), name="vm_has_a_size"),
        ]
        indexes = [
            unsettled("vm_unsettled"),
            models.Index(fields=["organization", "id"], name="vm_by_organization"),
            models.Index(fields=["vdc", "id"], name="vm_by_vdc"),
            models.Index(fields=["owner", "id"], name="vm_by_owner"),
            # The portal's sort by name, for an organization and for the provider; a VDC has its unique constraint.
            models.Index(fields=["organization", "name", "id"], name="vm_by_organization_name"),
            models.Index(fields=["name", "id"], name="vm_by_name"),
            # What is not calm is little, and every overview asks for it.
            models.Index(
                fields=["organization", "id"],
                name="vm_not_calm",
                condition=models.Q(phase__in=[str(phase) for phase in Phase if phase not in CALM]),
            ),
            # What is off, or stopped: filters of the list, and mostly little.
            models.Index(
                fields=["organization", "id"],
                name="vm_at_rest",
                condition=models.Q(power_state="off") | models.Q(phase="Stopped"),
            ),
            # Search anywhere in a name or an address: one column without such an index, and all rows are read.
            GinIndex(OpClass(Upper("name"), "gin_trgm_ops"), name="vm_name_trigrams"),
            GinIndex(OpClass(Upper("display_name"), "gin_trgm_ops"), name="vm_display_name_trigrams"),
            GinIndex(
                OpClass(Upper(Cast("ip_addresses", models.TextField())), "gin_trgm_ops"), name="vm_address_trigrams"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def disk_gib(self) -> int:
        """Of all its disks."""
        return sum(disk.size_gib for disk in self.disks.all())

    def cluster_pk(self) -> uuid.UUID:
        return self.vdc.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.organization_id


class DiskSource(models.TextChoices):
    IMAGE = "image"
    BLANK = "blank"
    ADOPTED = "adopted"  # it was there, filled, before OVIM knew it: never made again


class Disk(Ordered):
    """A disk: a DataVolume and its PVC in the cluster. Destroyed only by its own deletion (ENGINE §3).

    While it is attached, its VM's reconciler writes its objects (`InventoryItem.owner`); `data_of` is always the disk.
    """

    scope = Scope(organization="vdc__organization_id", vdc="vdc_id", vm="vm_id", owner="vm__owner_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    vdc = models.ForeignKey(Vdc, on_delete=models.PROTECT, related_name="disks")
    vm = models.ForeignKey(VirtualMachine, on_delete=models.PROTECT, null=True, related_name="disks")
    name = models.CharField(max_length=63, validators=[dns_label])
    position = models.PositiveSmallIntegerField(default=0, help_text="0 is the boot disk")
    source = models.CharField(max_length=8, choices=DiskSource.choices)
    image = models.ForeignKey(Image, on_delete=models.SET_NULL, null=True, related_name="+")
    image_url = models.CharField(max_length=1024, blank=True)
    size_gib = models.PositiveIntegerField()
    storage_class = models.CharField(max_length=253, blank=True)
    # Of an adopted claim without a DataVolume: its uid. It goes with the disk by our own hand.
    claim_uid = models.UUIDField(null=True, blank=True)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    no_image: str = ""  # what its image was seen to be instead of one; `selectors.load` brings it along

    class Meta:
        verbose_name = "disk"
        constraints = [
            models.UniqueConstraint(
                fields=["vdc", "name"],
                name="disk_name_in_vdc",
                violation_error_message="The VDC has a disk of this name already.",
            ),
            models.UniqueConstraint(
                fields=["vm", "position"], condition=models.Q(vm__isnull=False), name="one_disk_per_position"
            ),
            models.CheckConstraint(condition=models.Q(size_gib__gte=1), name="disk_has_a_size"),
        ]
        indexes = [models.Index(OpClass("name", "varchar_pattern_ops"), name="disk_by_name")]

    def __str__(self) -> str:
        return self.name
