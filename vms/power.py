"""Who decides about power: intent in the database, unless somebody changed it in the cluster itself (ENGINE §4).

The one place where a reconciler changes intent, and where what a stopped VM held is given back.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from clusters.apply import Wanted
from clusters.errors import KubeError
from clusters.queue import Lease
from clusters.reconcile import Situation
from clusters.refs import Ref
from core.actor import system_actor
from core.errors import Conflict, QuotaExceeded, Stale
from vms import desired, selectors, services
from vms.models import PowerState, VirtualMachine

CLUSTER = system_actor("cluster")
FIELD = ".spec.runStrategy"
# Other strategies leave it to KubeVirt when a VM runs: no intent of ours says that, so they are shown as drift.
MEANS_ON: Mapping[str, bool] = {"Always": True, "Halted": False}


class Reader(Protocol):
    """The part of a cluster's client that is needed here."""

    def get(self, ref: Ref) -> Mapping[str, Any] | None: ...


def before(situation: Situation, cluster: Reader) -> VirtualMachine | None:
    """Ahead of the plan: accept a power change made in the cluster, and give back what a stopped VM held."""
    vm: VirtualMachine = situation.row
    if not is_settled(vm):
        return None
    ref = desired.vm_ref(selectors.facts(vm))
    cached = situation.view.get(ref)
    on = vm.power_state == PowerState.ON
    if cached is not None and MEANS_ON.get(cached["spec"].get("runStrategy", ""), on) != on:
        return _accept(situation, vm, cluster.get(ref))
    if not on and selectors.holds_active(vm):
        _release(vm, ref, cluster)
    return None


def is_settled(vm: VirtualMachine) -> bool:
    """The cluster has been given the power intent that stands."""
    return vm.power_applied_generation >= vm.power_generation


def _accept(situation: Situation, vm: VirtualMachine, live: Mapping[str, Any] | None) -> VirtualMachine | None:
    uids = {str(item.uid) for item in situation.held if item.uid is not None}
    if live is None or live["metadata"]["uid"] not in uids or _is_ours(live):
        return None
    on = MEANS_ON.get(live["spec"].get("runStrategy", ""))
    if on is None or on == (vm.power_state == PowerState.ON):
        return None
    try:
        services.accept_power(actor=CLUSTER, vm=vm, on=on, expected_generation=vm.generation)
    except (QuotaExceeded, Conflict) as refusal:
        vm.power_refused = refusal.message  # type: ignore[attr-defined]  # for this run: it is shown and overruled
        return None
    except Stale:
        return None  # a person was faster; the item is requested again
    return selectors.load(vm.pk)


def _is_ours(live: Mapping[str, Any]) -> bool:
    """We ourselves wrote it (a VM that is held is halted by us). Whoever changes the field takes it from our entry."""
    return any(
        entry["manager"] == "ovim"
        and entry["operation"] == "Apply"
        and "f:runStrategy" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in live["metadata"].get("managedFields") or ()
    )


def _release(vm: VirtualMachine, ref: Ref, cluster: Reader) -> None:
    """Read live, after the generation: the VM is halted or gone, and nothing of it runs."""
    live = cluster.get(ref)
    if live is not None and live["spec"].get("runStrategy") != "Halted":
        return
    if cluster.get(Ref("kubevirt.io", "VirtualMachineInstance", ref.namespace, ref.name)) is not None:
        return
    try:
        services.release_active(vm=vm, expected_generation=vm.generation)
    except (Stale, Conflict):
        return  # changed meanwhile: the next look decides


def overrule(vm: VirtualMachine, _wanted: Wanted, error: KubeError, _live: Mapping[str, Any]) -> dict[str, Any] | None:
    """A conflict about power alone, with our intent newer, or after a refusal: force exactly that."""
    only_power = bool(error.causes) and all(cause.field == FIELD for cause in error.causes)
    if only_power and (not is_settled(vm) or hasattr(vm, "power_refused")):
        return {}
    return None


def acknowledged(vm: VirtualMachine, lease: Lease, refs: set[Ref]) -> None:
    """The cluster has the power intent as it was read."""
    if is_settled(vm) or desired.vm_ref(selectors.facts(vm)) not in refs:
        return
    lease.update(
        vm,
        "power_applied_generation = greatest(t.power_applied_generation, %(applied)s::bigint)",
        {"applied": vm.power_generation},
    )
    vm.power_applied_generation = vm.power_generation
