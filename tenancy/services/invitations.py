"""Inviting people into an organization by mail: a link, good once and for some days, that makes an account or joins one.

Nobody invites to more than he may give, and what he could not give any more when it is accepted is not given.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core import access, audit, rows, tenants
from core.actor import Actor
from core.errors import Conflict, Ended, Forbidden, NotFound, Throttled
from core.mail import outbox
from core.rights import Right
from core.rows import Generations
from tenancy import invited, links
from tenancy.models import Invitation, Organization, Role, RoleBinding, RoleName, User
from tenancy.selectors import actor_of_user
from tenancy.services import bindings, roles, users
from tenancy.services.organizations import lock_organization

PAGE: Final = "invitation"
DAYS, MOST_DAYS = 7, 30
MOST_OPEN = 500  # of one organization
PAUSE = timedelta(minutes=1)  # between two mails of one invitation
NO_SUCH = "This is no invitation, or another mail with another link was sent since: take the newest one."
_TEXT = """\
{inviter} invites you to {title} at {url}, as {role}{where}.

Accept here, until {until:%d %B %Y, %H:%M} UTC:

{link}

There you choose a user name and a password, or join with the account that you have. If you know nothing of this, do
nothing.
"""


@transaction.atomic
def invite(
    *,
    actor: Actor,
    organization: Organization,
    email: str,
    role: RoleName | Role,
    vdc_id: UUID | None = None,
    days: int = DAYS,
) -> tuple[Invitation, str | None]:
    """An invitation, and its link where no mail can bring it: then whoever invites passes it on.

    `role`: a built-in one, or one of the organization's own, which is given only if it still is what it is now.
    """
    users.require_people_of(actor, organization)
    bindings.check_place(RoleBinding(organization=organization, vdc_id=vdc_id), role)
    organization = lock_organization(organization.pk)
    if isinstance(role, Role):
        role = rows.lock(role)
    _require_giver(actor, role, organization, vdc_id)
    waiting = Invitation.objects.filter(
        organization=organization, withdrawn_at=None, accepted_at=None, expires_at__gt=timezone.now()
    )
    if waiting.count() >= MOST_OPEN:
        raise Conflict(f"{organization} has {MOST_OPEN} open invitations: withdraw some first.")
    secret, digest = links.made()
    invitation = Invitation(
        organization=organization,
        email=email,
        vdc_id=vdc_id,
        invited_by_id=actor.user_id,
        inviter_name=actor.name[:150],
        digest=digest,
        expires_at=timezone.now() + timedelta(days=days),
    )
    _take(invitation, role)
    rows.save(invitation, new=True)
    link = _send(invitation, secret)
    audit.record(actor, "invitation.create", invitation, after=_told(invitation))
    return invitation, link


@transaction.atomic
def resend(
    *, actor: Actor, invitation: Invitation, days: int = DAYS, generations: Generations = None
) -> tuple[Invitation, str | None]:
    """Another link, good from now on; the earlier ones are good for nothing. In the name of who sends it again.

    It is to what the role is by now.
    """
    organization = lock_organization(invitation.organization_id)
    role = _role_of(invitation)
    invitation = _for_change(actor, invitation, generations)
    invitation.organization = organization
    if role is None:
        raise Conflict(f"The role {invitation.role_label} is gone: withdraw it, and invite anew.")
    _require_giver(actor, role, organization, invitation.vdc_id)
    _take(invitation, role)
    pause = invitation.sent_at + PAUSE - timezone.now()
    if pause > timedelta():
        raise Throttled("It was sent a moment ago: wait a minute.", retry_after=int(pause.total_seconds()) + 1)
    secret, invitation.digest = links.made()
    invitation.invited_by_id, invitation.inviter_name = actor.user_id, actor.name[:150]
    invitation.sent_at, invitation.expires_at = timezone.now(), timezone.now() + timedelta(days=days)
    link = _send(invitation, secret)
    _write(invitation, "digest", "invited_by_id", "inviter_name", "sent_at", "expires_at", "as_sent")
    audit.record(actor, "invitation.resend", invitation, after=_told(invitation))
    return invitation, link


@transaction.atomic
def withdraw(*, actor: Actor, invitation: Invitation, generations: Generations = None) -> Invitation:
    """Its link is good for nothing from now on."""
    invitation = _for_change(actor, invitation, generations)
    invitation.withdrawn_at = timezone.now()
    _write(invitation, "withdrawn_at")
    if invitation.mail_id is not None:
        outbox.withdraw(invitation.mail_id)
    audit.record(actor, "invitation.withdraw", invitation, before=_told(invitation))
    return invitation


def _require_giver(actor: Actor, role: RoleName | Role, organization: Organization, vdc_id: UUID | None) -> None:
    if not bindings.may_give(actor, role, organization.pk, vdc_id):
        name = role.name if isinstance(role, Role) else role
        raise Forbidden(Right.BINDING_EDIT, f"the role {name} there: nobody invites to more than he may give")


def _take(invitation: Invitation, role: RoleName | Role) -> None:
    """It is to this role, as it is now."""
    if isinstance(role, Role):
        invitation.role, invitation.custom, invitation.as_sent = "", role, roles.told(role)
    else:
        invitation.role = role


def _role_of(invitation: Invitation) -> RoleName | Role | None:
    """An own role as it is now, locked before the invitation is: so does whoever deletes it. None: it is gone."""
    if invitation.role:
        return RoleName(invitation.role)
    if invitation.custom_id is None:
        return None
    return Role.objects.select_for_update(no_key=True, of=("self",)).filter(pk=invitation.custom_id).first()


def _for_change(actor: Actor, invitation: Invitation, generations: Generations) -> Invitation:
    access.require(actor, Right.USER_EDIT, invitation)
    invitation = rows.lock(invitation, generations)
    if invitation.accepted_at is not None:
        raise Conflict("It was accepted already.")
    if invitation.withdrawn_at is not None:
        raise Conflict("It was withdrawn already: invite anew.")
    return invitation


def _write(invitation: Invitation, *fields: str) -> None:
    invitation.generation += 1
    invitation.save(update_fields=[*fields, "generation"])


def _send(invitation: Invitation, secret: str) -> str | None:
    """Into the outbox; None then. Without mail: the link, told once."""
    link = links.link(PAGE, secret)
    if invitation.mail_id is not None:
        outbox.withdraw(invitation.mail_id)
    if not outbox.possible():
        return link
    organization = invitation.organization
    mail = outbox.put(
        kind="invitation",
        recipient=invitation.email,
        subject=f"{invitation.inviter_name} invites you to {organization.display_name}"[:200],
        text=_TEXT.format(
            inviter=invitation.inviter_name,
            title=organization.display_name,
            url=links.site(),
            role=invitation.role_label,
            where=_where(invitation),
            until=invitation.expires_at,
            link=link,
        ),
        good_until=invitation.expires_at,
        organization_id=organization.pk,
    )
    invitation.mail_id = mail.pk
    Invitation.objects.filter(pk=invitation.pk).update(mail_id=mail.pk)
    return None


def _where(invitation: Invitation) -> str:
    name = vdc_name(invitation)
    return f" in the VDC {name}" if name else ""


@tenants.everything()
def vdc_name(invitation: Invitation) -> str | None:
    """By the reverse of vdcs' foreign key: VDCs stand above. Empty: it is gone. None: the whole organization."""
    if invitation.vdc_id is None:
        return None
    vdcs = invitation.organization.vdcs
    return vdcs.filter(pk=invitation.vdc_id).values_list("name", flat=True).first() or ""


@tenants.everything()
def look(*, token: str) -> Invitation:
    """The invitation as it stands, or Ended, or NotFound: for who holds its link."""
    found = Invitation.objects.select_related("organization", "custom").filter(digest=links.digest_of(token)).first()
    invitation = _good(found)
    _require_as_sent(invitation, invitation.custom or invitation.role)
    return invitation


@tenants.everything()
def accept_new(*, visitor: Actor, token: str, username: str, password: str, full_name: str = "") -> User:
    """An account of the organization's, with the address that was invited. Two at once make one."""

    def join(invitation: Invitation, inviter: Actor) -> tuple[User, Actor]:
        user = users.make_invited(
            visitor=visitor,
            organization=invitation.organization,
            username=username,
            password=password,
            email=invitation.email,
            full_name=full_name,
        )
        return user, replace(visitor, user_id=user.pk, name=user.username, organization_id=user.organization_id)

    return _audited(visitor, token, join)


@tenants.everything()
def accept_as(*, actor: Actor, token: str) -> User:
    """Who has an account joins with it, wherever it is from: he then belongs to several organizations."""

    def join(invitation: Invitation, inviter: Actor) -> tuple[User, Actor]:
        return User.objects.get(pk=actor.account_id), actor

    return _audited(actor, token, join)


Join = Callable[[Invitation, Actor], tuple[User, Actor]]


def _audited(who: Actor, token: str, join: Join) -> User:
    """What a link of ours no longer opens is audited, outside the transaction that was rolled back."""
    try:
        return _accept(token, join)
    except Ended as refusal:
        found = Invitation.objects.filter(digest=links.digest_of(token)).first()
        if found is not None:
            tried = replace(who, name=who.name or found.email)
            audit.refused(tried, "invitation.accept", refusal.message, row=found)
        raise


@transaction.atomic
def _accept(token: str, join: Join) -> User:
    digest = links.digest_of(token)
    found = Invitation.objects.filter(digest=digest).first()
    if found is None:
        raise NotFound(NO_SUCH)
    organization = lock_organization(found.organization_id)  # before the invitation: so does whoever deletes it
    role = _role_of(found)
    invitation = _good(Invitation.objects.select_for_update(of=("self",)).filter(digest=digest).first())
    invitation.organization = organization
    role = _require_as_sent(invitation, role)
    inviter = _inviter(invitation, role)
    user, who = join(invitation, inviter)
    held = RoleBinding.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),
        user=user, role=invitation.role, custom=invitation.custom_id, organization=organization,
        vdc_id=invitation.vdc_id, vm_id=None,
    )  # fmt: skip
    if not held.exists():
        bindings.bind_invited(
            inviter=inviter, user=user, role=role, organization=organization, vdc_id=invitation.vdc_id
        )
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user
    _write(invitation, "accepted_at", "accepted_by")
    audit.record(who, "invitation.accept", invitation, after={**_told(invitation), "user": user.username})
    return user


def _good(invitation: Invitation | None) -> Invitation:
    if invitation is None:
        raise NotFound(NO_SUCH)
    if invitation.withdrawn_at is not None:
        raise Ended("This invitation was withdrawn. Ask whoever invited you.", "link_withdrawn")
    if invitation.accepted_at is not None:
        raise Ended("This invitation was accepted already: sign in with the account it made.", "link_used")
    if invitation.expires_at <= timezone.now():
        raise Ended("This invitation has expired. Ask whoever invited you to send it again.", "link_expired")
    return invitation


def _require_as_sent(invitation: Invitation, role: RoleName | Role | str | None) -> RoleName | Role:
    """The role, if it is there, and gives what it gave when the link was sent; and the VDC is. Else Ended."""
    if isinstance(role, Role):
        if invited.differs(invitation.as_sent, role):
            raise Ended(
                f"The role {invitation.role_label} has been changed since you were invited to it: ask for the "
                "invitation to be sent again.",
                "link_withdrawn",
            )
    elif not role:
        raise Ended(
            f"The role {invitation.role_label} that you were invited to is gone: ask for another invitation.",
            "link_withdrawn",
        )
    vdcs = invitation.organization.vdcs  # as in `vdc_name`
    if invitation.vdc_id and not vdcs.filter(pk=invitation.vdc_id, deletion_requested_at=None).exists():
        raise Ended("The VDC that you were invited to is gone: ask for another invitation.", "link_withdrawn")
    return role if isinstance(role, Role) else RoleName(role)


def _inviter(invitation: Invitation, role: RoleName | Role) -> Actor:
    """Who invited, with the rights that he has now."""
    actor = actor_of_user(invitation.invited_by_id) if invitation.invited_by_id else None
    if actor is None or not bindings.may_give(actor, role, invitation.organization_id, invitation.vdc_id):
        raise Ended(
            f"{invitation.inviter_name}, who invited you, may no longer give this role: ask for another invitation.",
            "link_withdrawn",
        )
    return actor


def _told(invitation: Invitation) -> dict[str, str | None]:
    return {
        "email": invitation.email,
        "role": invitation.role_name,
        "vdc": str(invitation.vdc_id) if invitation.vdc_id else None,
        "expires_at": _moment(invitation.expires_at),
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
