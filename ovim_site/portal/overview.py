"""What needs me now? One page for every role: what is not there for somebody is left out."""

from typing import Any

from django.db.models import FloatField, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Greatest, NullIf
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from clusters.models import Cluster, Phase
from core import access
from core.actor import Actor, Level
from core.enforce import needs
from core.listing.counts import counted
from core.rights import Right
from vdcs.meters import meters
from vdcs.models import Vdc
from vdcs.selectors import usage_of
from vms.models import CALM, TROUBLED, VirtualMachine

EACH = 8
UNDER_WAY = [phase for phase in Phase if phase not in (*CALM, *TROUBLED)]


@needs(Right.SELF)
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    rows = VirtualMachine.objects.select_related("vdc", "organization").defer("user_data", "ssh_keys")
    seen = access.visible(actor, rows, Right.VM_VIEW).order_by("-pk")
    fleet = any(grant.level is Level.SYSTEM for grant in actor.grants)
    page: dict[str, Any] = {
        "section": "overview",
        "fleet": fleet,
        "troubled": _some(seen.filter(phase__in=TROUBLED)),
        "moving": _some(seen.filter(phase__in=UNDER_WAY)),
        "counts": _counts(seen) if actor.holds(Right.VM_VIEW) else [],
        "mine": list(seen.filter(owner_id=actor.user_id)[:EACH]) if actor.holds(Right.VM_VIEW) else [],
        "vdcs": [{"vdc": vdc, "meters": meters(usage_of(vdc))[:3]} for vdc in _tightest(actor, 6 if fleet else 3)],
        "may_create": actor.holds(Right.VM_CREATE),
        "has_role": bool(actor.grants),
    }
    if actor.holds(Right.CLUSTER_VIEW):
        page["clusters"] = list(
            access.visible(actor, Cluster.objects.defer("credential", "ca"), Right.CLUSTER_VIEW)[:EACH]
        )
    answer = render(request, f"portal/overview.html{'#live' if request.headers.get('HX-Request') else ''}", page)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _counts(seen: QuerySet[VirtualMachine]) -> list[dict[str, str]]:
    """How many machines stand how, each with the list that it counts. In one statement."""
    numbers = counted({
        "attention": seen.filter(phase__in=TROUBLED),
        "moving": seen.filter(phase__in=UNDER_WAY),
        str(Phase.RUNNING): seen.filter(phase=Phase.RUNNING),
        str(Phase.STOPPED): seen.filter(phase=Phase.STOPPED),
    })  # fmt: skip
    words = {"attention": "Need you", "moving": "Under way"}
    return [{"word": words.get(key, key), "phase": key, "number": number} for key, number in numbers.items()]


def _some(rows: QuerySet[VirtualMachine]) -> dict[str, Any]:
    """The latest few, and whether there are more."""
    found = list(rows[: EACH + 1])
    return {"vms": found[:EACH], "more": len(found) > EACH, "count": f"{EACH}+" if len(found) > EACH else len(found)}


def _tightest(actor: Actor, most: int) -> list[Vdc]:
    """The VDCs with the least left, by memory or vCPU: what is short is what stops people."""
    rows = access.visible(actor, Vdc.objects.select_related("organization", "quota"), Right.VDC_VIEW)
    pressure = Greatest(_share("memory_mib"), _share("cpu"))
    return list(rows.filter(Q(quota__isnull=False)).annotate(pressure=pressure).order_by("-pressure", "pk")[:most])


def _share(resource: str) -> Coalesce:
    used = Cast(Coalesce(KeyTextTransform(resource, "quota__allocated"), Value("0")), FloatField())
    limit = NullIf(Cast(KeyTextTransform(resource, "quota__limits"), FloatField()), Value(0.0))
    return Coalesce(used / limit, Value(0.0))
