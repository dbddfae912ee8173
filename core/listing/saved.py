"""Views that a person keeps: a list's query under a name. One's own; nobody else sees them."""

from collections.abc import Sequence

from django.db import transaction
from django.http import QueryDict

from core import access, rows
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.models import SavedView
from core.rights import Right

MOST = 20  # a list; more are no tabs any more
LONGEST = 2000


def of(actor: Actor, listing: str) -> Sequence[SavedView]:
    mine = access.visible(actor, SavedView.objects.filter(listing=listing), Right.SELF)
    return list(mine.order_by("pk")[:MOST])


@transaction.atomic
def save(*, actor: Actor, listing: str, name: str, query: str) -> SavedView:
    """Keep a query under a name; one of that name is replaced. Nobody else is concerned, so nothing is audited."""
    if actor.user_id is None:
        raise Invalid.field("owner", "person", "Only a person keeps views.")
    name = " ".join(name.split())
    if not name or len(name) > 40 or "\0" in name:
        raise Invalid.field("name", "length", "Give the view a name of 1 to 40 characters.")
    if len(query) > LONGEST or "\0" in query:
        raise Invalid.field("query", "length", f"A view's query has at most {LONGEST} characters.")
    query = clean(query)
    mine = access.visible(actor, SavedView.objects.filter(listing=listing), Right.SELF)
    view = mine.select_for_update().filter(name=name).first()
    if view is None:
        if mine.count() >= MOST:
            raise Conflict(f"A list has at most {MOST} views of one's own. Remove one first.")
        return rows.save(SavedView(owner_id=actor.user_id, listing=listing, name=name, query=query), new=True)
    view.query = query
    return rows.save(view)


def remove(*, actor: Actor, pk: str) -> SavedView:
    view = access.get(actor, SavedView.objects.all(), pk, Right.SELF)
    view.delete()
    return view


def clean(query: str) -> str:
    """A query as it may stand in an address, without a position in the list."""
    kept = QueryDict(query[:LONGEST], mutable=True)
    for position in ("after", "before", "ids", "peek", "facet", "counts"):
        kept.pop(position, None)
    return kept.urlencode()
