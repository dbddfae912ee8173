"""One verb on many VMs: first the plan, then each in a transaction of its own, each with its own result.

Nothing is all-or-nothing here. The plan is for people: what decides about each machine is the service.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from core.actions import reason, standing
from core.actor import Actor
from core.errors import DomainError, Invalid
from core.listing import matching
from core.rights import Right
from vdcs.meters import Meter, meters
from vdcs.models import Enforcement, Vdc
from vdcs.selectors import usage_of
from vms import services
from vms.actions import ACTIONS
from vms.models import VirtualMachine

METERED = 6  # VDCs whose quota a plan shows; more would be no overview


@dataclass(frozen=True)
class Skipped:
    """One that the verb is not for, and why."""

    vm: VirtualMachine
    why: str


@dataclass(frozen=True)
class Plan:
    """What the verb would be done to. `quota`: bars of the VDCs that it would take from."""

    applies: list[VirtualMachine]
    skipped: list[Skipped]
    quota: list[tuple[Vdc, list[Meter]]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Says whether what was shown is what would be done now."""
        return hashlib.sha256("".join(sorted(str(vm.pk) for vm in self.applies)).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Result:
    """What came of one of them; `refusal` None: it was done."""

    vm: VirtualMachine
    refusal: DomainError | None = None


def plan(actor: Actor, verb: str, rows: QuerySet[VirtualMachine]) -> Plan:
    """`rows`: those that the actor sees. Invalid: they are too many for one go."""
    action = ACTIONS[verb]
    (holds,) = standing(actor, VirtualMachine, {verb: action}, Right.VM_VIEW)
    found: list[Any] = list(rows.annotate(why=reason(action, holds)).order_by("name", "pk")[: matching.MOST + 1])
    if len(found) > matching.MOST:
        most = matching.MOST
        message = f"More than {most} virtual machines match: at most {most} can be told at once. Narrow the filters."
        raise Invalid.field("all", "most", message)
    applies = [vm for vm in found if vm.why is None]
    skipped = [Skipped(vm, vm.why) for vm in found if vm.why is not None]
    return Plan(applies, skipped, _quota(applies) if verb == "start" else [])


def _quota(vms: Sequence[VirtualMachine]) -> list[tuple[Vdc, list[Meter]]]:
    """Only what changes. Of many VDCs nothing: each machine is refused or not by itself anyway."""
    ids = {vm.vdc_id for vm in vms}
    if not ids or len(ids) > METERED:
        return []
    found = []
    rows = Vdc.objects.filter(pk__in=ids, quota__isnull=False).select_related("quota", "organization")
    for vdc in rows.order_by("organization__name", "name"):
        here = [vm for vm in vms if vm.vdc_id == vdc.pk]
        added = {"running_vms": len(here)}
        if vdc.enforcement == Enforcement.ACTIVE:
            added |= {"cpu": sum(vm.cpu for vm in here), "memory_mib": sum(vm.memory_mib for vm in here)}
        changed = [meter for meter in meters(usage_of(vdc), added) if meter.added and meter.limit is not None]
        found += [(vdc, changed)] if changed else []
    return found


def run(actor: Actor, verb: str, vms: Sequence[VirtualMachine]) -> list[Result]:
    return [_one(actor, verb, vm) for vm in vms]


def _one(actor: Actor, verb: str, vm: VirtualMachine) -> Result:
    try:
        if verb == "delete":
            services.delete_vm(actor=actor, vm=vm)
        else:
            services.set_power(actor=actor, vm=vm, on=verb == "start")
    except DomainError as refusal:
        return Result(vm, refusal)
    return Result(vm)
