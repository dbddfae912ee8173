"""A browser that has been let in: from where it came, and the cookie it gets."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token

from core.actor import Actor
from tenancy import links
from tenancy.middleware import COOKIE_KEY
from tenancy.models import Session
from tenancy.services import sessions

PENDING = "second"  # in the signed cookie, between the two steps
ARRIVAL = "arrival"  # beside it, where the first step was a provider's
PATIENCE = 300.0  # seconds from the first step to the code


def visitor_of(request: HttpRequest) -> Actor:
    """Whoever has not signed in: from where, and under which request."""
    address, request_id = getattr(request, "address", ""), getattr(request, "request_id", "")
    return Actor(user_id=None, name="", address=address, request_id=request_id)


def whence(request: HttpRequest) -> dict[str, Any]:
    """From where somebody signs in, and with what."""
    return {
        "visitor": visitor_of(request),
        "way": sessions.Way.BROWSER,
        "user_agent": request.headers.get("User-Agent", ""),
    }


def enter(request: HttpRequest, session: Session, where: str) -> HttpResponse:
    """The cookie names the session; a link that the person came by goes with him, and nothing else."""
    link = request.session.get(links.SESSION_KEY)
    request.session.flush()
    request.session[COOKIE_KEY] = str(session.pk)
    if link is not None:
        request.session[links.SESSION_KEY] = link
    rotate_token(request)
    return HttpResponseRedirect(where)
