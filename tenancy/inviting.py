"""Pages of an organization's invitations."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import Conflict, Throttled
from core.mail import outbox
from core.rights import Right
from core.ui.filling import FORM, Done, Page, actor_of, fill, posted
from core.ui.sure import SureForm
from tenancy import invited
from tenancy.forms import InvitationForm
from tenancy.models import Invitation, Organization, Role, RoleName
from tenancy.services import bindings, invitations

SHOWN, MOST_OPTIONS = 200, 200
EVERYWHERE = ""


def _organization(request: HttpRequest, pk: UUID) -> Organization:
    """One whose people the actor looks after; who merely sees it gets a refusal."""
    organization = access.get(actor_of(request), Organization.objects.all(), pk, Right.ORGANIZATION_VIEW)
    access.require(actor_of(request), Right.USER_VIEW, organization)
    return organization


def _invitation(request: HttpRequest, pk: UUID) -> Invitation:
    rows = Invitation.objects.select_related("organization")
    return access.get(actor_of(request), rows, pk, Right.USER_VIEW)


def _list_of(organization_id: UUID) -> str:
    return reverse("invitation-list-page", args=[organization_id])


@needs(Right.USER_VIEW)
@require_safe
def invitation_list(request: HttpRequest, pk: UUID) -> HttpResponse:
    organization = _organization(request, pk)
    rows = Invitation.objects.filter(organization=organization).select_related("accepted_by").order_by("-pk")
    rows = rows.annotate(trouble=invited.trouble())
    found = list(access.visible(actor_of(request), rows, Right.USER_VIEW)[:SHOWN])
    names = dict(_vdcs(organization))
    for row in found:
        row.vdc_name = names.get(str(row.vdc_id), "a VDC that is gone")  # type: ignore[attr-defined]  # for the template
    page = {
        "section": "users",
        "organization": organization,
        "invitations": found,
        "sends_mail": outbox.possible(),
        "may_invite": access.allows(actor_of(request), Right.USER_EDIT, organization),
    }
    return render(request, "tenancy/invitations.html", page)


def _vdcs(organization: Organization) -> list[tuple[str, str]]:
    vdcs = organization.vdcs  # the reverse of vdcs' foreign key, which stands above us
    alive = vdcs.filter(deletion_requested_at=None).order_by("name")
    return [(str(pk), name) for pk, name in alive.values_list("pk", "name")[:MOST_OPTIONS]]


def _roles(actor: Actor, organization: Organization) -> dict[str, tuple[RoleName | Role, str]]:
    """By what the form sends: the role, and what it is called. Of the built-in ones and the organization's own."""
    given: list[RoleName | Role] = [RoleName.USER, RoleName.VDC_ADMIN, RoleName.ORG_ADMIN]
    own = Role.objects.filter(organization=organization).order_by("name")
    given += access.visible(actor, own, Right.BINDING_VIEW)[:MOST_OPTIONS]
    return {
        str(role.pk) if isinstance(role, Role) else str(role): (
            role,
            (role.display_name or role.name) if isinstance(role, Role) else str(role.label),
        )
        for role in given
        if bindings.may_give(actor, role, organization.pk, None)
    }


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def invitation_create(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor, organization = actor_of(request), _organization(request, pk)
    places = [(EVERYWHERE, "the whole organization"), *_vdcs(organization)]
    roles = _roles(actor, organization)
    options = [(key, label) for key, (_role, label) in roles.items()]
    form = InvitationForm(posted(request), roles=options, places=places)
    back = _list_of(pk)

    def act() -> Done:
        given = form.cleaned_data
        made, link = invitations.invite(
            actor=actor,
            organization=organization,
            email=given["email"],
            role=roles[given["role"]][0],
            vdc_id=UUID(given["vdc"]) if given["vdc"] else None,
            days=given["days"],
        )
        return Done(back, f"{made.email} is invited.", _told_once(request, made, link))

    crumbs = [(organization.name, reverse("organization-detail", args=[pk])), ("Invitations", back)]
    page = Page(f"Invite somebody to {organization}", "users", crumbs, "Invite", back)
    return fill(request, page, form, act)


def _told_once(request: HttpRequest, invitation: Invitation, link: str | None) -> HttpResponse | None:
    """Where no mail brings the link: the one page that shows it."""
    if link is None:
        return None
    page = {"section": "users", "invitation": invitation, "link": link, "back": _list_of(invitation.organization_id)}
    answer = render(request, "tenancy/invitation_link.html", page)
    answer["Cache-Control"] = "no-store"
    return answer


@needs(Right.USER_EDIT)
@require_POST
def invitation_resend(request: HttpRequest, pk: UUID) -> HttpResponse:
    invitation = _invitation(request, pk)
    try:
        invitation, link = invitations.resend(actor=actor_of(request), invitation=invitation)
    except (Conflict, Throttled) as refusal:
        messages.error(request, refusal.message)
    else:
        shown = _told_once(request, invitation, link)
        if shown is not None:
            return shown
        messages.success(
            request, f"Another link is on its way to {invitation.email}. The earlier one is no longer good."
        )
    return HttpResponseRedirect(_list_of(invitation.organization_id))


@needs(Right.USER_EDIT)
@require_http_methods(FORM)
def invitation_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    invitation = _invitation(request, pk)
    back = _list_of(invitation.organization_id)
    form = SureForm(posted(request), initial={"generation": invitation.generation})

    def act() -> Done:
        invitations.withdraw(actor=actor_of(request), invitation=invitation, generations=form.generations())
        return Done(back, f"The invitation of {invitation} is withdrawn.")

    page = Page(
        f"Withdraw the invitation of {invitation}?", "users", [("Invitations", back)], "Withdraw", back,
        intro="Its link is good for nothing from then on.", danger=True, live=False,
    )  # fmt: skip
    return fill(request, page, form, act, row=invitation)
