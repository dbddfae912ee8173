"""Reads: a VM's facts for the reconciler."""

from uuid import UUID

from django.db.models import QuerySet

from vdcs.models import QuotaClaim
from vms.facts import DiskFacts, VmFacts
from vms.models import PowerState, VirtualMachine
from vms.quotas import VM


def loaded() -> QuerySet[VirtualMachine]:
    return VirtualMachine.objects.select_related("vdc").prefetch_related("disks__image")


def load(pk: UUID) -> VirtualMachine | None:
    return loaded().filter(pk=pk).first()


def facts(vm: VirtualMachine, *, held: bool = False) -> VmFacts:
    disks = [
        DiskFacts(
            id=disk.pk,
            name=disk.name,
            position=disk.position,
            size_gib=disk.size_gib,
            image_url=disk.image_url,
            checksum=disk.image.checksum if disk.image and disk.image.url == disk.image_url else "",
            storage_class=disk.storage_class,
        )
        for disk in vm.disks.all()
    ]
    return VmFacts(
        id=vm.pk,
        name=vm.name,
        namespace=vm.vdc.namespace,
        organization_id=vm.organization_id,
        vdc_id=vm.vdc_id,
        cpu=vm.cpu,
        memory_mib=vm.memory_mib,
        powered_on=vm.power_state == PowerState.ON,
        disks=tuple(sorted(disks, key=lambda disk: disk.position)),
        user_data=vm.user_data,
        ssh_keys=tuple(vm.ssh_keys),
        held=held,
    )


def holds_active(vm: VirtualMachine) -> bool:
    """Whether it is counted as powered on."""
    return QuotaClaim.objects.filter(owner_kind=VM, owner_id=vm.pk, resource="running_vms", active__gt=0).exists()
