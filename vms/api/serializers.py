"""Shapes of VMs: what is given, what a list shows, what one VM shows. Rules are in the services."""

from collections.abc import Callable
from typing import Any

from django.db.models import IntegerField, JSONField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from rest_framework import serializers
from rest_framework.fields import empty

from clusters.api.suspension import SUSPENDED, SuspendedOut, suspended
from clusters.reach import UNSEEN, unseen_since
from core import quantities
from core.api.columns import moment
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right
from vms.actions import ACTIONS
from vms.models import Disk, Order, PowerState

_disks = Disk.objects.filter(vm_id=OuterRef("pk")).order_by()
_total = _disks.values("vm").annotate(n=Sum("size_gib")).values("n")


class Amount(Whole):
    """A whole number of the unit in the field's name, or a Kubernetes quantity that is exactly one."""

    def __init__(self, read: Callable[[str], int], **kwargs: Any) -> None:
        self._read = read
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            try:
                data = self._read(data)
            except quantities.NotExact as error:
                raise serializers.ValidationError(str(error), code="quantity") from None
        return super().to_internal_value(data)


class Quantity(Text):
    """A Kubernetes quantity as text; for a number use the field whose name has the unit."""

    def __init__(self, read: Callable[[str], int], **kwargs: Any) -> None:
        self._read = read
        super().__init__(**{"max_length": 64} | kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)  # its validators look at the text
        try:
            return self._read(text)
        except quantities.NotExact as error:
            raise serializers.ValidationError(str(error), code="quantity") from None


class _Sized(Shape):
    cpu = Amount(quantities.cores, required=False)
    memory_mib = Amount(quantities.mebibytes, required=False)
    memory = Quantity(quantities.mebibytes, required=False, help_text="instead of memory_mib: 2Gi")


class VmIn(_Sized):
    vdc = Id()
    name = Text(max_length=63, validators=[dns_label], help_text="never changes")
    display_name = Text(max_length=255, allow_blank=True, default="")
    description = Text(max_length=1000, allow_blank=True, default="")
    catalog_item = Id(allow_null=True, default=None, help_text="what is not given is taken from it")
    image_url = Text(max_length=1024, allow_blank=True, default="", help_text="instead of a catalog item")
    disk_gib = Amount(quantities.gibibytes, required=False)
    disk = Quantity(quantities.gibibytes, required=False, help_text="instead of disk_gib: 20Gi")
    storage_class = Text(max_length=253, allow_blank=True, default="")
    ssh_keys = serializers.ListField(child=Text(max_length=16384), default=list)
    user_data = Text(max_length=65536, allow_blank=True, allow_null=True, default=None)
    power_state = serializers.ChoiceField(PowerState.choices, default=PowerState.ON)


class VmEdit(_Sized):
    display_name = Text(max_length=255, allow_blank=True, required=False)
    description = Text(max_length=1000, allow_blank=True, required=False)


class VmOrder(Shape):
    """An order about a condition that OVIM won't decide by itself."""

    order = serializers.ChoiceField(Order.choices)
    disk = Id(allow_null=True, default=None, help_text="of an order about a disk")
    confirm = Text(max_length=63, allow_blank=True, default="", help_text="the disk's name; with reclaim the VM's")


class VmOut(Shape):
    """A row of a list; PostgreSQL renders it."""

    sql: dict[str, Any] = {
        "disk_gib": Coalesce(Subquery(_total, output_field=IntegerField()), 0),
        "suspended": suspended(),
        "unseen_since": moment(unseen_since("vdc__cluster")),
    }
    id = Id()
    organization = Id(source="organization_id")
    vdc = Id(source="vdc_id")
    vdc_name = Text(source="vdc.name")
    owner = Id(source="owner_id", allow_null=True)
    owner_name = Text(source="owner.username", allow_null=True, default=None)
    name = Text()
    display_name = Text()
    description = Text()
    catalog_item = Id(source="catalog_item_id", allow_null=True)
    cpu = Whole()
    memory_mib = Whole()
    disk_gib = Whole()
    power_state = Text(help_text="what is wanted: on or off")
    phase = Text(help_text="what the cluster shows, in one word")
    conditions = serializers.JSONField()
    ip_addresses = serializers.JSONField()
    node = Text()
    guest_os = Text()
    progress = Text(help_text="of the disk import: 42.10%")
    unseen_since = Moment(allow_null=True, help_text=UNSEEN)
    generation = Whole()
    observed_generation = Whole()
    created_at = Moment()
    updated_at = Moment()
    deletion_requested_at = Moment(allow_null=True)
    suspended = SuspendedOut(allow_null=True, help_text=SUSPENDED)
    allowed_actions = AllowedActions(ACTIONS, Right.VM_VIEW)


class DiskOut(Shape):
    id = Id()
    name = Text()
    position = Whole()
    source = Text()  # type: ignore[assignment]  # a declared field, not the property
    image_url = Text()
    size_gib = Whole()
    storage_class = Text()
    order = Text(help_text="an order that stands and is not done yet")


class _DiskRows(Subquery):
    template = "coalesce((SELECT json_agg(row_to_json(d) ORDER BY d.position) FROM (%(subquery)s) d), '[]'::json)"
    output_field = JSONField()


class VmDetail(VmOut):
    """One VM, with everything that was given when it was made."""

    sql = VmOut.sql | {"disks": _DiskRows(_disks.values(*DiskOut().fields))}
    ssh_keys = serializers.JSONField()
    user_data = Text(help_text="to those who may edit the VM; others see that there is some")
    order = Text(help_text="an order that stands and is not done yet")
    disks = DiskOut(many=True)


class AdoptedOut(VmDetail):
    """The row that is made of a machine that OVIM did not make."""

    objects = serializers.ListField(child=Text(), help_text="what of the cluster is OVIM's from now on")
    as_is = serializers.ListField(child=Text(), help_text="paths of what OVIM does not understand and leaves as it is")


class AdoptIn(Shape):
    uid = Id(allow_null=True, default=None, help_text="of its VirtualMachine: only if it is still that very one")


class ForeignOut(Shape):
    """A virtual machine that OVIM did not make."""

    name = Text()
    uid = Id()
    cpu = Whole(allow_null=True, help_text="null: it does not say it in a way that OVIM reads")
    memory_mib = Whole(allow_null=True)
    disk_gib = Whole()
    disks = serializers.ListField(child=Text())
    running = Flag()
    phase = Text(help_text="KubeVirt's word")
    made_by = Text(help_text="the field manager that wrote it first")
    made_at = Moment(allow_null=True)
    unfit = serializers.ListField(child=Text(), help_text="why it can't be adopted, as far as its spec tells")


class MeasureOut(Shape):
    resource = Text()
    limit = Whole(allow_null=True)
    claimed = Whole(help_text="by OVIM's own rows: what the limit binds")
    measured = Whole(help_text="what there is in the namespace")
    unmanaged = Whole(help_text="how much of that OVIM did not make")


class DriftingOut(Shape):
    """Something that stands otherwise in its cluster. What and who did it: `GET …/drift` of the thing itself."""

    kind = serializers.ChoiceField(choices=["vm", "vdc", "organization"])
    id = Id()
    name = Text()
    where = Text(help_text="what it is in: organization and VDC, organization, or cluster")
    says = serializers.ListField(child=Text(), help_text="what its conditions say")


class DriftingPage(Shape):
    items = DriftingOut(many=True)
    more = Flag(help_text="of some kind there is more than is listed")


class UnmanagedOut(Shape):
    machines = ForeignOut(many=True)
    measures = MeasureOut(many=True)
    why = serializers.ListField(child=Text(), help_text="why claimed and measured differ")
