"""Where one works: an organization, then a VDC. In the address (`?org=&vdc=`), never in hidden state of the server."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from core import access
from core.actor import Actor
from core.enforce import needs
from core.ids import uuids_in
from core.rights import Right
from core.ui.ways import target
from tenancy import brands
from tenancy.models import Organization
from vdcs.models import Vdc

NAMES = ("org", "vdc")
MOST = 50


def chosen(request: HttpRequest) -> dict[str, str]:
    """What the address says, as far as it can be meant."""
    given = {name: request.GET.get(name, "") for name in NAMES}
    return {name: value for name, value in given.items() if uuids_in(value, 1)}


def without(request: HttpRequest) -> str:
    """The same page, everywhere."""
    return _with(request.get_full_path(), {}) if request.method == "GET" else "/"


def named(actor: Actor, where: dict[str, str]) -> dict[str, Any]:
    """The place in words, and how its organization looks, in one statement. A place one may not see is no place."""
    if "vdc" in where:
        rows = Vdc.objects.filter(pk=where["vdc"])
        looks = {f"organization__{field}": field for field in brands.FIELDS}
        vdc = access.visible(actor, rows, Right.VDC_VIEW).values("name", *looks).first()
        if vdc is not None:
            home = {field: vdc[path] for path, field in looks.items()}
            return {"level": "VDC", "name": f"{home['name']} / {vdc['name']}", "brand": brands.brand_of(home)}
    pk = where.get("org") or (next(iter(actor.organizations)) if len(actor.organizations) == 1 else None)
    if pk is not None:
        seen = access.visible(actor, Organization.objects.filter(pk=pk), Right.ORGANIZATION_VIEW)
        for found in seen.values(*brands.FIELDS)[:1]:
            return {"level": "Organization", "name": found["name"], "brand": brands.brand_of(found)}
    return {
        "level": "Working in",
        "name": "All organizations" if actor.organizations or actor.grants else "nowhere yet",
    }


@needs(Right.SELF)
@require_safe
def switch(request: HttpRequest) -> HttpResponse:
    """The places there are to choose from, searched by `?q=`; each leads back to where one was, with itself in the address."""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    text = request.GET.get("q", "").replace("\0", "").strip()[:63]
    organizations = access.visible(actor, Organization.objects.order_by("name"), Right.ORGANIZATION_VIEW)
    vdcs = access.visible(actor, Vdc.objects.select_related("organization"), Right.VDC_VIEW)
    if text:
        organizations = organizations.filter(name__icontains=text)
        vdcs = vdcs.filter(name__icontains=text) | vdcs.filter(organization__name__icontains=text)
    back = target(request)
    page = {
        "section": "",
        "q": text,
        "back": back,
        "everywhere": _with(back, {}),
        "organizations": [_entry(back, {"org": str(row.pk)}, row.name) for row in organizations[:MOST]],
        "vdcs": [
            _entry(back, {"org": str(row.organization_id), "vdc": str(row.pk)}, f"{row.organization.name} / {row.name}")
            for row in vdcs.order_by("organization__name", "name")[:MOST]
        ],
        "most": MOST,
    }
    return render(request, "portal/place.html", page)


def _entry(back: str, where: dict[str, str], name: str) -> dict[str, Any]:
    return {"href": _with(back, where), "name": name}


def _with(address: str, where: dict[str, str]) -> str:
    """The address with this place in it. On a page of one thing, the place's own list of VMs is meant."""
    path, _, text = address.partition("?")
    if any(uuids_in(part, 1) for part in path.split("/")):
        path, text = reverse("vm-list"), ""
    query = QueryDict(text, mutable=True)
    for name in (*NAMES, "after", "before"):
        query.pop(name, None)
    for name, value in where.items():
        query[name] = value
    return f"{path}?{query.urlencode()}" if query else path
