"""The time zone in which somebody reads: chosen in the settings, else his browser's, else UTC. What is kept is UTC.

The browser says its own once, in a cookie (static/js/portal.js). The API knows nothing of this: it tells UTC.
"""

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

CHOSEN, BROWSERS = "zone", "browser_zone"
UTC = "UTC"


@cache
def known() -> tuple[str, ...]:
    """Names as people look for them: `Europe/Berlin`, and UTC. None of the files' leftovers."""
    return (UTC, *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))


@cache
def _names() -> frozenset[str]:
    return frozenset(known()) | available_timezones() - {"localtime", "Factory", "posixrules"}


def is_known(name: str) -> bool:
    return name in _names()


def chosen(request: HttpRequest) -> str:
    """What was chosen here; empty: the browser's own."""
    name = request.COOKIES.get(CHOSEN, "")
    return name if is_known(name) else ""


def told(request: HttpRequest) -> str:
    """What the browser has said of itself; empty: nothing yet."""
    name = request.COOKIES.get(BROWSERS, "")
    return name if is_known(name) else ""


class Zoned:
    """Middleware: what a page says of times is in the reader's zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return self.get_response(request)
        name = chosen(request) or told(request) or UTC
        with timezone.override(ZoneInfo(name)):
            return self.get_response(request)
