"""Idempotency-Key: a POST that is sent twice is done once. The second is answered with what the first was answered.

Only what took effect is kept. A refusal changed nothing, so the same key may be tried again once its cause is mended
(a raised quota, a cluster that is back). Keys are for those who are signed in; others' are not looked at.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from core import replays
from core.actor import Actor
from core.api.json import Raw, Renderer
from core.errors import BadParameter, KeyReused

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
PATTERN: Final = r"^[!#-~]{1,255}$"  # as the OpenAPI document says it; the quoted form is taken, too
_KEPT = ("ETag", "Location")
_KEY = re.compile(r'"[\x20\x21\x23-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255}')


def key_of(request: Request) -> str | None:
    """The key that came with a POST. Quoted (a structured field's string) or bare, it is the same one."""
    given = request.headers.get(HEADER)
    if given is None or request.method != "POST":
        return None
    if not _KEY.fullmatch(given):
        raise BadParameter.field(HEADER, "format", f"{HEADER} must be 1 to 255 printable ASCII characters.")
    return given.strip('"')


def is_known(actor: Actor, request: Request, key: str) -> bool:
    """Whether an answer is kept for this key: then nothing new is to be done. Reads the body while it can be read raw."""
    _hash(request)
    assert actor.user_id is not None, "whoever sends a bearer token is a user"
    return replays.find(replays.digest_of(actor.user_id, f"{request.method} {request.path}", key)) is not None


def carry_out(actor: Actor, request: Request, key: str, act: Callable[[], Response]) -> Response:
    """Do it, or answer as it was answered before. KeyReused: the key belongs to another body."""
    assert actor.user_id is not None, "whoever sends a bearer token is a user"
    route = f"{request.method} {request.path}"
    digest = replays.digest_of(actor.user_id, route, key)
    with transaction.atomic():
        replays.lock(digest)
        body_hash = _hash(request)
        known = replays.find(digest)
        if known is not None:
            if known.body_hash != body_hash:
                raise KeyReused(f"This {HEADER} was used for another request. A new request needs a new key.")
            return _again(known.status, bytes(known.body), known.headers)
        response = act()
        if response.status_code < 400:
            headers = {name: response[name] for name in _KEPT if name in response}
            body = b"" if response.status_code == 204 else Renderer().render(repeatable(response))
            replays.store(
                actor.user_id, route, key, body_hash=body_hash, status=response.status_code, headers=headers, body=body
            )
    return response


def answered(actor: Actor, request: Request) -> Response | None:
    """What this very request, with its key and its body, was answered before. It is only looked at: nothing is done."""
    key = key_of(request)
    if key is None or actor.user_id is None:
        return None
    body_hash = _hash(request)  # now: once the body has been parsed, its bytes are gone
    known = replays.find(replays.digest_of(actor.user_id, f"{request.method} {request.path}", key))
    if known is None or known.body_hash != body_hash:
        return None
    return _again(known.status, bytes(known.body), known.headers)


def repeatable(response: Response) -> Any:
    """The answer's data as it may be kept and told again: without a secret that is told once (`response.kept`)."""
    return getattr(response, "kept", response.data)


def _again(status: int, body: bytes, headers: dict[str, str]) -> Response:
    return Response(Raw(body) if body else None, status=status, headers=headers | {REPLAYED: "true"})


def _hash(request: Request) -> str:
    """Keyed, so that a short body (a password to be reset) can't be guessed from what is stored."""
    plain = request._request
    query = plain.META.get("QUERY_STRING", "").encode()
    return salted_hmac("ovim.idempotency", query + b"\n" + plain.body, algorithm="sha256").hexdigest()
