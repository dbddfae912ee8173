"""Who is behind a page: the signed cookie holds a session row's id and nothing else."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from core import support, tenants
from core.actor import Actor
from core.enforce import PUBLIC, declared
from tenancy import selectors
from tenancy.services import sessions

COOKIE_KEY = "sid"
UNATTENDED = "Ovim-Unattended"  # a page that follows changes by itself: no sign that somebody is there
STILL_OPEN = ("own-password", "second-factor", "sign-out")


class SignedIn:
    """Sets `request.actor`: who is signed in, or None. The API has bearer tokens and never looks at the cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = None  # type: ignore[attr-defined]
        if not request.path.startswith("/api/"):
            session_id = request.session.get(COOKIE_KEY)
            if session_id is not None:
                request.actor = self._actor(request, UUID(session_id))  # type: ignore[attr-defined]
        return self.get_response(request)

    def _actor(self, request: HttpRequest, session_id: UUID) -> Actor | None:
        found = selectors.seen_in_session(
            session_id,
            address=getattr(request, "address", ""),
            request_id=getattr(request, "request_id", ""),
        )
        if found is None:
            return None
        actor, noted = found
        tenants.enter(actor)
        if not noted and UNATTENDED not in request.headers:
            sessions.note_use(session_id)
        return actor

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Who has to change his password, or to enrol a second factor, is led there first.

        He has no right yet anyway: `tenancy.selectors`.
        """
        actor: Actor | None = request.actor  # type: ignore[attr-defined]
        if actor is not None:
            support.chose(actor, request.GET.get("org"), request.GET.get("vdc"))
        match = request.resolver_match
        if actor is None or declared(view) == PUBLIC or not (actor.must_change_password or actor.must_enrol):
            return None
        if match is not None and match.view_name in STILL_OPEN:
            return None
        return HttpResponseRedirect(reverse("own-password" if actor.must_change_password else "second-factor"))
