"""Mails to a person when what protects his account was changed, so that he hears of what he did not do himself.

They say what, when and by whom, and hold neither secrets nor links that open anything. They are put into the outbox in
the transaction of the change; where no mail is sent, or the person has no address, there is none.
"""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from core import tenants
from core.actor import Actor
from core.mail import outbox
from tenancy import links
from tenancy.models import User

OF_USE = timedelta(days=3)
_TEXT = """\
{what} of the account {username} at {site}, {when} UTC, {who}.

{then}

If you know nothing of this, somebody else may be in your account: {help}
"""
_HELP = (
    "choose another password at once ({forgotten}), end your sessions ({sessions}), look through your access tokens "
    "({tokens}), and tell whoever looks after your account."
)
_TOKENS = "All other sessions have ended. Access tokens for programs stay as they are: {tokens}"


def password_changed(*, actor: Actor, user: User, by_link: bool = False) -> None:
    """To his address: by himself, by a link that was mailed to him, or by an admin."""
    who = "by a link that was sent to this address" + _from(actor) if by_link else _by(actor, user)
    _put(user, user.email, "password-changed", what="The password", done="was changed", who=who, then=_TOKENS)


def second_factor_off(*, actor: Actor, user: User) -> None:
    then = "Signing in takes the password alone from now on. You can set a second factor up again: {second_factor}"
    who = _by(actor, user)
    _put(user, user.email, "second-factor-off", what="The second factor", done="was turned off", who=who, then=then)


def address_changed(*, actor: Actor, user: User, before: str) -> None:
    """To the address there was: whoever took the account over has set his own."""
    then = "Mails of that account do not come here any more."
    what, done, who = "The e-mail address", "was changed to another one", _by(actor, user)
    _put(user, before, "address-changed", what=what, done=done, who=who, then=then)


def _put(user: User, recipient: str, kind: str, *, what: str, done: str, who: str, then: str) -> None:
    if not recipient or not outbox.possible():
        return
    site = links.site()
    pages = {
        "forgotten": site + reverse("password-forgotten"),
        "sessions": site + reverse("session-list"),
        "tokens": site + reverse("token-list"),
        "second_factor": site + reverse("second-factor"),
    }
    text = _TEXT.format(
        what=what,
        username=user.username,
        site=site,
        when=f"{done} on {timezone.now():%d %B %Y, %H:%M}",
        who=who,
        then=then.format(**pages),
        help=_HELP.format(**pages),
    )
    with tenants.everything():  # it is his, whatever whoever changed it may see; and some people are of no organization
        outbox.put(
            kind=kind,
            recipient=recipient,
            subject=f"{what} of {user.username} {done}",
            text=text,
            good_until=timezone.now() + OF_USE,
            organization_id=user.organization_id,
        )


def _by(actor: Actor, user: User) -> str:
    """His own address is told, to recognize himself by; an admin's is not."""
    return "in a session of the account" + _from(actor) if actor.user_id == user.pk else f"by {actor.name}"


def _from(actor: Actor) -> str:
    return f", from the address {actor.address}" if actor.address else ""
