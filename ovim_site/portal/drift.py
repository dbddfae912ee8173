"""Drift: what of a thing is otherwise in the cluster, and a list of everything that is. They look, and write nothing."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_safe

from clusters import drift
from clusters.drift import Drift
from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Unavailable
from core.rights import Right
from tenancy.models import Organization
from vdcs.models import Vdc
from vms import drifts, orders
from vms.drifting import MOST, drifting
from vms.models import Disk, VirtualMachine

TITLES = {"vm": "Virtual machines", "vdc": "VDCs", "organization": "Organizations"}


@needs(Right.VM_VIEW)
@require_safe
def everything(request: HttpRequest) -> HttpResponse:
    """Everything that the actor may see and that stands otherwise in its cluster."""
    shown = [
        (TITLES[kind], [(line, resolve_url(f"{kind}-drift", line.id)) for line in lines[:MOST]], len(lines) > MOST)
        for kind, lines in drifting(_actor(request)).items()
        if lines
    ]
    return render(request, "portal/drifting.html", {"section": "drift", "groups": shown, "most": MOST})


@needs(Right.VM_VIEW)
@require_safe
def of_vm(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    rows = VirtualMachine.objects.select_related("vdc", "organization")
    vm = access.get(actor, rows, pk, Right.VM_VIEW)
    offers = []
    if access.allows(actor, Right.VM_ORDER, vm):
        disks = list(Disk.objects.filter(vm=vm).order_by("position"))
        offers = [(offer, orders.hindrance(vm, offer)) for offer in orders.offers(vm, disks)]
    more = {"vm": vm, "offers": offers, "kind": "vm", "section": "vms"}
    return _page(request, vm, lambda live: drifts.drift_of(vm, live=live), more)


@needs(Right.VDC_VIEW)
@require_safe
def of_vdc(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    vdc = access.get(actor, Vdc.objects.select_related("organization"), pk, Right.VDC_VIEW)
    whole = access.allows(actor, Right.BINDING_VIEW, vdc)  # who is bound there

    def look(live: bool) -> Drift:
        return drift.of(vdc, live=live) + (drift.of_along(vdc, live=live) if whole else Drift())

    return _page(request, vdc, look, {"kind": "vdc", "section": "vdcs"})


@needs(Right.ORGANIZATION_VIEW)
@require_safe
def of_organization(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    row = access.get(actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    whole = access.allows(actor, Right.BINDING_EDIT, row)  # who is bound there
    more = {"kind": "organization", "section": "organizations"}
    return _page(request, row, lambda live: drift.of_placements("organization", pk, live=live, along=whole), more)


def _page(request: HttpRequest, row: Model, look: Callable[[bool], Drift], more: dict[str, Any]) -> HttpResponse:
    live = request.GET.get("live") == "1"
    unreached = ""
    try:
        found = look(live)
    except Unavailable as error:
        found, unreached = Drift(), error.message
    back = resolve_url(f"{more['kind']}-detail", row.pk)
    page = {"row": row, "drift": found, "live": live, "unreached": unreached, "back": back, **more}
    return render(request, "portal/drift.html", page, status=503 if unreached else 200)


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor
