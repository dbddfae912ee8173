"""What a provider publishes of itself: its metadata and its keys, as each process holds them.

Metadata are read once an hour; a failure is remembered for seconds, so that a provider that is slow does not keep every
thread busy. Keys are read again when a token names one that is not known, at most once in REREAD_SECONDS.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import Invalid
from tenancy.oidc import door
from tenancy.oidc.door import ProviderTrouble

METADATA_SECONDS = 3600.0
FAILURE_SECONDS = 5.0
REREAD_SECONDS = 30.0
KEYS_SECONDS = 3600.0
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Metadata:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    by_post: bool = False  # the token endpoint takes the secret in the form only
    names_itself: bool = False  # answers carry `iss` (RFC 9207)


@dataclass
class _Keys:
    read_at: float
    keys: Sequence[Mapping[str, Any]]


@dataclass
class _Kept:
    metadata: dict[str, tuple[float, Metadata | ProviderTrouble]] = field(default_factory=dict)
    keys: dict[str, _Keys] = field(default_factory=dict)
    no_keys: dict[str, tuple[float, str]] = field(default_factory=dict)  # until when a failure is remembered
    lock: threading.Lock = field(default_factory=threading.Lock)


_kept = _Kept()


def forget() -> None:
    """Read everything anew: for tests, and after a provider was changed."""
    with _kept.lock:
        _kept.metadata.clear()
        _kept.keys.clear()
        _kept.no_keys.clear()


def of(issuer: str) -> Metadata:
    """The issuer's metadata, or ProviderTrouble."""
    known = _kept.metadata.get(issuer)
    if known is None or known[0] <= time.monotonic():
        try:
            found: Metadata | ProviderTrouble = _read(issuer)
        except ProviderTrouble as trouble:
            found = trouble
        fresh = METADATA_SECONDS if isinstance(found, Metadata) else FAILURE_SECONDS
        known = (time.monotonic() + fresh, found)
        _kept.metadata[issuer] = known
    if isinstance(known[1], ProviderTrouble):
        raise ProviderTrouble(known[1].message)
    return known[1]


def _read(issuer: str) -> Metadata:
    answer = door.get(issuer.rstrip("/") + WELL_KNOWN)
    if answer.status != 200:
        raise ProviderTrouble(f"The provider answers {answer.status} when asked about itself.")
    told = answer.json()
    if told.get("issuer") != issuer:
        raise ProviderTrouble(f"The provider says that it is {str(told.get('issuer'))[:200]!r}, not {issuer!r}.")
    methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_address(told, "authorization_endpoint"),
        token_endpoint=_address(told, "token_endpoint"),
        jwks_uri=_address(told, "jwks_uri"),
        userinfo_endpoint=_address(told, "userinfo_endpoint", needed=False),
        end_session_endpoint=_address(told, "end_session_endpoint", needed=False),
        by_post="client_secret_basic" not in methods and "client_secret_post" in methods,
        names_itself=told.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(told: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    found = told.get(name)
    if found is None and not needed:
        return ""
    if not isinstance(found, str):
        raise ProviderTrouble(f"The provider does not say its {name}.")
    try:
        door.check(found.partition("?")[0], name)
    except Invalid as error:
        raise ProviderTrouble(f"The provider’s {name} is no good: {error.message}") from None
    return found


def keys_for(metadata: Metadata, kid: str | None) -> list[Mapping[str, Any]]:
    """The provider's keys of this id, or all if the token names none. Read again if there is none, not too often."""
    known = _kept.keys.get(metadata.issuer)
    now = time.monotonic()
    if known is None or now - known.read_at > KEYS_SECONDS:
        known = _read_keys(metadata)
    found = _of(known.keys, kid)
    if not found and now - known.read_at > REREAD_SECONDS:
        found = _of(_read_keys(metadata).keys, kid)
    return found


def _of(keys: Sequence[Mapping[str, Any]], kid: str | None) -> list[Mapping[str, Any]]:
    return [key for key in keys if kid is None or key.get("kid") == kid]


def _read_keys(metadata: Metadata) -> _Keys:
    until, why = _kept.no_keys.get(metadata.issuer, (0.0, ""))
    if time.monotonic() < until:
        raise ProviderTrouble(why)
    try:
        return _asked_keys(metadata)
    except ProviderTrouble as trouble:
        _kept.no_keys[metadata.issuer] = (time.monotonic() + FAILURE_SECONDS, trouble.message)
        raise


def _asked_keys(metadata: Metadata) -> _Keys:
    answer = door.get(metadata.jwks_uri)
    keys = answer.json().get("keys") if answer.status == 200 else None
    if not isinstance(keys, list):
        raise ProviderTrouble("The provider does not tell its keys.")
    found = _Keys(time.monotonic(), [key for key in keys if isinstance(key, dict)])
    _kept.keys[metadata.issuer] = found
    return found
