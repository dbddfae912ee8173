"""Signing in and out. A session is a row: whoever ends it ends all access through it at once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core import access, audit, tenants
from core.actor import Actor
from core.errors import Conflict, NotFound, Unauthenticated
from core.ids import uuid7
from core.rights import Right
from tenancy.models import Session, User
from tenancy.selectors import ALIVE, actor_of_user
from tenancy.services import codes, throttle

BROWSER_LIFETIME = timedelta(hours=12)
API_LIFETIME = timedelta(days=7)
NOTED_EACH = timedelta(minutes=1)  # how coarse the last use of a session is: an idle time is counted from it
WRONG = "The user name or the password is wrong, or the account is disabled."
NEEDED = "The password is right: now give a code of your authenticator app, or a recovery code."
WRONG_CODE = codes.WRONG
ENDED = "The session has ended: sign in again."


class Way(Enum):
    """How somebody holds a session: how long it lasts at most, and how long unused."""

    BROWSER = "browser"
    API = "api"

    @property
    def lifetime(self) -> timedelta:
        return BROWSER_LIFETIME if self is Way.BROWSER else API_LIFETIME

    @property
    def idle_after(self) -> timedelta | None:
        """None: it may be unused for all of its lifetime."""
        browser = self is Way.BROWSER
        minutes = settings.OVIM_SESSION_IDLE_MINUTES if browser else settings.OVIM_API_SESSION_IDLE_MINUTES
        return timedelta(minutes=minutes) if minutes else None


class SecondFactorNeeded(Unauthenticated):
    """The password was right, and that is not enough."""

    code = "second_factor_required"

    def __init__(self, user: User) -> None:
        super().__init__(NEEDED)
        self.user = user


class WrongCode(Unauthenticated):
    """The password was right, the code was not."""

    code = "second_factor_wrong"


@tenants.everything()
def sign_in(*, visitor: Actor, username: str, password: str, way: Way, code: str = "", user_agent: str = "") -> Session:
    """Check the password and begin a session. `visitor` has no rights: it says from where, and under which request.

    `code`: of the second factor, or a recovery code; SecondFactorNeeded where one is asked for and none was given.
    Not one transaction: the attempt is counted before the password is looked at, and stays counted if it was wrong.
    """
    attempt(visitor, username)
    user = User.objects.filter(username=username.lower()).first()
    if user is None or user.is_service:
        make_password(password)  # as much work as for a user there is: the time must not tell
        right = False
    else:
        right = user.check_password(password)
    actor = actor_of_user(user.pk) if user is not None and right else None
    if user is None or actor is None:
        audit.refused(_tried(visitor, username, user), "session.begin", WRONG)
        raise Unauthenticated(WRONG)
    if codes.is_asked_of(user):
        _check_code(replace(visitor, name=username[:254]), user, code)
    with transaction.atomic():
        if _is_still(user, password):
            throttle.was_right(username, visitor.address)
            actor = replace(actor, address=visitor.address, request_id=visitor.request_id)
            return begin(actor=actor, user=user, way=way, user_agent=user_agent)
    audit.refused(_tried(visitor, username, user), "session.begin", WRONG)
    raise Unauthenticated(WRONG)


@tenants.everything()
def sign_in_by_code(*, visitor: Actor, user_id: UUID, proof: str, code: str, way: Way, user_agent: str = "") -> Session:
    """The second step of a page: `proof` says that the password was right a moment ago (`proof_of`), and still is."""
    user = User.objects.filter(pk=user_id).first()
    actor = actor_of_user(user_id, address=visitor.address, request_id=visitor.request_id)
    if user is None or actor is None or not constant_time_compare(proof, proof_of(user)):
        raise Unauthenticated(WRONG)
    attempt(visitor, user.username)
    _check_code(replace(visitor, name=user.username), user, code)
    with transaction.atomic():
        if not constant_time_compare(proof, proof_of(_locked(user))):
            raise Unauthenticated(WRONG)
        throttle.was_right(user.username, visitor.address)
        return begin(actor=actor, user=user, way=way, user_agent=user_agent)


def _is_still(user: User, password: str) -> bool:
    """Whether the password that was right a moment ago still is, while its row is locked until the session is there.

    Else a session by the old one would begin after another one had ended all there were.
    """
    now = _locked(user)
    return now.password == user.password or now.check_password(password)


def _locked(user: User) -> User:
    found = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if found is None:
        raise Unauthenticated(WRONG)
    return found


def attempt(visitor: Actor, username: str) -> None:
    """Count it ahead; TooMany, and an audit entry, once there were too many."""
    try:
        throttle.attempt(username, visitor.address)
    except throttle.TooMany as refusal:
        if refusal.telling:
            user = User.objects.filter(username=username.lower()).first()
            audit.refused(_tried(visitor, username, user), "session.begin", refusal.message)
        raise


def _tried(visitor: Actor, username: str, user: User | None) -> Actor:
    """For the audit log: an account's organization sees that somebody tries it."""
    home = None if user is None else user.organization_id
    return replace(visitor, name=username[:254], organization_id=home)


def proof_of(user: User) -> str:
    """Keyed, and another one as soon as the password is."""
    return user.get_session_auth_hash()


def _check_code(visitor: Actor, user: User, code: str) -> None:
    if not code:
        # No guess, so it is not counted; but a right password must not forgive wrong codes either.
        throttle.take_back(user.username, visitor.address)
        raise SecondFactorNeeded(user)
    if not codes.passes(user, code):
        audit.refused(visitor, "session.begin", WRONG_CODE)
        raise WrongCode(WRONG_CODE)


@tenants.everything()
@transaction.atomic
def begin(
    *, actor: Actor, user: User, way: Way, user_agent: str = "", told: Mapping[str, Any] | None = None
) -> Session:
    """A session for a person whose identity has been proven: by password, or by a provider, of which `told` says more."""
    session = Session.objects.create(
        user=user,
        expires_at=timezone.now() + way.lifetime,
        idle_after=way.idle_after,
        address=actor.address[:64],
        user_agent=user_agent[:255],
    )
    actor = replace(actor, session_id=session.pk)
    audit.record(actor, "session.begin", session, organization_id=user.organization_id, after=told)
    return session


@transaction.atomic
def sign_out(*, actor: Actor) -> None:
    """End the session the actor came with."""
    if actor.session_id is None:
        return
    session = Session.objects.select_for_update().filter(pk=actor.session_id, revoked_at__isnull=True).first()
    if session is not None:
        _end(actor, session, "session.end")


@transaction.atomic
def end(*, actor: Actor, session: Session) -> None:
    """End somebody's session: whoever uses it is signed out at his next request."""
    access.require(actor, Right.USER_EDIT, session.user)
    found = Session.objects.select_for_update(of=("self",)).select_related("user").get(pk=session.pk)
    if found.revoked_at is not None:
        raise Conflict("It was ended already.")
    found.revoked_at = timezone.now()
    found.save(update_fields=["revoked_at"])
    audit.record(actor, "session.end", found, organization_id=found.user.organization_id)


@transaction.atomic
def end_own(*, actor: Actor, session_id: UUID) -> None:
    """End one of one's own sessions: a device that is lost, or lent."""
    found = Session.objects.select_for_update().filter(pk=session_id, user_id=actor.account_id).first()
    if found is None or found.revoked_at is not None:
        raise NotFound("No such session.")
    _end(actor, found, "session.end")


@transaction.atomic
def end_others(*, actor: Actor) -> int:
    """End all of one's own sessions but this one. How many there were."""
    others = Session.objects.filter(ALIVE, user_id=actor.account_id)
    ended = 0
    others = others if actor.session_id is None else others.exclude(pk=actor.session_id)
    for session in others.select_for_update().order_by("pk"):
        _end(actor, session, "session.end")
        ended += 1
    return ended


@tenants.everything()
def note_use(session_id: UUID) -> None:
    """That the session is in use: written once a minute, however many ask at once."""
    stale = timezone.now() - NOTED_EACH
    Session.objects.filter(pk=session_id, seen_at__lte=stale).update(seen_at=timezone.now())


@tenants.everything()
def refresh(*, visitor: Actor, session_id: UUID, refresh_id: UUID) -> Session:
    """Trade a refresh token for the next one. One that was used before has been copied: that ends the session."""
    with transaction.atomic():
        session = Session.objects.select_for_update().filter(ALIVE, pk=session_id).first()
        if session is None:
            raise Unauthenticated(ENDED)
        actor = actor_of_user(session.user_id, address=visitor.address, request_id=visitor.request_id)
        if actor is None:
            raise Unauthenticated(ENDED)
        reused = session.refresh_id != refresh_id
        if reused:
            _end(replace(actor, session_id=session.pk), session, "session.end_by_reuse")
        else:
            session.refresh_id, session.seen_at = uuid7(), timezone.now()
            session.save(update_fields=["refresh_id", "seen_at"])
    if reused:  # outside: raising inside would roll the ending back
        raise Unauthenticated("This refresh token was used before, so the session was ended: sign in again.")
    return session


def _end(actor: Actor, session: Session, action: str) -> None:
    session.revoked_at = timezone.now()
    session.save(update_fields=["revoked_at"])
    audit.record(actor, action, session, organization_id=actor.organization_id)


def end_all(*, actor: Actor, user: User) -> None:
    """Inside the caller's transaction: end every session of a person but the actor's own."""
    alive = Session.objects.filter(user=user, revoked_at__isnull=True)
    if actor.session_id is not None:
        alive = alive.exclude(pk=actor.session_id)
    alive.update(revoked_at=timezone.now())
