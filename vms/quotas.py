"""What a VM and its disks hold of a quota. The ledger itself is vdcs'."""

from collections.abc import Iterable

from vdcs.quotas import Claim
from vms.models import Disk, PowerState, VirtualMachine

VM, DISK = "vm", "disk"


def of_vm(vm: VirtualMachine, *, active: bool | None = None) -> list[Claim]:
    """`active` None: as the VM's power intent says."""
    on = vm.power_state == PowerState.ON if active is None else active
    return [
        Claim(VM, vm.pk, "cpu", vm.cpu, vm.cpu if on else 0),
        Claim(VM, vm.pk, "memory_mib", vm.memory_mib, vm.memory_mib if on else 0),
        Claim(VM, vm.pk, "vms", 1),
        Claim(VM, vm.pk, "running_vms", 0, 1 if on else 0),
    ]


def of_disks(disks: Iterable[Disk]) -> list[Claim]:
    return [Claim(DISK, disk.pk, "disk_gib", disk.size_gib, 0, disk.storage_class) for disk in disks]
