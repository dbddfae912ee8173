"""What would come of a wish, and the ways out of a refusal. Each way was tried by the same rule that refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.db import transaction

from core.actor import Actor
from core.errors import Conflict, DomainError, Forbidden, Invalid, QuotaExceeded
from core.ui.amounts import amount, resource
from vdcs.models import Vdc
from vms import services
from vms.forms import SIZES, VmForm, typed_size
from vms.models import VirtualMachine

REFUSALS = (Conflict, Invalid, QuotaExceeded, Forbidden)
OTHER_VDCS = 2  # that are tried: every try is a whole creation, rolled back


@dataclass(frozen=True)
class Way:
    """A way out that is enough by itself. `sets`: form fields and what they become, as a query string."""

    label: str
    effect: str
    icon: str
    sets: str


def attempt(actor: Actor, wish: Mapping[str, Any], *, only: bool) -> VirtualMachine:
    """Make the VM; `only`: see whether it could be made. Raises what the service refuses."""
    with transaction.atomic():
        vm = services.create_vm(actor=actor, **wish)
        transaction.set_rollback(only)
    return vm


def ways_out(actor: Actor, form: VmForm, refusal: DomainError | None) -> list[Way]:
    """Of a quota's refusal; of others the field says what to do."""
    if not isinstance(refusal, QuotaExceeded):
        return []
    wish = form.wish()
    smaller = _smaller(refusal)
    found = [_shrunk(smaller)] if smaller and _fits(actor, wish | smaller) else []
    others = islice((vdc for vdc in form.vdcs if vdc.pk != wish["vdc"].pk), OTHER_VDCS)
    return found + [_moved(vdc) for vdc in others if _fits(actor, wish | {"vdc": vdc})]


def _fits(actor: Actor, wish: Mapping[str, Any]) -> bool:
    try:
        attempt(actor, wish, only=True)
    except REFUSALS:
        return False
    return True


def _smaller(refusal: QuotaExceeded) -> dict[str, int]:
    """The largest size that every refusing limit would let pass; empty: no size is small enough."""
    found: dict[str, int] = {}
    for short in refusal.shortages:
        name = short.resource.partition("/")[0]
        if name not in SIZES or not short.fits:
            return {}
        found[name] = min(found.get(name, short.fits), short.fits)
    return found


def _shrunk(sizes: Mapping[str, int]) -> Way:
    label = " and ".join(f"{amount(value, name)} {resource(name)}" for name, value in sizes.items())
    return Way(f"Use {label}", "the most that fits", "size", urlencode({n: typed_size(n, v) for n, v in sizes.items()}))


def _moved(vdc: Vdc) -> Way:
    return Way(f"Put it in {vdc.organization.name} / {vdc.name}", "it fits there", "vdc", urlencode({"vdc": vdc.pk}))
