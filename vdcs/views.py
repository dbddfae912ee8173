"""Pages of VDCs: how much is left."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from core import access
from core.actor import Actor
from core.enforce import needs
from core.ids import uuids_in
from core.rights import Right
from vdcs.meters import meters
from vdcs.models import Vdc
from vdcs.selectors import usage, usage_of

PAGE = 50


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor


@needs(Right.VDC_VIEW)
@require_GET
def vdc_list(request: HttpRequest) -> HttpResponse:
    """The list; with `?ids=` only those tiles."""
    rows = Vdc.objects.select_related("organization", "quota").order_by("organization__name", "name")
    rows = access.visible(_actor(request), rows, Right.VDC_VIEW)
    some = "ids" in request.GET
    found = rows.filter(pk__in=uuids_in(request.GET["ids"], PAGE)) if some else rows
    listed = [{"vdc": vdc, "meters": meters(usage_of(vdc))[:3]} for vdc in found[:PAGE]]
    return render(request, f"vdcs/list.html{'#tiles' if some else ''}", {"section": "vdcs", "listed": listed})


@needs(Right.VDC_VIEW)
@require_GET
def vdc_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    vdc = access.get(actor, Vdc.objects.select_related("organization", "cluster"), pk, Right.VDC_VIEW)
    page = {
        "section": "vdcs",
        "vdc": vdc,
        "meters": meters(usage(vdc)),
        "may_create": vdc.deletion_requested_at is None and access.allows(actor, Right.VM_CREATE, vdc),
        "shows_cluster": actor.holds(Right.CLUSTER_VIEW),
    }
    answer = render(request, f"vdcs/detail.html{'#live' if request.headers.get('HX-Request') else ''}", page)
    patch_vary_headers(answer, ["HX-Request"])
    return answer
