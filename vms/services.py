"""Verbs on VMs: check, lock, decide, write, record, hint. No HTTP, no Kubernetes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from catalogs import probes
from catalogs.images import BadImage, check_url
from catalogs.models import CatalogItem, Image
from clusters import queue
from core import access, audit, rows
from core.actor import Actor, system_actor
from core.errors import Conflict, FieldError, Invalid
from core.rights import Right
from core.rows import Generations
from tenancy.services.bindings import forget_vm
from vdcs import quotas
from vdcs.models import Vdc
from vms import adopted, rules, selectors
from vms.models import Disk, DiskSource, PowerState, VirtualMachine
from vms.quotas import of_disks, of_vm

EDITABLE = ("display_name", "description")
SIZES = ("cpu", "memory_mib")


@dataclass(frozen=True)
class Size:
    """What a VM is given."""

    cpu: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True)
class Origin:
    """What its boot disk starts from."""

    url: str
    image: Image | None = None
    item: CatalogItem | None = None

    @property
    def least_gib(self) -> int:
        return self.image.min_disk_gib if self.image else 1


@transaction.atomic
def create_vm(
    *,
    actor: Actor,
    vdc: Vdc,
    name: str,
    catalog_item: CatalogItem | None = None,
    image_url: str = "",
    cpu: int | None = None,
    memory_mib: int | None = None,
    disk_gib: int | None = None,
    storage_class: str = "",
    display_name: str = "",
    description: str = "",
    ssh_keys: Sequence[str] = (),
    user_data: str | None = None,
    power_state: str = PowerState.ON,
) -> VirtualMachine:
    """A VM with its boot disk: rows, claims and a wish. What it is not given, its catalog item says."""
    access.require(actor, Right.VM_CREATE, vdc)
    origin = _origin(actor, catalog_item, image_url)
    size = _size(origin, cpu, memory_mib, disk_gib)
    if user_data is None:
        user_data = catalog_item.user_data if catalog_item else ""
    rules.check_cloud_init(user_data, ssh_keys)
    vdc = quotas.lock(vdc)  # organization before VDC, before any insert; refuses a deleted or suspended one
    rules.check_disk(size.disk_gib, image_gib=origin.least_gib, least=vdc.min_disk_gib, most=vdc.max_disk_gib)
    known = vdc.cluster.storage_classes
    limited = quotas.limited_classes(vdc)
    rules.check_storage_class(storage_class, limited=limited, cluster=vdc.cluster.name, known=known)
    vm = VirtualMachine(
        organization=vdc.organization,
        vdc=vdc,
        owner_id=actor.user_id,
        name=name,
        display_name=display_name,
        description=description,
        catalog_item=catalog_item,
        cpu=size.cpu,
        memory_mib=size.memory_mib,
        power_state=power_state,
        user_data=user_data,
        ssh_keys=list(ssh_keys),
    )
    rows.save(vm, new=True)
    disk = _boot_disk(vm, origin, size.disk_gib, storage_class)
    quotas.claim(vdc, [*of_vm(vm), *of_disks([disk])])
    audit.record(actor, Right.VM_CREATE, vm, after=_told(vm, size))
    queue.request(vm)
    probes.request(disk_id=disk.pk, url=disk.image_url, owner=("vm", vm.pk))
    return vm


def _origin(actor: Actor, item: CatalogItem | None, image_url: str) -> Origin:
    if (item is None) == (not image_url):
        raise Invalid.field("catalog_item", "one_of", "Name either a catalog item or an image_url to start from.")
    if item is None:
        try:
            return Origin(check_url(image_url, settings.OVIM_IMAGE_HOSTS))
        except BadImage as error:
            raise Invalid.field("image_url", error.rule, str(error)) from None
    if item.image is None or not item.catalog.enabled:
        raise Invalid.field(
            "catalog_item", "usable", f"The catalog item {item} has no image, or its catalog is disabled."
        )
    access.require(actor, Right.IMAGE_USE, item.image)
    return Origin(item.image.url, item.image, item)


def _size(origin: Origin, cpu: int | None, memory_mib: int | None, disk_gib: int | None) -> Size:
    given = {"cpu": cpu, "memory_mib": memory_mib, "disk_gib": disk_gib}
    found = {name: getattr(origin.item, name, None) if value is None else value for name, value in given.items()}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        message = "Without a catalog item this must be given."
        raise Invalid(message, errors=[FieldError(name, "required", message) for name in missing])
    size = Size(**{name: int(value) for name, value in found.items() if value is not None})
    rules.check_size(cpu=size.cpu, memory_mib=size.memory_mib)
    return size


def _boot_disk(vm: VirtualMachine, origin: Origin, size_gib: int, storage_class: str) -> Disk:
    disk = Disk(
        vdc=vm.vdc,
        vm=vm,
        name=disk_name(vm, 0),
        position=0,
        source=DiskSource.IMAGE,
        image=origin.image,
        image_url=origin.url,
        size_gib=size_gib,
        storage_class=storage_class,
    )
    return rows.save(disk, new=True)


def disk_name(vm: VirtualMachine, position: int) -> str:
    """A DNS label; where the VM's name leaves no room, the VM's id keeps it unique."""
    name = f"{vm.name}-disk-{position}"
    tail = f"-{vm.pk.hex[-8:]}-{position}"
    return name if len(name) <= 63 else vm.name[: 63 - len(tail)].rstrip("-") + tail


def _told(vm: VirtualMachine, size: Size) -> dict[str, Any]:
    return {
        "name": vm.name,
        "vdc": str(vm.vdc_id),
        "cpu": size.cpu,
        "memory_mib": size.memory_mib,
        "disk_gib": size.disk_gib,
        "power_state": vm.power_state,
        "user_data": vm.user_data,
    }


@transaction.atomic
def set_power(*, actor: Actor, vm: VirtualMachine, on: bool, generations: Generations = None) -> VirtualMachine:
    """Start or stop. Starting claims at once; what stopping frees is given back when the cluster shows it stopped."""
    access.require(actor, Right.VM_POWER, vm)
    vm = _locked(vm, generations, even_unusable=not on)  # what a suspended tenant has can still be stopped
    wanted = PowerState.ON if on else PowerState.OFF
    if vm.power_state == wanted:
        return vm
    if on:
        quotas.resize(vm.vdc, of_vm(vm, active=True))
    _write_power(vm, wanted, applied=False)
    audit.record(actor, Right.VM_POWER, vm, after={"power_state": wanted})
    queue.request(vm)
    return vm


def accept_power(
    *, actor: Actor, vm: VirtualMachine, on: bool, expected_generation: int, applied: bool = True
) -> VirtualMachine:
    """Somebody changed the power in the cluster itself: make it the intent, if the quota allows and nothing is newer.

    `applied`: the cluster has it just as we would write it.
    """
    with transaction.atomic():
        vm = _locked(vm, frozenset({expected_generation}), even_unusable=not on)
        if on:
            quotas.resize(vm.vdc, of_vm(vm, active=True))
        _write_power(vm, PowerState.ON if on else PowerState.OFF, applied=applied)
        audit.record(actor, Right.VM_POWER, vm, after={"power_state": vm.power_state, "changed_in": "the cluster"})
    return vm


@transaction.atomic
def release_active(*, vm: VirtualMachine, expected_generation: int) -> None:
    """The cluster shows it stopped, read after this generation: what it held while it ran is free."""
    vm = _locked(vm, frozenset({expected_generation}), even_unusable=True)
    if vm.power_state == PowerState.OFF:
        quotas.resize(vm.vdc, of_vm(vm, active=False))


def _locked(vm: VirtualMachine, generations: Generations, *, even_unusable: bool = False) -> VirtualMachine:
    """The VM as it is now with its VDC, both locked in the order that everybody keeps."""
    vdc = quotas.lock(vm.vdc, for_deletion=even_unusable)
    vm = rows.lock(vm, generations)
    if vm.deletion_requested_at is not None:
        raise Conflict(f"The virtual machine {vm} is being deleted.")
    vm.vdc = vdc
    return vm


def _write_power(vm: VirtualMachine, wanted: PowerState, *, applied: bool) -> None:
    """Power intent has a generation of its own: what the last apply carried tells a person's change from ours."""
    vm.generation += 1
    vm.power_state, vm.power_generation = wanted, vm.generation
    fields = ["generation", "power_state", "power_generation", "updated_at"]
    if applied:
        vm.power_applied_generation = vm.generation
        fields.append("power_applied_generation")
    vm.updated_at = Now()
    vm.save(update_fields=fields)
    vm.refresh_from_db(fields=["updated_at"])


@transaction.atomic
def edit_vm(
    *, actor: Actor, vm: VirtualMachine, changes: Mapping[str, Any], generations: Generations = None
) -> VirtualMachine:
    """Names at any time; the size while the VM is stopped, so that what it holds and what runs never differ."""
    access.require(actor, Right.VM_EDIT, vm)
    vm = _locked(vm, generations)
    wanted = {name: changes[name] for name in (*EDITABLE, *SIZES) if name in changes}
    resized = [name for name in SIZES if name in wanted and wanted[name] != getattr(vm, name)]
    if resized and (vm.power_state == PowerState.ON or selectors.holds_active(vm)):
        message = f"Stop {vm} first: its size is changed while it is stopped."
        raise Conflict(message, errors=[FieldError(name, "stopped", message) for name in resized])
    rules.check_size(cpu=wanted.get("cpu", vm.cpu), memory_mib=wanted.get("memory_mib", vm.memory_mib))
    if vm.adopted_spec is not None:
        rules.check_topology(wanted.get("cpu", vm.cpu), adopted.factor(adopted.domain_of(vm.adopted_spec)))
    before = rows.edit(vm, wanted)
    if resized:
        quotas.resize(vm.vdc, of_vm(vm))
    if before:
        audit.record(actor, Right.VM_EDIT, vm, before=before, after={name: wanted[name] for name in before})
        queue.request(vm)
    return vm


@transaction.atomic
def delete_vm(*, actor: Actor, vm: VirtualMachine, generations: Generations = None) -> VirtualMachine:
    """Ask for it to go, its disks with it. What it holds is given back when the cluster confirms that it is gone."""
    access.require(actor, Right.VM_DELETE, vm)
    vm = rows.lock(vm, generations)
    delete_locked(actor, vm)
    queue.request(vm)
    return vm


def delete_locked(actor: Actor, vm: VirtualMachine) -> None:
    """Mark a locked VM and its disks, also as part of a cascade from above; whoever calls requests it."""
    if vm.deletion_requested_at is not None:
        return
    access.require(actor, Right.VM_DELETE, vm)
    Disk.objects.filter(vm=vm).update(deletion_requested_at=Now())
    VirtualMachine.objects.filter(pk=vm.pk).update(
        deletion_requested_at=Now(), generation=F("generation") + 1, updated_at=Now()
    )
    vm.refresh_from_db(fields=["deletion_requested_at", "generation", "updated_at"])
    audit.record(actor, Right.VM_DELETE, vm)


def gone(vm: VirtualMachine) -> None:
    """Inside the transaction that drops the row, its scope locked: all its objects are confirmed gone."""
    disks = list(Disk.objects.filter(vm=vm))
    quotas.release([("vm", vm.pk), *(("disk", disk.pk) for disk in disks)])
    probes.forget([disk.pk for disk in disks])
    Disk.objects.filter(vm=vm).delete()
    forget_vm(actor=system_actor("vm"), vm_id=vm.pk)
