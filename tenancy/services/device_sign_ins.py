"""Signing a command in by a browser: the Device Authorization Grant (RFC 8628).

1. The command asks (`ask`) and gets two codes: a long one that it polls with, and a short one that it shows.
2. Somebody who is signed in at the portal types the short one (`look`), sees who asks, and confirms or denies it.
3. The command polls (`exchange`) and gets a session of its own, once, while the one that confirmed it lives.

The command never sees how the person signs in, so every way that his organization has will do.
"""

import re
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from core import audit, tenants
from core.actor import Actor
from core.errors import DomainError, NotFound
from tenancy import links
from tenancy.device_rows import DeviceSignIn
from tenancy.models import Session, User
from tenancy.selectors import ALIVE, actor_of_user
from tenancy.services import arrivals, sessions, throttle

GOOD_FOR = timedelta(minutes=10)
KEPT = timedelta(days=1)  # so long an old code is told apart from one that there never was
PAUSE_SECONDS: Final = 5
LONGEST: Final = 100
# RFC 8628, 6.1: no vowels, so that no words come of it. 20^8 for ten minutes, guessed at ten times.
LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
SHORT: Final = 8
NO_SUCH = "There is no such code, or it has ended: a code is good for ten minutes, and once. Begin anew on the device."


class Refused(DomainError):
    """Why there are no tokens: `code` is the RFC's error. In the API a 400, as the RFC wants it."""

    def __init__(self, code: str, message: str, *, interval: int | None = None) -> None:
        more: dict[str, Any] = {} if interval is None else {"interval": interval}
        super().__init__(message, **more)
        self.code = code


@tenants.everything()
def ask(*, visitor: Actor, host: str, user_agent: str = "") -> tuple[DeviceSignIn, str, str]:
    """A row, the code that the command polls with, and the short one. Nobody is known, so it is counted by address."""
    throttle.ask_for_device(visitor.address)
    secret, digest = links.made()
    short = "".join(secrets.choice(LETTERS) for _ in range(SHORT))
    row = DeviceSignIn.objects.create(
        device_digest=digest,
        user_digest=_digest(short),
        host=host,
        user_agent=user_agent[:100],
        address=visitor.address[:64],
        expires_at=timezone.now() + GOOD_FOR,
        pause=PAUSE_SECONDS,
    )
    return row, secret, grouped(short)


def page() -> str:
    """Where it is confirmed."""
    return links.site() + reverse("device")


def _digest(short: str) -> str:
    """Keyed: so few letters would be found by trying all of them."""
    return salted_hmac("ovim.device", short, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()


@tenants.everything()
def look(*, actor: Actor, short: str) -> DeviceSignIn:
    """Which one the code is of. Wrong ones are counted, outside of any transaction: they stay counted."""
    try:
        throttle.guess_at_device(str(actor.user_id), actor.address)
    except throttle.TooMany as refusal:
        if refusal.telling:
            audit.refused(actor, "device.confirm", refusal.message)
        raise
    row = _open().filter(user_digest=_digest(_plain(short))).first()
    if row is None:
        raise NotFound(NO_SUCH)
    throttle.knew_device(str(actor.user_id), actor.address)
    return row


def grouped(short: str) -> str:
    """As the command shows it, however it was typed."""
    plain = _plain(short)
    return f"{plain[:4]}-{plain[4:]}"


def _plain(short: str) -> str:
    """Its letters alone."""
    return re.sub(r"[^A-Z]", "", short.upper())[:LONGEST]


def _open() -> QuerySet[DeviceSignIn]:
    """Those that wait for somebody."""
    return DeviceSignIn.objects.filter(expires_at__gt=timezone.now(), user=None, denied_at=None, used_at=None)


def decide(*, actor: Actor, short: str, confirmed: bool) -> DeviceSignIn:
    """Let the command have a session of the actor's, or don't."""
    pk = look(actor=actor, short=short).pk
    return _decide(actor, pk, confirmed)


@tenants.everything()
@transaction.atomic
def _decide(actor: Actor, pk: UUID, confirmed: bool) -> DeviceSignIn:
    row: DeviceSignIn | None = _open().select_for_update().filter(pk=pk).first()
    if row is None:  # somebody was faster
        raise NotFound(NO_SUCH)
    row.user_id = actor.account_id
    row.confirmed_in_id = actor.session_id if confirmed else None
    row.denied_at = None if confirmed else timezone.now()
    row.save(update_fields=["user", "confirmed_in", "denied_at"])
    told = {"host": row.host, "address": row.address}
    action = "device.confirm" if confirmed else "device.deny"
    audit.record(actor, action, row, organization_id=actor.organization_id, after=told)
    return row


@tenants.everything()
def exchange(*, visitor: Actor, secret: str) -> Session:
    """The session, once it is confirmed; Refused says what to do. What the question changed stays, also if it was refused."""
    found = _asked(visitor, secret)
    if isinstance(found, Refused):
        raise found
    return found


@transaction.atomic
def _asked(visitor: Actor, secret: str) -> Session | Refused:
    rows = DeviceSignIn.objects.select_for_update(of=("self",))
    row = rows.filter(device_digest=links.digest_of(secret)).first()
    if row is None or row.used_at is not None:
        return Refused("invalid_grant", "There is no such device code, or it was used before: it is good once.")
    if row.denied_at is not None:
        return Refused("access_denied", "It was denied in the browser, or the session that confirmed it has ended.")
    if row.expires_at <= timezone.now():
        return Refused("expired_token", "Nobody confirmed it within ten minutes: begin anew.")
    return _waits(row) if row.confirmed_in_id is None else _begun(visitor, row)


def _waits(row: DeviceSignIn) -> Refused:
    """Not confirmed yet. Who asks too soon has to leave five seconds more from now on."""
    now = timezone.now()
    hasty = row.asked_at is not None and now - row.asked_at < timedelta(seconds=row.pause - 0.5)  # clocks and networks
    row.asked_at, row.pause = now, row.pause + 5 if hasty else row.pause
    row.save(update_fields=["asked_at", "pause"])
    if hasty:
        return Refused("slow_down", f"Ask no sooner than each {row.pause} seconds.", interval=row.pause)
    return Refused("authorization_pending", "It is not confirmed in the browser yet.", interval=row.pause)


def _begun(visitor: Actor, row: DeviceSignIn) -> Session | Refused:
    """Locked in the order of whoever ends sessions (provider, account, session): this one is among them, or is not begun."""
    assert row.user_id is not None, "whoever confirms it is known"
    assert row.confirmed_in_id is not None, "it is confirmed"
    kept = arrivals.held(row.confirmed_in_id)
    user = User.objects.select_for_update(no_key=True).get(pk=row.user_id)
    held = Session.objects.select_for_update().filter(ALIVE, pk=row.confirmed_in_id).first()
    actor = actor_of_user(user.pk, address=visitor.address, request_id=visitor.request_id)
    if held is None or actor is None:
        row.denied_at = timezone.now()
        row.save(update_fields=["denied_at"])
        refused = Refused("access_denied", "The session that confirmed it has ended, or the account is disabled.")
        who = replace(visitor, name=user.username, organization_id=user.organization_id)
        audit.refused(who, "session.begin", refused.message)
        return refused
    session = sessions.begin(
        actor=actor,
        user=user,
        way=sessions.Way.API,
        user_agent=f"{row.user_agent} on {row.host}",
        told={"by": str(row)},
    )
    if kept is not None:
        arrivals.carry_over(kept, session)
    row.used_at = timezone.now()
    row.save(update_fields=["used_at"])
    return session


def sweep() -> int:
    """Forget those that ended a day ago or earlier."""
    return DeviceSignIn.objects.filter(expires_at__lt=timezone.now() - KEPT).delete()[0]
