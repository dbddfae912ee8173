"""Seeing what somebody else sees, for a while, and nothing else: whoever looks changes nothing meanwhile.

It belongs to one session. Who acts in it is decided anew at each request (`tenancy.selectors`); that nothing is changed is
kept by the doors (`core.enforce`, `core.api.base`), and by `core.audit` behind them.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core import audit, tenants
from core.actor import Actor
from core.errors import Conflict
from tenancy.models import Session, User
from tenancy.selectors import actor_of_session, actor_of_user, may_see_as
from tenancy.services.users import require_over

LASTS = timedelta(minutes=30)
MOST = 500  # tidied in one go


@transaction.atomic
def begin(*, actor: Actor, user: User) -> Session:
    """From now on the session shows what the person sees. Only whoever looks after the account, and has all its rights."""
    if actor.session_id is None or actor.token_id is not None or actor.previewed_by:
        raise Conflict("A preview belongs to a session of your own: sign in for it, and end the one that there is.")
    if actor.user_id == user.pk:
        raise Conflict("This is yourself: you see already what you see.")
    require_over(actor, user)
    other = actor_of_user(user.pk)
    if other is None or not may_see_as(actor, other):
        raise Conflict(f"{user} can't sign in now, so there is nothing that he sees.")
    session = Session.objects.select_for_update().get(pk=actor.session_id)
    session.preview_of, session.preview_until = user.pk, timezone.now() + LASTS
    session.save(update_fields=["preview_of", "preview_until"])
    after = {"until": session.preview_until.isoformat()}
    audit.record(actor, "preview.begin", user, organization_id=user.organization_id, after=after)
    return session


@tenants.everything()
@transaction.atomic
def end(*, actor: Actor) -> Actor:
    """The session is its own person's again. Who acts from now on."""
    if actor.session_id is None:
        return actor
    me = actor.in_person()
    session = Session.objects.select_for_update().filter(Q(pk=actor.session_id), preview_of__isnull=False).first()
    if session is not None:
        _end(me, session, "ended")
    found = actor_of_session(actor.session_id, address=me.address, request_id=me.request_id) if session else None
    return found or me


@transaction.atomic
def expire_all() -> int:
    """Say of those whose time is over that they ended, and forget them. How many."""
    over = Session.objects.filter(preview_until__lte=timezone.now()).order_by("preview_until")
    found = list(over.select_for_update(of=("self",), skip_locked=True).select_related("user")[:MOST])
    for session in found:
        me = Actor(session.user_id, session.user.username, session_id=session.pk)
        _end(me, session, "its time was over")
    return len(found)


def _end(me: Actor, session: Session, why: str) -> None:
    user = User.objects.filter(Q(pk=session.preview_of)).first()
    session.preview_of = session.preview_until = None
    session.save(update_fields=["preview_of", "preview_until"])
    home = None if user is None else user.organization_id
    audit.record(me, "preview.end", user, organization_id=home, after={"because": why})
