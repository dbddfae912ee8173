"""Drift: what of a thing is otherwise in the cluster, and a list of everything that is. They look, and write nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_safe

from clusters import drift
from clusters.drift import Drift
from clusters.models import Placement
from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Unavailable
from core.rights import Right
from tenancy.models import Organization
from vdcs.models import Vdc
from vms import drifts, orders
from vms.models import Disk, VirtualMachine

MOST = 100  # of each kind in the list; a list that long has one cause, not a hundred


@dataclass(frozen=True)
class Line:
    """A row of the list, with what its conditions say."""

    name: str
    where: str
    href: str
    says: list[str]


@needs(Right.VM_VIEW)
@require_safe
def everything(request: HttpRequest) -> HttpResponse:
    """Everything that the actor may see and that stands otherwise in its cluster: told from conditions, no look at objects."""
    actor = _actor(request)
    vms = VirtualMachine.objects.select_related("vdc", "organization").defer("user_data", "ssh_keys")
    groups = [
        ("Virtual machines", _lines(actor, vms, Right.VM_VIEW, _of_vm)),
        ("VDCs", _lines(actor, Vdc.objects.select_related("organization"), Right.VDC_VIEW, _of_vdc)),
        ("Organizations", _placements(actor)),
    ]
    shown = [(title, lines[:MOST], len(lines) > MOST) for title, lines in groups if lines]
    return render(request, "portal/drifting.html", {"section": "drift", "groups": shown, "most": MOST})


def _lines(actor: Actor, rows: QuerySet[Any], right: Right, line: Callable[[Any], Line]) -> list[Line]:
    found = access.visible(actor, rows, right).filter(drift.told_apart()).order_by("-pk")
    return [line(row) for row in found[: MOST + 1]]


def _says(row: Any) -> list[str]:
    return [item["message"] for item in row.conditions if item["type"] in drift.TOLD_APART and item["status"] == "True"]


def _of_vm(row: VirtualMachine) -> Line:
    where = f"{row.organization.name} / {row.vdc.name}"
    return Line(row.name, where, resolve_url("vm-drift", row.pk), _says(row))


def _of_vdc(row: Vdc) -> Line:
    return Line(row.name, row.organization.name, resolve_url("vdc-drift", row.pk), _says(row))


def _placements(actor: Actor) -> list[Line]:
    rows = Placement.objects.filter(owner_kind="organization").select_related("cluster").defer("cluster__credential")
    found = list(access.visible(actor, rows, Right.ORGANIZATION_VIEW).filter(drift.told_apart())[: MOST + 1])
    names = dict(Organization.objects.filter(pk__in=[row.owner_id for row in found]).values_list("pk", "name"))
    return [
        Line(
            names.get(row.owner_id, "—"), row.cluster.name, resolve_url("organization-drift", row.owner_id), _says(row)
        )
        for row in found
    ]


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
    vdc = access.get(_actor(request), Vdc.objects.select_related("organization"), pk, Right.VDC_VIEW)
    return _page(request, vdc, lambda live: drift.of(vdc, live=live), {"kind": "vdc", "section": "vdcs"})


@needs(Right.ORGANIZATION_VIEW)
@require_safe
def of_organization(request: HttpRequest, pk: UUID) -> HttpResponse:
    row = access.get(_actor(request), Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    more = {"kind": "organization", "section": "organizations"}
    return _page(request, row, lambda live: drift.of_placements("organization", pk, live=live), more)


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
