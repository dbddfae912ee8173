"""Access tokens: secrets for programs, made once, shown once, kept as a hash. They never can more than their user."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from core import audit, rows
from core.actor import Actor, Level
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.rights import Right
from tenancy.models import AccessToken, Organization, User
from tenancy.roles import GIVEN_TO_TOKENS
from tenancy.services.users import require_over

PREFIX: Final = "ovim_pat_"
SECRET_BYTES: Final = 32
LONGEST: Final = 128  # the prefix and 43 characters; longer ones are none of ours
NO_GOOD: Final = "This access token is not good: it has expired, was deleted, or its user is disabled."
MOST_DAYS: Final = 366
MOST_TOKENS: Final = 50  # of one user


def digest_of(text: str) -> str:
    """What is kept of a token. 256 random bits need no slow hash: nobody can try them all."""
    return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def create_token(
    *,
    actor: Actor,
    user: User,
    name: str,
    days: int,
    rights: Collection[str] | None = None,
    vdcs: Sequence[UUID] | None = None,
) -> tuple[AccessToken, str]:
    """A token of one's own, or of a service account that one looks after; with its secret, which is told only now.

    `rights`, `vdcs` None: whatever the user has, wherever he has it. What it can do is decided at each use.
    """
    _require_keeper(actor, user)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once count each other
    if AccessToken.objects.filter(user=user).count() >= MOST_TOKENS:
        raise Conflict(f"There are {MOST_TOKENS} access tokens already: delete one that is not needed.")
    if not 1 <= days <= MOST_DAYS:
        raise Invalid.field("days", "range", f"A token lives 1 to {MOST_DAYS} days.")
    text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = AccessToken(
        user=user,
        name=name,
        digest=digest_of(text),
        rights=_checked(rights),
        places=_places(actor, vdcs),
        expires_at=timezone.now() + timedelta(days=days),
    )
    rows.save(token, new=True)
    after = {"user": user.username, "rights": token.rights, "vdcs": token.places, "days": days}
    audit.record(actor, "access_token.create", token, organization_id=user.organization_id, after=after)
    return token, text


@transaction.atomic
def delete_token(*, actor: Actor, token: AccessToken) -> None:
    """Whoever uses it is refused from the next request on."""
    found = AccessToken.objects.select_related("user").select_for_update(of=("self",)).filter(pk=token.pk).first()
    if found is None:
        raise NotFound("This access token is gone.")
    _require_keeper(actor, found.user)
    before = {"user": found.user.username}
    audit.record(actor, "access_token.delete", found, organization_id=found.user.organization_id, before=before)
    found.delete()


def note_use(digest: str, address: str) -> None:
    """When and from where it was used last: written at most once a minute, however many ask at once."""
    AccessToken.objects.filter(digest=digest).exclude(last_used_at__gt=timezone.now() - timedelta(minutes=1)).update(
        last_used_at=timezone.now(), last_address=address[:64]
    )


def _require_keeper(actor: Actor, user: User) -> None:
    """One's own tokens are one's own affair; nobody makes or deletes those of another person."""
    if not actor.holds(Right.ACCOUNT):
        raise Forbidden(Right.ACCOUNT, "access tokens: a token makes no tokens")
    if user.is_service:
        require_over(actor, user)
    elif actor.user_id != user.pk:
        raise Forbidden(Right.ACCOUNT, f"the access tokens of {user}")


def _checked(rights: Collection[str] | None) -> list[str] | None:
    if rights is None:
        return None
    given = sorted(set(rights))
    if not given:
        raise Invalid.field(
            "rights", "empty", "A token without any right is good for nothing: name some, or leave it out."
        )
    unknown = [name for name in given if name not in set(GIVEN_TO_TOKENS)]
    if unknown:
        raise Invalid.field("rights", "unknown", f"A token can't be given {', '.join(unknown)}.")
    return given


def _places(actor: Actor, vdcs: Sequence[UUID] | None) -> list[list[str]] | None:
    """Each VDC with its organization; Invalid for one that the actor does not see."""
    if vdcs is None:
        return None
    if not vdcs:
        raise Invalid.field(
            "vdcs", "empty", "A token that is good in no VDC is good for nothing: name some, or leave it out."
        )
    # The reverse of vdcs' foreign key: VDCs stand above, their model can't be imported here.
    owners = dict(Organization.objects.filter(vdcs__in=list(vdcs)).values_list("vdcs__pk", "pk"))
    for pk in vdcs:
        if pk not in owners or not _sees(actor, owners[pk], pk):
            raise Invalid.field("vdcs", "not_found", f"There is no VDC {pk} that you can see.")
    return [[str(owners[pk]), str(pk)] for pk in dict.fromkeys(vdcs)]


def _sees(actor: Actor, organization: UUID, vdc: UUID) -> bool:
    return any(
        grant.level is Level.SYSTEM
        or (grant.level is Level.ORGANIZATION and grant.organization_id == organization)
        or (grant.level in (Level.VDC, Level.VM) and grant.vdc_id == vdc)
        for grant in actor.grants_of(Right.VDC_VIEW)
    )
