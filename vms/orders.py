"""Orders: what OVIM won't decide by itself, a person may. Explicit, audited, refused where they don't apply.

An order is intent. It stands in the row it is about, with the uid of the very object it is about, until the reconciler
has carried it out; given twice it is one order, and lost work carries it out later (ENGINE §2, §3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from catalogs import probes
from clusters import adopting, doubts, queue, volumes
from clusters.apply import Wanted, differences, still_ours
from clusters.errors import KubeError
from clusters.reconcile import Situation
from clusters.refs import Ref, volume_of
from core import access, audit, quantities, rows
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.rights import Right
from core.rows import Generations
from vdcs import quotas
from vms import desired, power, rules, selectors
from vms.models import Disk, DiskSource, Order, PowerState, VirtualMachine
from vms.quotas import of_vm


@dataclass(frozen=True)
class Ask:
    """What asks for an order: one of these conditions, for this reason if there are several."""

    conditions: tuple[str, ...]
    reason: str | None = None
    of_disk: bool = False
    while_deleted: tuple[bool, ...] = (False,)


ASKS: Mapping[str, Ask] = {
    Order.RECREATE_DISK: Ask(("DiskLost",), of_disk=True),
    Order.REPAIR: Ask(("Drifted",)),
    Order.ACCEPT: Ask(("Drifted",)),
    Order.FORGET_VOLUME: Ask(("Unproven",), "VolumeLeft", of_disk=True, while_deleted=(True,)),
    Order.RECLAIM: Ask(("NameTaken", "Unproven"), doubts.REASON, while_deleted=(True, False)),
}
CPU, MEMORY = "spec.template.spec.domain.cpu.cores", "spec.template.spec.domain.memory.guest"
POWER = "spec.runStrategy"


@dataclass(frozen=True)
class Offer:
    """An order that can be given now, beside the condition that asks for it. `confirm`: what has to be typed, if anything."""

    order: str
    condition: str
    disk: Disk | None = None
    confirm: str = ""


def offers(vm: VirtualMachine, disks: list[Disk]) -> list[Offer]:
    """Which orders the VM's conditions ask for. Whether one is refused in the end, `give` says."""
    deleting = vm.deletion_requested_at is not None
    found: list[Offer] = []
    for order, ask in ASKS.items():
        for condition in ask.conditions if deleting in ask.while_deleted else ():
            if ask.of_disk:
                about = [disk for disk in disks if disk.order != order and _names(vm, order, condition, disk)]
                found += [Offer(order, condition, disk, disk.name) for disk in about]
            elif order == Order.RECLAIM:
                found += [Offer(order, condition, confirm=vm.name)] if _uid_in_doubt(vm, condition) else []
            elif _says(vm, order, condition) and vm.order != order:
                found.append(Offer(order, condition))
    return found


def hindrance(vm: VirtualMachine, offer: Offer) -> str:
    """Why an order that is offered would be refused, as far as can be told without a lock; empty: it would be taken."""
    if offer.order != Order.ACCEPT:
        return ""
    try:
        rules.check_size(**_size_in_cluster(vm))
    except (Conflict, Invalid) as refusal:
        return refusal.message
    return ""


# --- giving one ----------------------------------------------------------------------------------------------------


@transaction.atomic
def give(
    *,
    actor: Actor,
    vm: VirtualMachine,
    order: str,
    disk: Disk | None = None,
    confirm: str = "",
    generations: Generations = None,
) -> VirtualMachine:
    """Write the order down, to be carried out. The same one again changes nothing."""
    access.require(actor, Right.VM_ORDER, vm)
    vdc = quotas.lock(vm.vdc, for_deletion=order != Order.ACCEPT)
    vm = rows.lock(vm, generations)
    vm.vdc = vdc
    before = vm.generation
    if ASKS[order].of_disk:
        disk = _disk(vm, disk, confirm)
        _give_about_disk(actor, vm, order, disk)
    elif disk is not None:
        raise Invalid.field("disk", "unknown", f"The order {order} is about the virtual machine, not about a disk.")
    elif order == Order.REPAIR:
        _repair(actor, vm)
    elif order == Order.RECLAIM:
        _reclaim(actor, vm, confirm)
    else:
        _accept(actor, vm)
    queue.request(vm)
    if order == Order.RECREATE_DISK and disk is not None and disk.image_url and vm.generation != before:
        probes.forget([disk.pk])  # what the address held when the first one was filled says nothing of today
        probes.request(disk_id=disk.pk, url=disk.image_url, owner=("vm", vm.pk))
    return vm


def _disk(vm: VirtualMachine, disk: Disk | None, confirm: str) -> Disk:
    """The disk as it is now, locked; its name has to be typed."""
    found = Disk.objects.select_for_update(no_key=True).filter(vm=vm, pk=disk.pk).first() if disk else None
    if found is None:
        raise Invalid.field("disk", "required", "Name a disk of this virtual machine.")
    if confirm != found.name:
        raise Invalid.field("confirm", "confirm", f"Type the disk's name to confirm: {found.name}.")
    return found


def _give_about_disk(actor: Actor, vm: VirtualMachine, order: str, disk: Disk) -> None:
    if disk.order == order and disk.order == Order.RECREATE_DISK:
        return
    (condition,) = ASKS[order].conditions
    ref = Ref("cdi.kubevirt.io", "DataVolume", vm.vdc.namespace, disk.name)
    deleting = vm.deletion_requested_at is not None
    if deleting not in ASKS[order].while_deleted:
        raise Conflict(f"{vm} is {'' if deleting else 'not '}being deleted: this order does not apply.")
    if order == Order.RECREATE_DISK:
        if disk.source not in (DiskSource.IMAGE, DiskSource.BLANK):
            raise Conflict(f"{disk} was not made from an image: what was on it can't be made again.")
        uid = volumes.uid_of(vm.cluster_pk(), ref)
    else:
        cached = volumes.cached(vm.cluster_pk(), volume_of(ref))
        uid = cached.uid if cached else None
    if disk.order == order and disk.order_uid == uid:
        return
    if uid is None or not _names(vm, order, condition, disk):
        raise Conflict(f"{disk} has no condition {condition} that asks for this order.")
    Disk.objects.filter(pk=disk.pk).update(order=order, order_uid=uid)
    _bump(vm)
    audit.record(actor, Right.VM_ORDER, vm, after={"order": order, "disk": disk.name, "uid": str(uid)})


def _repair(actor: Actor, vm: VirtualMachine) -> None:
    if vm.order == Order.REPAIR:
        return
    _check_drifted(vm)
    uid = volumes.uid_of(vm.cluster_pk(), desired.vm_ref(_facts(vm)))
    VirtualMachine.objects.filter(pk=vm.pk).update(order=Order.REPAIR, order_uid=uid)
    _bump(vm)
    audit.record(
        actor, Right.VM_ORDER, vm, before={"drifted": _says(vm, Order.REPAIR, "Drifted")}, after={"order": Order.REPAIR}
    )


def _reclaim(actor: Actor, vm: VirtualMachine, confirm: str) -> None:
    """A person says that the machine without our claim is this one's: its uid is recorded, and all goes on with that."""
    uid = next((found for type_ in ASKS[Order.RECLAIM].conditions if (found := _uid_in_doubt(vm, type_))), "")
    if not uid:
        raise Conflict(f"{vm} has no condition with the reason ClaimGone that asks for this order.")
    if confirm != vm.name:
        raise Invalid.field("confirm", "confirm", f"Type the virtual machine's name to confirm: {vm.name}.")
    ref = desired.vm_ref(_facts(vm))
    cached = volumes.cached(vm.cluster_pk(), ref)
    if cached is None or str(cached.uid) != uid:
        raise Conflict(f"{ref} is another by now, or gone: look again when its condition says so.")
    if "deletionTimestamp" in cached.body["metadata"]:
        raise Conflict(f"{ref} is being deleted: there is nothing to reclaim.")
    if not adopting.prove(vm, ref, cached.uid):
        return  # given twice, or proven by itself meanwhile: there is a uid on record, and the next look goes by that
    _bump(vm)
    audit.record(actor, Right.VM_ORDER, vm, after={"order": Order.RECLAIM, "uid": str(cached.uid)})


def _accept(actor: Actor, vm: VirtualMachine) -> None:
    """The size that somebody gave it in the cluster becomes the intent, if all quotas allow. Nothing else can."""
    _check_drifted(vm)
    size = _size_in_cluster(vm)
    rules.check_size(**size)
    on = vm.power_state == PowerState.ON or selectors.holds_active(vm)
    if on and any(value < getattr(vm, name) for name, value in size.items()):
        raise Conflict(f"Stop {vm} first: as it runs it has more than that.")
    before = rows.edit(vm, size)
    quotas.resize(vm.vdc, of_vm(vm, active=on))
    audit.record(
        actor,
        Right.VM_ORDER,
        vm,
        before=before,
        after={"order": Order.ACCEPT, **{name: size[name] for name in before}},
    )


def _size_in_cluster(vm: VirtualMachine) -> dict[str, int]:
    facts = _facts(vm)
    ref = desired.vm_ref(facts)
    cached = volumes.cached(vm.cluster_pk(), ref)
    if cached is None or cached.uid != volumes.uid_of(vm.cluster_pk(), ref):
        raise Conflict(f"{ref} is not there at the moment: look again when it is.")
    found = {item.path: item.old for item in differences(desired.virtual_machine(facts), cached.body)}
    found.pop(POWER, None)  # power is accepted, or refused, by itself
    other = sorted(set(found) - {CPU, MEMORY})
    if other:
        raise Conflict(f"Only a changed size can be accepted, and {', '.join(other)} differs, too: repair it.")
    if not found:
        raise Conflict("What it has in the cluster is what is wanted: there is nothing to accept.")
    cpu = cached.body["spec"]["template"]["spec"]["domain"].get("cpu") or {}
    if max(cpu.get("sockets") or 1, cpu.get("threads") or 1) > 1:
        raise Conflict("It was given sockets or threads, which OVIM does not count: repair it.")
    try:
        memory = quantities.mebibytes(str(found[MEMORY])) if MEMORY in found else vm.memory_mib
    except quantities.NotExact as error:
        raise Conflict(f"Its memory in the cluster is no size that OVIM knows: {error}") from None
    return {"cpu": int(found.get(CPU) or vm.cpu), "memory_mib": memory}


def _check_drifted(vm: VirtualMachine) -> None:
    if vm.deletion_requested_at is not None:
        raise Conflict(f"The virtual machine {vm} is being deleted.")
    if not _says(vm, Order.ACCEPT, "Drifted"):
        raise Conflict(f"{vm} has no condition Drifted that asks for this order.")


def _facts(vm: VirtualMachine) -> Any:
    return selectors.facts(next(iter(selectors.load([vm.pk])), vm))


def _says(vm: VirtualMachine, order: str, type_: str) -> str:
    """The message of a condition that is the case for a reason that asks for this order; empty when there is none."""
    reason = ASKS[order].reason
    found = (item for item in vm.conditions if item["type"] == type_ and item["status"] == "True")
    return next((str(item["message"]) for item in found if reason in (None, item["reason"])), "")


def _uid_in_doubt(vm: VirtualMachine, type_: str) -> str:
    """The uid of the machine that a condition says can't be proven to be this one's."""
    machine = Ref("kubevirt.io", "VirtualMachine", vm.vdc.namespace, vm.name)
    return doubts.uid_told(_says(vm, Order.RECLAIM, type_), machine)


def _names(vm: VirtualMachine, order: str, type_: str, disk: Disk) -> bool:
    words = _says(vm, order, type_).replace("/", " ").split()
    return disk.name in words


def _bump(vm: VirtualMachine) -> None:
    """An order is intent like any other: a new generation, which the sweep brings back should its request be lost."""
    VirtualMachine.objects.filter(pk=vm.pk).update(generation=F("generation") + 1, updated_at=Now())
    vm.refresh_from_db(fields=["generation", "updated_at", "order", "order_uid"])


# --- carrying it out -----------------------------------------------------------------------------------------------


def is_remaking(situation: Situation) -> bool:
    """A lost disk is being made anew: until the new one is recorded, the VM is held. An order that is spent holds nothing."""
    uids = {item.ref.name: item.uid for item in situation.held if item.ref.kind == "DataVolume"}
    return any(
        disk.order == Order.RECREATE_DISK and uids.get(disk.name, disk.pk) in (None, disk.order_uid)
        for disk in selectors.disks_of(situation.row)
    )


def left(vm: VirtualMachine) -> frozenset[UUID]:
    """Volumes that stay where they are."""
    return frozenset(
        disk.order_uid
        for disk in selectors.disks_of(vm)
        if disk.order == Order.FORGET_VOLUME and disk.order_uid is not None
    )


def overrule(vm: VirtualMachine, wanted: Wanted, error: KubeError, live: Mapping[str, Any]) -> dict[str, Any] | None:
    """A repair goes through whole, on the very object that it was ordered for. Else only power may.

    And a change of ours on an adopted machine, whose fields are its maker's as well as long as nobody changes them.
    """
    if (
        vm.order == Order.REPAIR
        and live["metadata"]["uid"] == str(vm.order_uid)
        and wanted.ref.kind == "VirtualMachine"
    ):
        return {}
    ruled = power.overrule(vm, wanted, error, live)
    if ruled != {} and error.causes and still_ours(live, [cause.field for cause in error.causes]):
        return {}
    return ruled


def acknowledged(vm: VirtualMachine, refs: set[Ref]) -> dict[str, Any]:
    """The cluster has what was ordered: the order is done, and what was held may go on with the next look."""
    fields = power.acknowledged(vm, refs)
    given = [disk for disk in selectors.disks_of(vm) if disk.order == Order.RECREATE_DISK]
    made = [disk for disk in given if Ref("cdi.kubevirt.io", "DataVolume", vm.vdc.namespace, disk.name) in refs]
    for disk in made:  # whoever saw it done may say so: the order is about this uid only
        Disk.objects.filter(pk=disk.pk, order_uid=disk.order_uid).update(order="", order_uid=None)
    if made:
        queue.request(vm)
    if vm.order == Order.REPAIR and selectors.machine_of(vm) in refs:
        fields |= {"order": "", "order_uid": None}
    return fields
