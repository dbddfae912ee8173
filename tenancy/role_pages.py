"""Pages of an organization's own roles, with their rights in words."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from core import access
from core.actor import Actor
from core.enforce import needs
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy.access import covers
from tenancy.forms import RoleEditForm, RoleForm
from tenancy.models import Invitation, Organization, Role, RoleName
from tenancy.oidc.rows import GroupRule
from tenancy.right_words import in_words
from tenancy.roles import GIVEN_TO_ROLES, GRANTS, OWN_ONLY
from tenancy.services import roles

SHOWN = 200


def organization_of(request: HttpRequest, pk: UUID) -> Organization:
    return access.get(actor_of(request), Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)


def _role(request: HttpRequest, pk: UUID) -> Role:
    return access.get(actor_of(request), Role.objects.select_related("organization"), pk, Right.BINDING_VIEW)


def _offered(actor: Actor, organization: Organization) -> frozenset[Right]:
    """What the actor could put into a role: what he has himself in the whole organization."""
    return frozenset(right for right in GIVEN_TO_ROLES if covers(actor, frozenset({right}), organization.pk, None))


def _page(organization: Organization, title: str, submit: str, **more: object) -> Page:
    back = reverse("role-list-page", args=[organization.pk])
    crumbs = [(organization.name, reverse("organization-detail", args=[organization.pk])), ("Roles", back)]
    return Page(title, "organizations", crumbs, submit, back, live=False, **more)  # type: ignore[arg-type]


@needs(Right.BINDING_VIEW)
@require_safe
def role_list(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = organization_of(request, pk)
    actor = actor_of(request)
    own = access.visible(actor, Role.objects.filter(organization=organization), Right.BINDING_VIEW)
    page = {
        "section": "organizations",
        "organization": organization,
        "roles": [(row, in_words([Right(r) for r in row.rights if r in GIVEN_TO_ROLES])) for row in own[:SHOWN]],
        "built_in": [
            (role.label, role in OWN_ONLY, "everything" if role is RoleName.SYSTEM_ADMIN else in_words(GRANTS[role]))
            for role in RoleName
        ],
        "may_edit": covers(actor, frozenset({Right.BINDING_EDIT}), pk, None),
    }
    return render(request, "tenancy/roles.html", page)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_create(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = organization_of(request, pk)
    actor = actor_of(request)
    form = RoleForm(posted(request), offered=_offered(actor, organization))
    page = _page(organization, "Create role", "Create")

    def act() -> Done:
        given = form.given("name", "display_name", "own_only")
        role = roles.create_role(actor=actor, organization=organization, rights=form.rights(), **given)
        return Done(page.back, f"The role {role} is made: it can be given now.")

    return fill(request, page, form, act)


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    role = _role(request, pk)
    actor = actor_of(request)
    now = {"display_name": role.display_name, "own_only": role.own_only, "generation": role.generation}
    offered = _offered(actor, role.organization)
    form = RoleEditForm(posted(request), offered=offered, held=role.rights, initial=now)
    intro = "Whoever has the role has the changed one with the next request."
    page = _page(role.organization, f"Edit the role {role}", "Save", intro=intro)

    def act() -> Done:
        changes = form.given("display_name", "own_only") | {"rights": form.rights()}
        roles.edit_role(actor=actor, role=role, changes=changes, generations=form.generations())
        return Done(page.back, f"The role {role} is changed.")

    return fill(request, page, form, act, row=role)


def _named(role: Role) -> str:
    """What names it and would give nothing any more, in words."""
    waiting = Invitation.objects.filter(custom=role, accepted_at=None, withdrawn_at=None).count()
    rules = GroupRule.objects.filter(custom=role).count()
    named = [
        f"{count} {one if count == 1 else many}"
        for count, one, many in (
            (waiting, "open invitation", "open invitations"),
            (rules, "rule of an identity provider", "rules of identity providers"),
        )
        if count
    ]
    return f" It is named by {' and '.join(named)}: from then on that gives nothing." if named else ""


@needs(Right.BINDING_EDIT)
@require_http_methods(FORM)
def role_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    role = _role(request, pk)
    form = SureForm(posted(request), initial={"generation": role.generation})
    intro = f"It can’t be undone. While it is given to anybody it is refused.{_named(role)}"
    page = _page(role.organization, f"Delete the role {role}?", "Delete", intro=intro, danger=True)

    def act() -> Done:
        roles.delete_role(actor=actor_of(request), role=role, generations=form.generations())
        return Done(page.back, f"The role {role} is deleted.")

    return fill(request, page, form, act, row=role)
