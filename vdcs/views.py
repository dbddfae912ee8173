"""Pages of VDCs: how much is left."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from clusters.models import Placement
from clusters.reach import unseen_since
from core import access
from core.actor import Actor, Level
from core.enforce import needs
from core.listing.answer import answer
from core.rights import Right
from tenancy.models import Organization
from tenancy.pages import story_of
from tenancy.suspension import suspension_of
from vdcs.kubectl import own_access
from vdcs.listings import VDCS
from vdcs.meters import meters
from vdcs.models import QuotaMode, Vdc
from vdcs.selectors import organization_usage, usage, usage_of

MOST_VDCS = 12


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor


@needs(Right.VDC_VIEW)
@require_GET
def vdc_list(request: HttpRequest) -> HttpResponse:
    return answer(request, VDCS)


@needs(Right.VDC_VIEW)
@require_GET
def vdc_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    rows = Vdc.objects.select_related("organization", "cluster").annotate(unseen_since=unseen_since("cluster"))
    vdc = access.get(actor, rows, pk, Right.VDC_VIEW)
    page = {
        "section": "vdcs",
        "vdc": vdc,
        "inside": vdc.organization.name,
        "meters": meters(usage(vdc)),
        "story": story_of(request, vdc, {}),
        "suspended": suspension_of(actor, vdc),
        "kubectl": own_access(actor, vdc),
        "may_create": vdc.deletion_requested_at is None and access.allows(actor, Right.VM_CREATE, vdc),
        "may_edit": vdc.deletion_requested_at is None and access.allows(actor, Right.VDC_EDIT, vdc),
        "may_delete": access.allows(actor, Right.VDC_DELETE, vdc),
        "may_see_roles": actor.holds(Right.BINDING_VIEW),
        "may_see_foreign": access.allows(actor, Right.VM_ORDER, vdc),
        "shows_cluster": actor.holds(Right.CLUSTER_VIEW),
    }
    found = render(request, f"vdcs/detail.html{'#live' if request.headers.get('HX-Request') else ''}", page)
    patch_vary_headers(found, ["HX-Request"])
    return found


def _may(actor: Actor, organization: Organization, whole: bool) -> dict[str, bool]:
    """Which verbs the page of an organization offers."""
    provider = any(grant.level is Level.SYSTEM for grant in actor.grants)
    stays = organization.deletion_requested_at is None and organization.deletion_due_at is None
    return {
        "may_undo": provider
        and organization.deletion_due_at is not None
        and organization.deletion_requested_at is None,
        "may_edit": whole and stays,
        "may_set_quota": provider and stays,
        "may_switch": provider and stays,
        "may_delete": provider and stays,
        "may_see_roles": actor.holds(Right.BINDING_VIEW),
        "may_create_vdc": stays and organization.enabled and access.allows(actor, Right.VDC_CREATE, organization),
    }


@needs(Right.ORGANIZATION_VIEW)
@require_GET
def organization_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How this tenant stands. Here rather than in tenancy, since its quota and its VDCs are the answer."""
    actor = _actor(request)
    organization = access.get(actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    rows = Vdc.objects.filter(organization=organization).select_related("quota").order_by("name")
    found = list(access.visible(actor, rows, Right.VDC_VIEW)[: MOST_VDCS + 1])
    whole = access.allows(actor, Right.ORGANIZATION_EDIT, organization)
    page: dict[str, Any] = {
        "section": "organizations",
        "organization": organization,
        "inside": organization.name,
        "placements": list(Placement.objects.filter(owner_kind="organization", owner_id=pk)),
        "quota": organization_usage(pk) if whole else None,
        "vdcs": [{"vdc": vdc, "meters": meters(usage_of(vdc))[:3]} for vdc in found[:MOST_VDCS]],
        "more": len(found) > MOST_VDCS,
        "story": story_of(request, organization, {}),
        "may_people": actor.holds(Right.USER_VIEW),
        **_may(actor, organization, whole),
    }
    if page["quota"]:  # what its limits bind: the VDCs' limits where they reserve, else their use
        binds = "reserved" if page["quota"]["mode"] == QuotaMode.RESERVATION else "used"
        page["meters"] = meters({"limits": page["quota"]["limits"], "used": page["quota"][binds]})
    return render(request, "tenancy/organization.html", page)
