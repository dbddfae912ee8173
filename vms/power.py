"""Who decides about power: intent in the database, unless somebody changed it in the cluster itself (ENGINE §4).

The one place where a reconciler changes intent, and where what a stopped VM held is given back.
"""

from collections.abc import Mapping
from typing import Any

from clusters import doubts, queue, status, steps
from clusters.apply import Wanted, owns
from clusters.errors import KubeError
from clusters.queue import Lease
from clusters.reconcile import Situation
from clusters.refs import Ref
from clusters.steps import Steps
from core.actor import system_actor
from core.errors import Busy, Conflict, NotFound, QuotaExceeded, Stale
from vms import desired, selectors, services
from vms.models import PowerState, VirtualMachine

CLUSTER = system_actor("cluster")
FIELD = ".spec.runStrategy"


def before(situation: Situation, lease: Lease) -> Steps[VirtualMachine | None]:
    """Ahead of the plan: accept a power change made in the cluster, and give back what a stopped VM held."""
    vm: VirtualMachine = situation.row
    ref = selectors.machine_of(vm)
    cached = situation.view.get(ref)
    accepted = None
    if is_settled(vm) and cached is not None:
        instances = bool(situation.view.of_kind("VirtualMachineInstance"))
        if means_on(cached, exists=instances) != (vm.power_state == PowerState.ON):
            accepted = yield from _accept(situation, vm, ref, lease)
            vm = accepted or vm
    if vm.power_state == PowerState.OFF and selectors.holds_active(vm):
        yield from _release(situation, vm, ref, lease)
    return accepted


def means_on(live: Mapping[str, Any], *, exists: bool) -> bool:
    """Whether its strategy may run it. `Manual` leaves that to whoever asks: it is on while its instance exists."""
    strategy = live["spec"].get("runStrategy") or ("Always" if live["spec"].get("running") else "Halted")
    return exists if strategy == "Manual" else strategy != "Halted"


def is_settled(vm: VirtualMachine) -> bool:
    """The cluster has been given the power intent that stands."""
    return vm.power_applied_generation >= vm.power_generation


def _live(lease: Lease, ref: Ref) -> Steps[Mapping[str, Any] | None]:
    return steps.read(lease, lambda client: client.get(ref))


def _accept(situation: Situation, vm: VirtualMachine, ref: Ref, lease: Lease) -> Steps[VirtualMachine | None]:
    uids = {str(item.uid) for item in situation.held if item.uid is not None}
    live = yield from _live(lease, ref)
    if live is None or live["metadata"]["uid"] not in uids:
        return None
    on = means_on(live, exists=(yield from _live(lease, _instance(ref))) is not None)
    if on == (vm.power_state == PowerState.ON) or _is_ours(live, on=on):
        return None
    # Off without being halted (Manual) is accepted as intent that has yet to be applied: only Halted frees its quota.
    applied = on or live["spec"].get("runStrategy") == desired.OFF
    try:
        services.accept_power(actor=CLUSTER, vm=vm, on=on, expected_generation=vm.generation, applied=applied)
    except (QuotaExceeded, Conflict) as refusal:
        vm.power_refused = refusal.message  # type: ignore[attr-defined]  # for this run: it is shown and overruled
        return None
    except (Stale, NotFound):
        return None  # a person was faster; the item is requested again
    except Busy:
        queue.request(vm)  # what runs must be claimed or stopped: again at once, not when drift is looked at
        return None
    return next(iter(selectors.load([vm.pk])), None)


def _is_ours(live: Mapping[str, Any], *, on: bool) -> bool:
    """We ourselves wrote it (a VM that is held is halted by us). Whoever changes the field takes it from our entry.

    Halting alone is a merge patch (`overrule`), so an Update. A start is never ours by that: names can be borrowed.
    """
    return any(
        entry["manager"] == "ovim"
        and not entry.get("subresource")
        and (entry["operation"] == "Apply" or not on)
        and "f:runStrategy" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in live["metadata"].get("managedFields") or ()
    )


def _instance(ref: Ref) -> Ref:
    return Ref("kubevirt.io", "VirtualMachineInstance", ref.namespace, ref.name)


def _release(situation: Situation, vm: VirtualMachine, ref: Ref, lease: Lease) -> Steps[None]:
    """Read live, after the generation: the VM is halted, gone or never came to be, and nothing of it runs."""
    live = yield from _live(lease, ref)
    instance = yield from _live(lease, _instance(ref))
    foreign = live is not None and _is_foreign(situation, ref, live)
    if live is not None and not foreign and live["spec"].get("runStrategy") != desired.OFF:
        return
    if instance is not None and not (live is not None and foreign and _owned_by(instance, live)):
        return
    try:
        services.release_active(vm=vm, expected_generation=vm.generation)
    except (Stale, Conflict, NotFound):
        return  # changed meanwhile: the next look decides
    except Busy:
        queue.request(vm)


def _is_foreign(situation: Situation, ref: Ref, live: Mapping[str, Any]) -> bool:
    """By its uid, or by a claim of ours (its answer was lost), it is ours; what may be ours holds quota, too (ADR 28).

    What merely has the VM's name is somebody else's.
    """
    return not any(
        owns(item, live) or (item.uid is None and doubts.may_be_ours(live, ref, item.tokens, status.installation()))
        for item in situation.held
        if item.ref == ref
    )


def _owned_by(instance: Mapping[str, Any], machine: Mapping[str, Any]) -> bool:
    owners = instance["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner["uid"] == machine["metadata"]["uid"] for owner in owners)


def overrule(vm: VirtualMachine, wanted: Wanted, error: KubeError, live: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our power goes through when our intent is newer, after a refusal, and when a hold keeps the VM from running.

    A conflict about power alone is forced (`{}`); among others, power is written alone, first, and the rest is drift.
    """
    if selectors.machine_of(vm) != wanted.ref:
        return None
    strategy = wanted.manifest["spec"]["runStrategy"]
    on_hold = vm.power_state == PowerState.ON and strategy == desired.OFF
    if is_settled(vm) and (
        live["spec"].get("runStrategy") == strategy or not (on_hold or hasattr(vm, "power_refused"))
    ):
        return None
    if error.causes and all(cause.field == FIELD for cause in error.causes):
        return {}
    return {"spec": {"runStrategy": strategy}}


def acknowledged(vm: VirtualMachine, refs: set[Ref]) -> dict[str, Any]:
    """The cluster has the power intent as it was read."""
    if is_settled(vm) or selectors.machine_of(vm) not in refs:
        return {}
    return {"power_applied_generation": vm.power_generation}
