"""Everything that a list's query finds, chosen by a token instead of by ids: signed, for one person, for an hour.

The token says which question is meant, never which rows: whoever uses it asks anew, with his rights of that moment. Rows
made after the token are not meant.
"""

from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from core.actor import Actor
from core.errors import Invalid
from core.listing.page import Page
from core.listing.spec import Listing

MOST = 500  # rows at once; past it one narrows the filters
LIFETIME = 3600  # seconds
_SALT = "ovim.matching"


def token(page: Page) -> str:
    told = {"l": page.listing.name, "u": str(page.actor.user_id), "q": page.query, "t": timezone.now().isoformat()}
    return signing.dumps(told, salt=_SALT, compress=True)


def rows(request: HttpRequest, listing: Listing, text: str) -> QuerySet[Any]:
    """What the token's query finds now, of what was there then. Invalid: it is no token, or too old, or another's."""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    try:
        told = signing.loads(text, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        raise Invalid.field("all", "token", "That selection is too old. Open the list again and select anew.") from None
    if (told["l"], told["u"]) != (listing.name, str(actor.user_id)):
        raise Invalid.field("all", "token", "That selection was made by somebody else, or of another list.")
    found: QuerySet[Any] = Page(request, listing, QueryDict(told["q"])).narrowed
    return found.filter(created_at__lte=datetime.fromisoformat(told["t"]))
