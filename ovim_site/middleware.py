"""What every request gets: an id that appears in the answer, the log and the audit log, and a Content-Security-Policy."""

import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core import audit
from core.ids import uuid7

log = logging.getLogger("ovim.request")
# On every answer, whoever made it. What is an answer to one person is kept by no cache, not the browser's either: whoever
# goes back after signing out sees nothing. Static files say themselves how long they stay.
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestContext:
    """Takes X-Request-Id if it is sane, makes one otherwise; logs one line a request; sets the security headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            f"connect-src 'self' {settings.OVIM_LIVE_URL}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if _REQUEST_ID.fullmatch(given) else uuid7().hex  # type: ignore[attr-defined]
        request.address = address_of(request)  # type: ignore[attr-defined]
        started = time.monotonic()
        with audit.request():
            response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        response.headers.setdefault("Content-Security-Policy", self.policy)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        log.info(
            "%s %s %s",
            request.method,
            request.path,
            response.status_code,
            extra={
                "request_id": request.request_id,  # type: ignore[attr-defined]
                "milliseconds": round((time.monotonic() - started) * 1000, 1),
            },
        )
        return response


def address_of(request: HttpRequest) -> str:
    """Where the request comes from: the peer, or behind N proxies of ours what the outermost of them saw.

    X-Forwarded-For is written by anybody; only its last N entries were added by our own proxies.
    """
    peer: str = request.META.get("REMOTE_ADDR", "")
    hops = settings.OVIM_TRUSTED_PROXIES
    if not hops:
        return peer[:64]
    seen = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    return (seen[-hops] if len(seen) >= hops else peer)[:64]
