"""Secrets in links: sent by mail, kept hashed. A page takes its link's out of the address at once."""

import hashlib
import secrets
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

LONGEST = 100
SESSION_KEY = "link"


def made() -> tuple[str, str]:
    """A secret of 256 bits, and its digest."""
    secret = secrets.token_urlsafe(32)
    return secret, digest_of(secret)


def digest_of(secret: str) -> str:
    """Of so many random bits a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode()).hexdigest()


def link(page: str, secret: str) -> str:
    return f"{settings.OVIM_PUBLIC_URL}{reverse(page)}?{urlencode({'token': secret})}"


def taken(request: HttpRequest, page: str) -> HttpResponseRedirect | str:
    """The secret that the person came with. From the address it goes into his cookie first, so that no server that the
    page names, no history and no shoulder has it: follow the redirect then."""
    given = request.GET.get("token")
    if given is not None and request.method in ("GET", "HEAD"):
        request.session[SESSION_KEY] = [page, given[:LONGEST]]
        return HttpResponseRedirect(reverse(page))
    where, secret = request.session.get(SESSION_KEY) or ("", "")
    return str(secret) if where == page else ""


def forget(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)


def site() -> str:
    """Where this installation is, as people know it."""
    return str(settings.OVIM_PUBLIC_URL)
