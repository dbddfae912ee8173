"""Answers of the API and pages in br or gzip, for those who take it. Static files are WhiteNoise's.

BREACH (what a secret and a reflected guess have in common shows in the length): tokens and
secrets are answered only under `NEVER`, which is not compressed; other API answers need a bearer token that no foreign
page can make a browser send; in pages the CSRF token is masked anew each time, and gzip of pages is padded
at random (Django's own). ETags stay as they are: they are generations, for If-Match alone.
"""

import gzip
from collections.abc import Callable

import brotli
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

SMALLEST = 1024  # bytes; below, the frame's overhead eats what is won
GZIP_LEVEL, BROTLI_QUALITY = 4, 4
PADDING = 100  # bytes at most, of pages
KINDS = ("application/json", "application/problem+json", "text/html", "application/vnd.oai.openapi")
NEVER = ("/api/v1/auth/", "/api/v1/me/", "/api/v1/tokens")


class Compressed:
    """Middleware, around everything that writes a body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, HttpResponse) or not _worth_it(request, response):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        taken = _taken(request.headers.get("Accept-Encoding", ""))
        page = response.headers["Content-Type"].startswith("text/html")
        if page and "gzip" in taken:
            _put(response, compress_string(response.content, max_random_bytes=PADDING), "gzip")
        elif not page and "br" in taken:
            _put(response, brotli.compress(response.content, quality=BROTLI_QUALITY), "br")
        elif "gzip" in taken:
            _put(response, gzip.compress(response.content, GZIP_LEVEL, mtime=0), "gzip")
        return response


def _worth_it(request: HttpRequest, response: HttpResponse) -> bool:
    return (
        not response.has_header("Content-Encoding")
        and not request.path.startswith(NEVER)
        and response.headers.get("Content-Type", "").startswith(KINDS)
        and len(response.content) >= SMALLEST
    )


def _put(response: HttpResponse, body: bytes, encoding: str) -> None:
    response.content = body
    response.headers["Content-Length"] = str(len(body))
    response.headers["Content-Encoding"] = encoding


def _taken(header: str) -> set[str]:
    """The codings that the client takes (RFC 9110 §12.5.3): named, and not with a weight of nothing."""
    found = set()
    for part in header.lower().split(","):
        name, _, rest = part.partition(";")
        weight = rest.strip().removeprefix("q=").strip()
        if weight.rstrip("0") not in ("0.", "") or not rest:
            found.add(name.strip())
    return found
