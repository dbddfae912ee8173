"""Pages of who may do what where: of a person, of an organization, of a VDC."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Forbidden, Invalid
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.services import bindings
from vdcs.forms import RoleForm
from vdcs.models import Vdc

MOST_SHOWN, MOST_OPTIONS = 200, 200
SYSTEM = "system"


def bindings_of(actor: Actor, where: Q) -> list[RoleBinding]:
    """Those that the actor may see, each with the name of its VDC as `vdc_name`."""
    rows = (
        RoleBinding.objects.filter(where)
        .select_related("user", "group", "custom", "organization")
        .order_by("user__username", "pk")
    )
    found = list(access.visible(actor, rows, Right.BINDING_VIEW)[:MOST_SHOWN])
    names = dict(Vdc.objects.filter(pk__in={row.vdc_id for row in found}).values_list("pk", "name"))
    for row in found:
        row.vdc_name = names.get(row.vdc_id, "")  # type: ignore[arg-type, attr-defined]  # for the template
    return found


def _places(actor: Actor, organizations: QuerySet[Organization], vdcs: QuerySet[Vdc]) -> list[tuple[str, str]]:
    """Where the actor may give some role: the least of them decides."""
    found = [(SYSTEM, "the whole system")] if bindings.may_give(actor, RoleName.SYSTEM_ADMIN, None, None) else []
    homes = access.visible(actor, organizations.order_by("name"), Right.BINDING_EDIT)[:MOST_OPTIONS]
    found += [
        (f"organization:{home.pk}", f"{home.name}, the whole organization")
        for home in homes
        if bindings.may_give(actor, RoleName.USER, home.pk, None)
    ]
    rows = vdcs.filter(deletion_requested_at=None).select_related("organization").order_by("organization__name", "name")
    found += [
        (f"vdc:{vdc.pk}", f"{vdc.organization.name} / {vdc.name}")
        for vdc in access.visible(actor, rows, Right.VDC_VIEW)[:MOST_OPTIONS]
        if bindings.may_give(actor, RoleName.USER, vdc.organization_id, vdc.pk)
    ]
    return found


def _roles(places: Sequence[tuple[str, str]]) -> list[RoleName]:
    """Roles that fit one of the places. Whether this one fits that one, the service says."""
    found = [RoleName.USER, RoleName.VDC_ADMIN]
    if any(kind.startswith("organization:") for kind, _ in places):
        found.append(RoleName.ORG_ADMIN)
    if any(kind == SYSTEM for kind, _ in places):
        found.append(RoleName.SYSTEM_ADMIN)
    return found


def _place(chosen: str) -> dict[str, Any]:
    kind, _, pk = chosen.partition(":")
    if kind == "organization":
        return {"organization": Organization.objects.get(pk=pk)}
    if kind == "vdc":
        vdc = Vdc.objects.select_related("organization").get(pk=pk)
        return {"organization": vdc.organization, "vdc_id": vdc.pk}
    return {}


def _named(actor: Actor, username: str) -> User:
    found = access.visible(actor, User.objects.all(), Right.USER_VIEW).filter(username=username.strip().lower()).first()
    if found is None:
        raise Invalid.field("user", "not_found", "There is nobody of this user name whom you may see.")
    return found


def _give(
    request: HttpRequest, page: Page, places: Sequence[tuple[str, str]], shown: Q, person: User | None = None
) -> HttpResponse:
    """The list, and under it the form for whoever may give a role here."""
    actor = actor_of(request)
    options: dict[str, Any] = {"roles": _roles(places), "places": places, "whose": person and person.username}
    form = RoleForm(posted(request), initial={"place": places[-1][0] if places else ""}, **options)
    if request.method == "POST" and not places:
        raise Forbidden(Right.BINDING_EDIT, "roles here")

    def act() -> Done:
        given = form.cleaned_data
        user = person or _named(actor, given["username"])
        role = RoleName(given["role"])
        bindings.bind_role(actor=actor, user=user, role=role, **_place(given["place"]))
        return Done(request.path, f"{user} is {role.label.lower()} now.")

    about = {"above": "vdcs/roles.html", "about": "vdcs/about_roles.html"}
    page.more = {**about, "closed": not places, "person": person}
    if places and person is None and actor.holds(Right.USER_VIEW):
        people = access.visible(actor, User.objects.order_by("username"), Right.USER_VIEW)
        page.more["names"] = list(people.values_list("username", flat=True)[:MOST_OPTIONS])
    return fill(request, page, form, act, plan=lambda: {"bindings": _told(actor, shown)})


def _told(actor: Actor, shown: Q) -> list[RoleBinding]:
    found = bindings_of(actor, shown)
    for row in found:
        may = bindings.may_change(actor, row)
        row.may_remove = may  # type: ignore[attr-defined]  # for the template
    return found


@needs(Right.USER_VIEW)
@require_http_methods(FORM)
def person_roles(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    person = access.get(actor, User.objects.all(), pk, Right.USER_VIEW)
    places = _places(actor, Organization.objects.filter(deletion_requested_at=None), Vdc.objects.all())
    back = reverse("user-detail", args=[pk])
    page = Page(
        f"Roles of {person}", "users", [("People", reverse("user-list")), (str(person), back)], "Give the role", back
    )
    return _give(request, page, places, Q(user=person), person)


@needs(Right.BINDING_VIEW)
@require_http_methods(FORM)
def organization_people(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    organization = access.get(actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    places = _places(actor, Organization.objects.filter(pk=pk), Vdc.objects.filter(organization=organization))
    back = reverse("organization-detail", args=[pk])
    crumbs = [("Organizations", reverse("organization-list")), (organization.name, back)]
    page = Page(f"People and access in {organization}", "organizations", crumbs, "Give the role", back)
    return _give(request, page, [item for item in places if item[0] != SYSTEM], Q(organization=organization))


@needs(Right.BINDING_VIEW)
@require_http_methods(FORM)
def vdc_people(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who has a role here: in the VDC itself, or in the whole organization, which reaches into it."""
    actor = actor_of(request)
    vdc = access.get(actor, Vdc.objects.select_related("organization"), pk, Right.VDC_VIEW)
    places = _places(actor, Organization.objects.none(), Vdc.objects.filter(pk=pk))
    back = reverse("vdc-detail", args=[pk])
    page = Page(
        f"People and access in {vdc}", "vdcs", [("VDCs", reverse("vdc-list")), (vdc.name, back)], "Give the role", back
    )
    shown = Q(vdc_id=pk) | Q(organization=vdc.organization, vdc_id=None)
    return _give(request, page, [item for item in places if item[0] != SYSTEM], shown)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    access.get(actor, RoleBinding.objects.all(), pk, Right.BINDING_VIEW)
    (binding,) = bindings_of(actor, Q(pk=pk))
    form = SureForm(posted(request))
    back = reverse("person-roles", args=[binding.user_id])

    def act() -> Done:
        bindings.unbind_role(actor=actor, binding=binding)
        return Done(back, f"{binding.user} is no longer {binding.get_role_display().lower()} there.")

    where = binding.vdc_name or (binding.organization.name if binding.organization else "the whole system")  # type: ignore[attr-defined]
    role = binding.get_role_display()
    crumbs = [("People", reverse("user-list")), (str(binding.user), back)]
    intro = f"{binding.user} loses the role in {where} with the next request. It can be given again."
    page = Page(f"Take away the role {role}?", "users", crumbs, "Take away", back, intro=intro, danger=True, live=False)
    return fill(request, page, form, act)
