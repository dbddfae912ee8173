"""Who is behind a page: the signed cookie holds a session row's id and nothing else."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from tenancy import selectors

COOKIE_KEY = "sid"


class SignedIn:
    """Sets `request.actor`: who is signed in, or None. The API has bearer tokens and never looks at the cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = None  # type: ignore[attr-defined]
        if not request.path.startswith("/api/"):
            session_id = request.session.get(COOKIE_KEY)
            if session_id is not None:
                request.actor = selectors.actor_of_session(  # type: ignore[attr-defined]
                    UUID(session_id),
                    address=getattr(request, "address", ""),
                    request_id=getattr(request, "request_id", ""),
                )
        return self.get_response(request)
