"""Pages that make, change and remove VDCs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from clusters import kinds
from clusters.models import Cluster
from core import access
from core.actor import Actor
from core.enforce import needs
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from tenancy.models import Organization
from vdcs import services
from vdcs.forms import VdcDeleteForm, VdcEditForm, VdcForm, limits_of
from vdcs.meters import Meter, limit_meters, meters
from vdcs.models import Enforcement, NetworkMode, QuotaMode, Vdc
from vdcs.selectors import organization_usage, usage

MOST_OPTIONS, MOST_NAMED = 200, 20


def _page(vdc: Vdc | None, title: str, submit: str, **more: Any) -> Page:
    crumbs, back = [("VDCs", reverse("vdc-list"))], reverse("vdc-list")
    if vdc is not None:
        back = reverse("vdc-detail", args=[vdc.pk])
        crumbs.append((vdc.name, back))
    return Page(title, "vdcs", crumbs, submit, back, **more)


def _vdc(request: HttpRequest, pk: UUID, right: Right) -> Vdc:
    actor = actor_of(request)
    vdc = access.get(actor, Vdc.objects.select_related("organization", "quota"), pk, Right.VDC_VIEW)
    access.require(actor, right, vdc)
    return vdc


def _clusters(actor: Actor) -> list[tuple[str, str]]:
    """Whoever sees clusters names one of those that take new VDCs."""
    found = (
        access.visible(actor, Cluster.objects.filter(schedulable=True).order_by("name"), Right.CLUSTER_VIEW)
        if actor.holds(Right.CLUSTER_VIEW)
        else Cluster.objects.none()
    )
    return [(str(pk), name) for pk, name in found.values_list("pk", "name")]


def _reserved(organization_id: Any, added: Mapping[str, int]) -> dict[str, Any]:
    """How the organization's quota would stand: its meters, with what this VDC's limits add."""
    found = organization_usage(organization_id)
    if found["mode"] == QuotaMode.RESERVATION:
        rows: list[Meter] = meters({"limits": found["limits"], "used": found["reserved"]}, added)
        return {
            "meters": [row for row in rows if row.limit is not None],
            "meters_title": "Reserved of the organization",
        }
    rows = [row for row in meters(found) if row.limit is not None]
    return {"meters": rows, "meters_title": "Used in the organization"}


@needs(Right.VDC_CREATE)
@require_http_methods(FORM)
def vdc_create(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    homes = access.visible(actor, Organization.objects.filter(deletion_requested_at=None), Right.VDC_CREATE)
    options = [(str(pk), name) for pk, name in homes.order_by("name").values_list("pk", "name")[:MOST_OPTIONS]]
    first = request.GET.get("org", options[0][0] if options else "")
    now = {"organization": first, "enforcement": Enforcement.ALLOCATED, "network_mode": NetworkMode.DEFAULT}
    form = VdcForm(posted(request), organizations=options, clusters=_clusters(actor), initial=now)

    def act() -> Done:
        cluster = form.cleaned_data.get("cluster")
        vdc = services.create_vdc(
            actor=actor,
            organization=homes.get(pk=form.cleaned_data["organization"]),
            limits=form.limits(),
            cluster=Cluster.objects.get(pk=cluster) if cluster else None,
            **form.given("name", *VdcForm.SETTINGS),
        )
        return Done(reverse("vdc-detail", args=[vdc.pk]), f"{vdc} is being made.")

    def plan() -> Mapping[str, Any]:
        chosen = str(form["organization"].value() or "")
        return _reserved(chosen, form.limits()) if any(pk == chosen for pk, _ in options) else {}

    return fill(request, _page(None, "Create VDC", "Create VDC"), form, act, plan=plan)


@needs(Right.VDC_EDIT)
@require_http_methods(FORM)
def vdc_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    vdc = _vdc(request, pk, Right.VDC_EDIT)
    now = usage(vdc)
    texts = {name: getattr(vdc, name) for name in ("display_name", "description", "enforcement", "network_mode")}
    sizes = {name: getattr(vdc, name) and f"{getattr(vdc, name)}Gi" for name in ("min_disk_gib", "max_disk_gib")}
    form = VdcEditForm(
        posted(request), initial=texts | sizes | limits_of(now["limits"]) | {"generation": vdc.generation}
    )

    def act() -> Done:
        services.edit_vdc(
            actor=actor_of(request),
            vdc=vdc,
            changes=form.given(*VdcEditForm.SETTINGS) | {"limits": form.limits()},
            allow_below_use=form.cleaned_data["allow_below_use"],
            generations=form.generations(),
        )
        return Done(reverse("vdc-detail", args=[pk]), f"{vdc} is changed.")

    def plan() -> Mapping[str, Any]:
        after = form.limits(now["limits"]) if form.is_bound else now["limits"]
        names = {*after, *now["limits"]}
        added = {name: after.get(name, 0) - now["limits"].get(name, 0) for name in names}
        return {"limits": limit_meters(now["used"], now["limits"], after)} | _reserved(vdc.organization_id, added)

    return fill(request, _page(vdc, f"Edit {vdc}", "Save"), form, act, row=vdc, plan=plan)


@needs(Right.VDC_DELETE)
@require_http_methods(FORM)
def vdc_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    vdc = _vdc(request, pk, Right.VDC_DELETE)
    form = VdcDeleteForm(posted(request), name=vdc.name, initial={"generation": vdc.generation})

    def act() -> Done:
        services.delete_vdc(
            actor=actor_of(request),
            vdc=vdc,
            generations=form.generations(),
            **form.given("cascade", "strangers"),
        )
        return Done(reverse("vdc-detail", args=[pk]), f"{vdc} is being deleted.")

    held = sorted(str(row) for row in kinds.contents(vdc))
    intro = "Its namespace goes, and with it everything in it. It can’t be undone."
    page = _page(vdc, f"Delete {vdc}?", "Delete", intro=intro, danger=True, live=False)
    page.more = {
        "held_title": f"In it now: {len(held)}",
        "held": [(name, "") for name in held[:MOST_NAMED]],
        "held_more": max(len(held) - MOST_NAMED, 0),
        "warnings": [item for item in vdc.conditions if item["type"] == "HoldsStrangers"],
    }
    return fill(request, page, form, act, row=vdc)
