"""Reads: a VM's facts for the reconciler."""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from catalogs.magic import Verdict
from catalogs.models import Image
from clusters import sql
from clusters.refs import Ref
from vdcs.models import QuotaClaim, Vdc
from vms.facts import DiskFacts, VmFacts
from vms.models import Disk, Order, PowerState, VirtualMachine
from vms.quotas import VM

_LOADED = "_loaded_disks"


def load(pks: Sequence[UUID]) -> list[VirtualMachine]:
    """With VDC and disks, in two statements that are planned once: the engine does this for every look."""
    width = sql.width(VirtualMachine)
    vms: dict[UUID, VirtualMachine] = {}
    vdcs: dict[UUID, Vdc] = {}  # many VMs of a batch are in one
    for row in sql.run(_vms(), [list(pks)]):
        vm = sql.instance(VirtualMachine, row[:width])
        if vm.vdc_id not in vdcs:
            vdcs[vm.vdc_id] = sql.instance(Vdc, row[width:])
        vm.vdc = vdcs[vm.vdc_id]
        vms[vm.pk] = vm
    disks: dict[UUID | None, list[Disk]] = {}
    for row in sql.run(_disks(), [list(pks)]):
        disk = _disk(row)
        disks.setdefault(disk.vm_id, []).append(disk)
    for vm in vms.values():
        vm.__dict__[_LOADED] = disks.get(vm.pk, [])
        of_vm: Any = Disk.objects.all()
        of_vm._result_cache = disks.get(vm.pk, [])  # noqa: SLF001  # as prefetch_related leaves it
        vm._prefetched_objects_cache = {"disks": of_vm}  # type: ignore[attr-defined]  # noqa: SLF001
    return list(vms.values())


def disks_of(vm: VirtualMachine) -> list[Disk]:
    """Its disks: of a row that `load` read, as they were read; a manager for each look at them costs more than the look."""
    loaded: list[Disk] | None = vm.__dict__.get(_LOADED)
    return list(vm.disks.all()) if loaded is None else loaded


def machine_of(vm: VirtualMachine) -> Ref:
    """Its object."""
    return Ref("kubevirt.io", "VirtualMachine", vm.vdc.namespace, vm.name)


def _disk(row: sql.Row) -> Disk:
    width = sql.width(Disk)
    disk = sql.instance(Disk, row[:width])
    disk.image = sql.instance(Image, row[width:-1]) if disk.image_id else None
    disk.no_image = row[-1]
    return disk


@cache
def _vms() -> str:
    vm, vdc = sql.columns(VirtualMachine, "v"), sql.columns(Vdc, "d")
    return (
        f"SELECT {vm}, {vdc} FROM vms_virtualmachine v JOIN vdcs_vdc d ON d.id = v.vdc_id "  # noqa: S608
        "WHERE v.id = ANY(%s::uuid[])"
    )


@cache
def _disks() -> str:
    disk, image = sql.columns(Disk, "k"), sql.columns(Image, "i")
    return (
        f"SELECT {disk}, {image}, coalesce(p.message, '') FROM vms_disk k "  # noqa: S608
        "LEFT JOIN catalogs_image i ON i.id = k.image_id "
        f"LEFT JOIN catalogs_imageprobe p ON p.disk_id = k.id AND p.verdict = '{Verdict.NOT_AN_IMAGE}' "
        "WHERE k.vm_id = ANY(%s::uuid[])"
    )


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
            no_image=disk.no_image,
            remake=disk.order_uid if disk.order == Order.RECREATE_DISK else None,
            bare=disk.claim_uid is not None,
        )
        for disk in disks_of(vm)
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
        adopted=adopted_text(vm),
    )


def adopted_text(vm: VirtualMachine) -> str:
    """The spec that it was adopted with, as facts have it; empty: OVIM made it."""
    return "" if vm.adopted_spec is None else orjson.dumps(vm.adopted_spec).decode()


def holds_active(vm: VirtualMachine) -> bool:
    """Whether it is counted as powered on."""
    return QuotaClaim.objects.filter(owner_kind=VM, owner_id=vm.pk, resource="running_vms", active__gt=0).exists()
