"""One verb on many VMs: each in a transaction of its own, each with its own result. Nothing is all-or-nothing here."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.actor import Actor
from core.errors import DomainError
from vms import services
from vms.models import VirtualMachine

MOST = 100


@dataclass(frozen=True)
class Result:
    """What came of one of them; `refusal` None: it was done."""

    vm: VirtualMachine
    refusal: DomainError | None = None


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
