"""A new password by mail: a link, good once and for a short while, for people who sign in by a password.

Who asks learns nothing of which accounts there are: the request writes down what was asked for, whatever that is, and a
worker finds out whose it is and puts the mail into the outbox.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from core import audit, broker, tenants
from core.actor import Actor
from core.errors import Conflict, Ended, NotFound
from core.mail import outbox
from tenancy import links
from tenancy.models import PasswordReset, User
from tenancy.selectors import actor_of_user
from tenancy.services import throttle, users

PAGE: Final = "password-reset"
GOOD_FOR = timedelta(minutes=30)
BATCH = 50
MOST_ACCOUNTS = 10  # of one e-mail address
NO_MAIL = "This installation sends no mail: whoever looks after your account can set a new password."
NO_SUCH = "This is no link for a new password, or a newer password has been set since: ask for another one."
_TEXT = """\
Somebody, you hopefully, asked for a new password of the account {username} at {url}.

Choose it here, within 30 minutes:

{link}

It was asked for from the address {address}. If it was not you, do nothing: your password stays as it is.
"""


@tenants.everything()
@transaction.atomic
def ask(*, visitor: Actor, account: str) -> None:
    """Note the wish. The same answer after the same work for everything that can be asked for."""
    if not outbox.possible():
        raise Conflict(NO_MAIL)
    PasswordReset.objects.create(
        asked_for=account.strip()[:254],
        address=visitor.address[:64],
        request_id=visitor.request_id[:64],
        expires_at=timezone.now() + GOOD_FOR,
    )
    broker.after_commit("tenancy.tasks.send_resets", broker.CONTROL)


@tenants.everything()
def ask_counted(*, visitor: Actor, account: str) -> None:
    """As `ask`, unless it was asked too often. The count is outside the transaction: it stays."""
    try:
        throttle.ask(account.strip(), visitor.address)
    except throttle.TooMany as refusal:
        if refusal.telling:
            audit.refused(replace(visitor, name=account.strip()[:254]), "password.ask", refusal.message)
        raise
    ask(visitor=visitor, account=account)


def send_asked() -> int:
    """Turn wishes into mails, each in one transaction; how many mails there are to send."""
    found = 0
    for _ in range(BATCH):
        sent = _send_next()
        if sent is None:
            break
        found += sent
    return found


@transaction.atomic
def _send_next() -> int | None:
    waiting = PasswordReset.objects.filter(user=None).select_for_update(skip_locked=True)
    wish = waiting.order_by("id").first()
    if wish is None:
        return None
    wish.delete()
    people = [] if wish.expires_at <= timezone.now() else _people(wish.asked_for)
    visitor = Actor(None, wish.asked_for, address=wish.address, request_id=wish.request_id)
    if not people:
        audit.refused(
            visitor, "password.ask", "There is no account of this name or address that a link can be sent to."
        )
    for user in people:
        _send(user, wish, visitor)
    return len(people)


def _people(asked_for: str) -> list[User]:
    """Those meant who can sign in, by a password, and have an address."""
    named = User.objects.filter(username=asked_for.lower())
    found = list(named) or list(User.objects.filter(email__iexact=asked_for).order_by("id")[:MOST_ACCOUNTS])
    return [user for user in found if user.email and _may(user)]


def _may(user: User) -> bool:
    return not user.is_service and user.has_usable_password() and actor_of_user(user.pk) is not None


def _send(user: User, wish: PasswordReset, visitor: Actor) -> None:
    secret, digest = links.made()
    PasswordReset.objects.create(
        asked_for=wish.asked_for, address=wish.address, user=user, digest=digest, expires_at=timezone.now() + GOOD_FOR
    )
    outbox.put(
        kind="password-reset",
        recipient=user.email,
        subject=f"A new password for {user.username}",
        text=_TEXT.format(
            username=user.username,
            url=links.site(),
            link=links.link(PAGE, secret),
            address=wish.address or "that is not known",
        ),
        good_until=timezone.now() + GOOD_FOR,
        organization_id=user.organization_id,
    )
    audit.record(visitor, "password.ask", user, organization_id=user.organization_id)


@tenants.everything()
def check(*, token: str) -> PasswordReset:
    """The link as it stands, or Ended, or NotFound."""
    return _good(PasswordReset.objects.select_related("user").filter(digest=links.digest_of(token)).first())


@tenants.everything()
def use(*, visitor: Actor, token: str, password: str) -> User:
    """Set the password; all sessions of the account end, and all its links. Two at once: one of them is too late.

    What a link of ours no longer opens is audited, outside the transaction that was rolled back.
    """
    try:
        return _use(visitor, token, password)
    except Ended as refusal:
        link = PasswordReset.objects.select_related("user").filter(digest=links.digest_of(token)).first()
        person = link.user if link is not None else None
        if person is not None:
            who = replace(visitor, name=person.username, organization_id=person.organization_id)
            audit.refused(who, "password.reset", refusal.message)
        raise


@transaction.atomic
def _use(visitor: Actor, token: str, password: str) -> User:
    rows = PasswordReset.objects.select_for_update(of=("self",)).filter(digest=links.digest_of(token))
    link = _good(rows.first())
    assert link.user_id is not None, "it has a digest"
    person = User.objects.get(pk=link.user_id)
    actor = actor_of_user(person.pk, address=visitor.address, request_id=visitor.request_id)
    if actor is None or not _may(person):
        raise Ended("The account is disabled, or has no password: whoever looks after it can tell more.", "link_ended")
    PasswordReset.objects.filter(pk=link.pk).update(used_at=timezone.now())
    person = users.put_by_link(actor=actor, user=person, password=password)
    throttle.was_right(person.username, visitor.address)  # who forgot it has guessed before
    return person


def _good(link: PasswordReset | None) -> PasswordReset:
    if link is None:
        raise NotFound(NO_SUCH)
    if link.used_at is not None:
        raise Ended("This link was used already: it is good once. Ask for another one.", "link_used")
    if link.expires_at <= timezone.now():
        raise Ended("This link is too old: it was good for 30 minutes. Ask for another one.", "link_expired")
    return link


def sweep() -> int:
    """Forget links that ended a day ago or earlier; until then they say how they ended."""
    return PasswordReset.objects.filter(expires_at__lt=timezone.now() - timedelta(days=1)).delete()[0]
