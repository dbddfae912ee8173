"""The palette's search, which is also a page: things, pages and verbs, a bounded number of each, only what one may see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from catalogs.models import CatalogItem
from core import access
from core.actor import Actor
from core.enforce import needs
from core.ids import uuids_in
from core.rights import Right
from ovim_site.portal import ways
from tenancy.models import Organization, User
from vdcs.models import Vdc
from vms.models import VirtualMachine

EACH = 8
LONGEST = 63
# A verb typed before a name: `stop web` finds the machines to stop.
POWER = ("start", "stop", "delete")


@dataclass(frozen=True)
class Hit:
    name: str
    href: str
    icon: str
    where: str = ""


@dataclass(frozen=True)
class Kind:
    """Things of one sort: whose names are looked into, and how one is shown."""

    title: str
    right: Right
    rows: Callable[[], QuerySet[Any]]
    field: str
    hit: Callable[[Any], Hit]


def _vm(row: VirtualMachine) -> Hit:
    where = f"{row.organization.name} / {row.vdc.name}"
    return Hit(row.name, resolve_url("vm-detail", row.pk), "vm", where)


def _vdc(row: Vdc) -> Hit:
    return Hit(row.name, resolve_url("vdc-detail", row.pk), "vdc", row.organization.name)


def _organization(row: Organization) -> Hit:
    return Hit(row.name, resolve_url("organization-detail", row.pk), "organization", row.display_name)


def _item(row: CatalogItem) -> Hit:
    return Hit(row.display_name, resolve_url("catalog-item", row.pk), "catalog", row.version)


def _person(row: User) -> Hit:
    return Hit(row.username, resolve_url("user-detail", row.pk), "user", row.full_name)


VMS = Kind(
    "Virtual machines", Right.VM_VIEW,
    lambda: VirtualMachine.objects.select_related("organization", "vdc").defer("conditions", "user_data", "ssh_keys"),
    "name", _vm,
)  # fmt: skip
KINDS = (
    VMS,
    Kind("VDCs", Right.VDC_VIEW, lambda: Vdc.objects.select_related("organization"), "name", _vdc),
    Kind("Organizations", Right.ORGANIZATION_VIEW, Organization.objects.all, "name", _organization),
    Kind(
        "Catalog", Right.CATALOG_VIEW, lambda: CatalogItem.objects.filter(catalog__enabled=True), "display_name", _item
    ),
    Kind("People", Right.USER_VIEW, User.objects.all, "username", _person),
)


@needs(Right.SELF)
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    page = {"section": "", "q": text, "groups": [group for group in _groups(actor, text) if group[1]]}
    template = "portal/search.html#found" if request.headers.get("HX-Request") else "portal/search.html"
    answer = render(request, template, page)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _groups(actor: Actor, text: str) -> list[tuple[str, list[Hit]]]:
    pages = [Hit(way.label, way.href, way.icon) for way in ways.open_to(actor) if text.lower() in way.label.lower()]
    if not text:
        return [("Go to", pages), ("Do", _verbs(actor, text))]
    found = [(kind.title, _hits(actor, kind, text)) for kind in KINDS]
    return [*found, ("Go to", pages), ("Do", _verbs(actor, text))]


def _hits(actor: Actor, kind: Kind, text: str) -> list[Hit]:
    """By name, anywhere in it; an id in full finds exactly that."""
    if not actor.holds(kind.right):
        return []
    ids = uuids_in(text, 1)
    where = Q(pk=ids[0]) if ids else Q(**{f"{kind.field}__icontains": text})
    rows = access.visible(actor, kind.rows(), kind.right).filter(where)
    return [kind.hit(row) for row in rows.order_by("-pk")[:EACH]]


def _verbs(actor: Actor, text: str) -> list[Hit]:
    verb, _, name = text.partition(" ")
    found = []
    if actor.holds(Right.VM_CREATE) and text.lower() in "create virtual machine":
        found.append(Hit("Create virtual machine", resolve_url("vm-new"), "add"))
    if verb.lower() in POWER and name.strip() and actor.holds(Right.VM_POWER):
        tab = "delete/" if verb.lower() == "delete" else ""
        found += [
            Hit(f"{verb.capitalize()} {hit.name}", f"{hit.href}{tab}", verb.lower(), hit.where)
            for hit in _hits(actor, VMS, name.strip())
        ]
    if text.lower() in "settings: theme, density, keys":
        found.append(Hit("Settings: theme, density, keys", resolve_url("settings"), "settings"))
    return found
