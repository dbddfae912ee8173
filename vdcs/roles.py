"""Pages of who may do what where: of a person, of an organization, of a VDC."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import date
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Forbidden, Invalid
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy import bound
from tenancy.access import covers
from tenancy.models import Group, Organization, Role, RoleBinding, RoleName, User
from tenancy.roles import IN_A_VDC, role_label
from tenancy.services import bindings
from vdcs.forms import RoleEndForm, RoleForm
from vdcs.models import Vdc

MOST_SHOWN, MOST_OPTIONS = 200, 200
SYSTEM = "system"
GIVES = frozenset({Right.BINDING_EDIT})


def _places(actor: Actor, organizations: QuerySet[Organization], vdcs: QuerySet[Vdc]) -> list[tuple[str, str]]:
    """Where the actor gives roles. Which ones, the service says."""
    found = [(SYSTEM, "the whole system")] if bindings.may_give(actor, RoleName.SYSTEM_ADMIN, None, None) else []
    homes = access.visible(actor, organizations.order_by("name"), Right.BINDING_EDIT)[:MOST_OPTIONS]
    found += [
        (f"organization:{home.pk}", f"{home.name}, the whole organization")
        for home in homes
        if covers(actor, GIVES, home.pk, None)
    ]
    rows = vdcs.filter(deletion_requested_at=None).select_related("organization").order_by("organization__name", "name")
    found += [
        (f"vdc:{vdc.pk}", f"{vdc.organization.name} / {vdc.name}")
        for vdc in access.visible(actor, rows, Right.VDC_VIEW)[:MOST_OPTIONS]
        if covers(actor, GIVES, vdc.organization_id, vdc.pk)
    ]
    return found


def _roles(places: Sequence[tuple[str, str]], own: Sequence[Role]) -> list[tuple[str, str]]:
    """Roles that fit one of the places. Whether this one fits that one, the service says."""
    found = [RoleName.USER, RoleName.VDC_ADMIN]
    if any(kind.startswith("organization:") for kind, _ in places):
        found.append(RoleName.ORG_ADMIN)
    if any(kind == SYSTEM for kind, _ in places):
        found.append(RoleName.SYSTEM_ADMIN)
    many = len({role.organization_id for role in own}) > 1
    homes = {role.pk: f" of {role.organization.name}" if many else "" for role in own}
    named = [(str(role.pk), f"{role.display_name or role.name}{homes[role.pk]}") for role in own]
    return [*((str(role), str(role.label)) for role in found), *named]


def _place(chosen: str) -> dict[str, Any]:
    kind, _, pk = chosen.partition(":")
    if kind == "organization":
        return {"organization": Organization.objects.get(pk=pk)}
    if kind == "vdc":
        vdc = Vdc.objects.select_related("organization").get(pk=pk)
        return {"organization": vdc.organization, "vdc_id": vdc.pk}
    return {"vm_id": UUID(pk)} if kind == "vm" else {}


def _named(actor: Actor, username: str) -> User:
    found = access.visible(actor, User.objects.all(), Right.USER_VIEW).filter(username=username.strip().lower()).first()
    if found is None:
        raise Invalid.field("user", "not_found", "There is nobody of this user name whom you may see.")
    return found


def _holder(actor: Actor, given: Mapping[str, Any], person: User | None, groups: Sequence[Group]) -> dict[str, Any]:
    """Who gets it: the page's person, the one named, or a group."""
    group = next((row for row in groups if str(row.pk) == given.get("group")), None)
    if group is not None:
        if given.get("username"):
            raise Invalid.field("group", "one", "Name a person or a group, not both.")
        return {"group": group}
    if person is None and not given.get("username"):
        raise Invalid.field("user", "required", "Name a person, or choose a group.")
    return {"user": person or _named(actor, given["username"])}


def give(
    request: HttpRequest,
    page: Page,
    places: Sequence[tuple[str, str]],
    shown: Q,
    *,
    person: User | None = None,
    home: Organization | None = None,
    within: frozenset[Right] | None = None,
) -> HttpResponse:
    """The list, and under it the form for whoever may give a role here. `home`: whose own roles and groups are offered.

    `within`: of the rights of a role those that mean something here.
    """
    actor = actor_of(request)
    here = Q() if home is None else Q(organization=home)
    own = list(access.visible(actor, Role.objects.filter(here), Right.BINDING_VIEW)[:MOST_OPTIONS]) if places else []
    groups: list[Group] = []
    if places and person is None:
        rows = Group.objects.filter(here).order_by("name")
        groups = list(access.visible(actor, rows, Right.BINDING_VIEW)[:MOST_OPTIONS])
    options: dict[str, Any] = {"roles": _roles(places, own), "places": places, "whose": person and person.username}
    options["groups"] = [(str(group.pk), group.display_name or group.name) for group in groups]
    form = RoleForm(posted(request), initial={"place": places[-1][0] if places else ""}, **options)
    if request.method == "POST" and not places:
        raise Forbidden(Right.BINDING_EDIT, "roles here")

    def act() -> Done:
        given = form.cleaned_data
        role = next((row for row in own if str(row.pk) == given["role"]), None) or RoleName(given["role"])
        holder = _holder(actor, given, person, groups)
        made = bindings.bind_role(actor=actor, role=role, expires_at=given["until"], **holder, **_place(given["place"]))
        who = holder.get("user") or f"The group {made.group}"
        return Done(request.path, f"{who} is {role_label(made).lower()} now.")

    about = {"above": "vdcs/roles.html", "about": "vdcs/about_roles.html"}
    page.more = {**about, "closed": not places, "person": person, "own_roles": own, "home": home}
    if places and person is None and actor.holds(Right.USER_VIEW):
        people = access.visible(actor, User.objects.order_by("username"), Right.USER_VIEW)
        page.more["names"] = list(people.values_list("username", flat=True)[:MOST_OPTIONS])
    return fill(request, page, form, act, plan=lambda: {"bindings": _told(actor, shown, within)})


def _told(actor: Actor, shown: Q, within: frozenset[Right] | None) -> Sequence[bound.Told]:
    rows = RoleBinding.objects.filter(shown).order_by("user__username", "group__name", "pk")
    return bound.told(actor, rows, MOST_SHOWN, within)


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
    shown = Q(user=person) | Q(group__memberships__user=person)
    return give(request, page, places, shown, person=person)


@needs(Right.BINDING_VIEW)
@require_http_methods(FORM)
def organization_people(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    organization = access.get(actor, Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    places = _places(actor, Organization.objects.filter(pk=pk), Vdc.objects.filter(organization=organization))
    back = reverse("organization-detail", args=[pk])
    crumbs = [("Organizations", reverse("organization-list")), (organization.name, back)]
    page = Page(f"People and access in {organization}", "organizations", crumbs, "Give the role", back)
    places = [item for item in places if item[0] != SYSTEM]
    return give(request, page, places, Q(organization=organization), home=organization)


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
    places = [item for item in places if item[0] != SYSTEM]
    return give(request, page, places, shown, home=vdc.organization, within=IN_A_VDC)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """When it ends: another moment, or never."""
    actor = actor_of(request)
    binding, entry, back = _binding(actor, pk)
    form = RoleEndForm(posted(request), initial={"until": binding.expires_at})

    def act() -> Done:
        changed = bindings.set_end(actor=actor, binding=binding, expires_at=form.cleaned_data["until"])
        ends = f"ends on {date(changed.expires_at, 'Y-m-d H:i')} UTC" if changed.expires_at else "has no end"
        return Done(back, f"The role {entry.label} of {entry.holder} {ends}.")

    crumbs = [("People", reverse("user-list")), (entry.holder, back)]
    intro = f"{entry.holder} is {entry.label} in {entry.where}."
    page = Page(f"When the role {entry.label} ends", "users", crumbs, "Save", back, intro=intro)
    return fill(request, page, form, act)


def _binding(actor: Actor, pk: UUID) -> tuple[RoleBinding, bound.Told, str]:
    """It, in words, and where it is shown: with its group, or its person."""
    binding = access.get(actor, RoleBinding.objects.all(), pk, Right.BINDING_VIEW)
    (entry,) = bound.told(actor, RoleBinding.objects.filter(pk=pk), 1)
    group = binding.group_id
    back = reverse("group-detail-page", args=[group]) if group else reverse("person-roles", args=[binding.user_id])
    return binding, entry, back


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = actor_of(request)
    binding, entry, back = _binding(actor, pk)
    form = SureForm(posted(request))

    def act() -> Done:
        bindings.unbind_role(actor=actor, binding=binding)
        return Done(back, f"{entry.holder} is no longer {entry.label.lower()} there.")

    crumbs = [("People", reverse("user-list")), (entry.holder, back)]
    intro = f"{entry.holder} loses the role in {entry.where} with the next request. It can be given again."
    title = f"Take away the role {entry.label}?"
    page = Page(title, "users", crumbs, "Take away", back, intro=intro, danger=True, live=False)
    return fill(request, page, form, act)
