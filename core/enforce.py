"""Default deny: a route that does not declare the right it needs is not served, to anybody."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.module_loading import import_string

from core.errors import DomainError, Forbidden, NotFound, Previewing
from core.rights import Right

PUBLIC: Final = "public"
SAFE: Final = ("GET", "HEAD", "OPTIONS")
V = TypeVar("V", bound=Callable[..., Any])
Refusal = Callable[[HttpRequest, DomainError], HttpResponse]


@cache
def _refusal() -> Refusal:
    refusal: Refusal = import_string(settings.OVIM_REFUSAL)
    return refusal


def needs(right: Right) -> Callable[[V], V]:
    """Declare the right that a page needs. Rows are still looked up with `core.access`."""

    def mark(view: V) -> V:
        view.right = right  # type: ignore[attr-defined]
        return view

    return mark


def public(view: V) -> V:
    """Declare that a page is for everybody, signed in or not."""
    view.right = PUBLIC  # type: ignore[attr-defined]
    return view


def declared(view: Callable[..., Any]) -> Right | str | None:
    """What a view declares: a right, PUBLIC, or None (it declares nothing). API classes declare per action."""
    owner = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return getattr(owner, "right", None) or getattr(view, "right", None)


class DefaultDeny:
    """Middleware: refuses undeclared routes, sends the unauthenticated to the sign-in page, checks the coarse right."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if hasattr(getattr(view, "cls", None), "rights"):
            return None  # an ApiView: it authenticates and checks in its own `initial`
        right = declared(view)
        if right is None:
            raise ImproperlyConfigured(f"{request.path}: the view {view!r} declares no right (core.enforce)")
        if right == PUBLIC:
            return None
        actor = getattr(request, "actor", None)
        if actor is None:
            target = resolve_url(settings.LOGIN_URL) + "?next=" + quote(request.get_full_path())
            if request.headers.get("HX-Request"):
                return HttpResponse(headers={"HX-Redirect": target})
            return HttpResponseRedirect(target)
        if actor.previewed_by and request.method not in SAFE and not getattr(view, "ends_preview", False):
            return _refusal()(request, Previewing(actor.name))
        if not actor.holds(Right(str(right))):
            # What middleware raises, Django would answer with a 500: so the error edge is asked here.
            if getattr(view, "hidden", False):
                return _refusal()(request, NotFound("There is nothing at this address."))
            return _refusal()(request, Forbidden(Right(str(right)), "this page"))
        return None
