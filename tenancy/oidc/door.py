"""The only way from OVIM to an identity provider: every address is checked where the socket is opened.

As with images (ADR 5) a name's addresses are looked up once, checked, and connected to; no redirect is followed. Hosts in
OVIM_OIDC_HOSTS may have private addresses, and may speak plain HTTP.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from django.conf import settings
from ssrfguard import SSRFGuardError, TooManyRedirectsError
from ssrfguard.httpx import AsyncClient

from core import outward
from core.errors import Invalid, Unavailable

TOTAL_SECONDS = 5.0
STEP_SECONDS = 3.0
LARGEST = 1024 * 1024
LONGEST = 512
_LOCAL = ("localhost", ".localhost", ".local", ".internal", ".svc")


class ProviderTrouble(Unavailable):
    """The provider can't be reached, or answers what it may not. The message is for people."""

    code = "provider_unavailable"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str  # media type, without parameters

    def json(self) -> dict[str, Any]:
        """The body as an object, or ProviderTrouble."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ProviderTrouble("The provider answers something that is no JSON.") from None
        if not isinstance(found, dict):
            raise ProviderTrouble("The provider answers JSON that is no object.")
        return found


def check(address: str, field: str) -> str:
    """What can be told of an address without the network: as given, or Invalid naming `field`."""
    try:
        parts = urlsplit(address)
        host, _port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise Invalid.field(field, "url", f"{address[:80]!r} is no address.") from None
    plain = len(address) <= LONGEST and address.isascii() and address.isprintable() and " " not in address
    if not plain or not host or parts.username is not None or parts.query or parts.fragment:
        raise Invalid.field(field, "url", "Write an address such as https://login.example.org/realms/acme.")
    named = host in settings.OVIM_OIDC_HOSTS
    if parts.scheme != "https" and not (parts.scheme == "http" and named):
        raise Invalid.field(field, "scheme", "An identity provider is spoken to by https.")
    if not named and _is_private(host):
        raise Invalid.field(
            field, "host", f"{host} is a private address: whoever runs OVIM can list it in OVIM_OIDC_HOSTS."
        )
    return address


def _is_private(host: str) -> bool:
    if host.endswith(_LOCAL) or ("." not in host and ":" not in host):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")  # 127.1: an address that resolvers read and we don't


def get(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _fetch("GET", url, headers or {}, b"")


def post(url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return _fetch("POST", url, kind | dict(headers or {}), urlencode(form).encode())


def _fetch(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Whatever the provider's documents say where to go: it is looked at again."""
    host = urlsplit(url).hostname or "the provider"
    try:
        check(url.partition("?")[0], "issuer")
        with ThreadPoolExecutor(1) as alone:  # the caller's thread may have an event loop of its own
            return alone.submit(asyncio.run, _bounded(method, url, headers, body)).result()
    except Invalid as error:
        raise ProviderTrouble(f"OVIM does not go where the provider points: {error.message}") from None
    except TooManyRedirectsError:
        raise ProviderTrouble(f"{host} leads elsewhere: OVIM follows no redirects of a provider.") from None
    except SSRFGuardError:
        raise ProviderTrouble(f"OVIM does not connect to {host}: it has a private address.") from None
    except TimeoutError:
        raise ProviderTrouble(f"{host} gave no answer within {TOTAL_SECONDS:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise ProviderTrouble(f"{host} can't be reached ({type(error).__name__}).") from None


@cache
def _tls(ca: str) -> ssl.SSLContext:
    """Reading all certificates takes longer than a sign-in: once."""
    return ssl.create_default_context(cafile=ca or None)


async def _bounded(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """One limit over everything: a provider that sends a byte a second keeps nobody longer."""
    named = (urlsplit(url).hostname or "") in settings.OVIM_OIDC_HOSTS
    policy = outward.policy(named_by_operator=named)
    client = AsyncClient(policy=policy, timeout=STEP_SECONDS, trust_env=False, verify=_tls(settings.OVIM_OIDC_CA))
    told = {"User-Agent": "OVIM", "Accept": "application/json"} | dict(headers)
    async with (
        asyncio.timeout(TOTAL_SECONDS),
        client,
        client.stream(method, url, content=body, headers=told) as answer,
    ):
        read = b""
        async for chunk in answer.aiter_bytes():
            read += chunk
            if len(read) > LARGEST:
                raise ProviderTrouble("The provider's answer is too large.")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(answer.status_code, read, kind)
