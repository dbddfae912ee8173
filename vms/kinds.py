"""VMs as the engine knows them: how rows become objects, and objects a status."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from clusters.apply import Owner, Wanted
from clusters.conditions import Outcome
from clusters.kinds import Kind
from clusters.reconcile import Recipe, Situation
from vdcs import quotas
from vms import desired, orders, power, selectors, services
from vms.facts import VmFacts
from vms.models import Disk, VirtualMachine
from vms.observe import Live, observe


def _wanted(situation: Situation) -> Sequence[Wanted]:
    return desired.vm_objects(_facts(situation))


def _observe(situation: Situation) -> Outcome:
    facts = _facts(situation)
    return observe(facts, live_of(situation, facts))


def _facts(situation: Situation) -> VmFacts:
    held = bool(situation.lost) or orders.is_remaking(situation)
    return selectors.facts(situation.row, held=held)


def live_of(situation: Situation, facts: VmFacts) -> Live:
    view, vm = situation.view, situation.row
    instances = view.of_kind("VirtualMachineInstance")
    return Live(
        vm=view.get(desired.vm_ref(facts)),
        instance=instances[0] if instances else None,
        pods=view.of_kind("Pod"),
        volumes={body["metadata"]["name"]: body for body in view.of_kind("DataVolume")},
        claims={body["metadata"]["name"]: body for body in view.of_kind("PersistentVolumeClaim")},
        power_refused=getattr(vm, "power_refused", "") or _kept(vm, "PowerRefused"),
        known_failure=_known(vm, "ImportFailed"),
    )


def _kept(vm: VirtualMachine, type_: str) -> str:
    """A condition's message, as long as nobody has asked for anything else since."""
    return _known(vm, type_) if vm.generation == vm.observed_generation else ""


def _known(vm: VirtualMachine, type_: str) -> str:
    return next((str(item["message"]) for item in vm.conditions if item["type"] == type_), "")


def _destroyable(owner: Owner) -> bool:
    """A VM's object goes with the VM, a disk's volume only with the disk."""
    model: Any = Disk if owner.kind == "disk" else VirtualMachine
    row = model.objects.filter(pk=owner.id).only("deletion_requested_at").first()
    return row is None or row.deletion_requested_at is not None


def _lock(vm: VirtualMachine) -> None:
    quotas.lock(vm.vdc, for_deletion=True)


def _bare(vm: VirtualMachine) -> frozenset[UUID]:
    return frozenset(disk.claim_uid for disk in selectors.disks_of(vm) if disk.claim_uid is not None)


RECIPE = Recipe(
    load=selectors.load,
    wanted=_wanted,
    observe=_observe,
    gone=services.gone,
    destroyable=_destroyable,
    before=power.before,
    overrule=orders.overrule,
    acknowledged=orders.acknowledged,
    lock=_lock,
    left=orders.left,
    bare=_bare,
)
VIRTUAL_MACHINE = Kind(
    name="vm",
    model="vms.VirtualMachine",
    recipe="vms.kinds.RECIPE",
    parent=lambda vm: ("vdc", vm.vdc_id),
    delete=services.delete_locked,
    above=lambda vm: vm.vdc,
)
