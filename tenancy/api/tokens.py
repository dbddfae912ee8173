"""The two tokens of an API session, signed with ES256. They only name a session row, which has the last word."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import jwt
from django.conf import settings

from core.errors import Unauthenticated
from core.ids import uuid7
from tenancy import keyring
from tenancy.models import Session

ACCESS_LIFETIME: Final = timedelta(minutes=10)
LEEWAY_SECONDS: Final = 5  # by which the clocks of two web processes may differ
AUDIENCE: Final = "ovim"
LARGEST: Final = 2048  # ours have about 600 characters
REQUIRED: Final = ["typ", "iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"]


class Kind(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True)
class Claims:
    session_id: UUID
    token_id: UUID


def issue(session: Session) -> dict[str, Any]:
    """Both tokens of a session, as the API answers them."""
    now = int(time.time())
    lifetime = int(ACCESS_LIFETIME.total_seconds())
    return {
        "access": _signed(session, Kind.ACCESS, uuid7(), now, now + lifetime),
        "refresh": _signed(session, Kind.REFRESH, session.refresh_id, now, int(session.expires_at.timestamp())),
        "expires_in": lifetime,
    }


def _signed(session: Session, kind: Kind, token_id: UUID, now: int, ends: int) -> str:
    key = keyring.current().signing
    claims = {
        "typ": kind.value,
        "iss": settings.OVIM_PUBLIC_URL,
        "aud": AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.pk),
        "jti": str(token_id),
        "iat": now,
        "nbf": now,
        "exp": ends,
    }
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})


def read(text: str, kind: Kind) -> Claims:
    """What a token says, if it is one of ours, of this kind, and still good."""
    if len(text) > LARGEST:
        raise _bad(f"it has more than {LARGEST} characters")
    try:
        verified = _verified(text, kind)
    except jwt.PyJWTError as error:
        raise _bad(_told(error)) from None
    if keyring.verifying(verified.kid) is None:
        raise _bad("the key that signed it has ended")
    if verified.ends + LEEWAY_SECONDS <= time.time():
        raise _bad("it has expired")
    return verified.claims


@dataclass(frozen=True)
class _Verified:
    claims: Claims
    kid: str
    ends: float


@lru_cache(maxsize=4096)
def _verified(text: str, kind: Kind) -> _Verified:
    """A signature stays good: it is checked once. Whether the key has ended, the token, or its session: at each use."""
    kid = jwt.get_unverified_header(text).get("kid")
    key = keyring.verifying(kid) if isinstance(kid, str) else None
    if key is None:
        raise _Said("no key of this id is in use")
    claims: Mapping[str, Any] = jwt.decode(
        text,
        key.public,
        algorithms=["ES256"],
        audience=AUDIENCE,
        issuer=settings.OVIM_PUBLIC_URL,
        leeway=LEEWAY_SECONDS,
        options={"require": REQUIRED},
    )
    if claims["typ"] != kind:
        raise _Said(f"it is no {kind} token")
    try:
        named = Claims(UUID(claims["sid"]), UUID(claims["jti"]))
    except (ValueError, TypeError, AttributeError):
        raise jwt.DecodeError from None
    return _Verified(named, str(kid), float(claims["exp"]))


class _Said(jwt.InvalidTokenError):
    """Told in its own words."""


# Ordered: the first that fits. Never PyJWT's own words, which change with its versions.
_TOLD: Mapping[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not good yet",
    jwt.InvalidIssuerError: "it was issued by somebody else",
    jwt.InvalidAudienceError: "it is meant for somebody else",
    jwt.MissingRequiredClaimError: "it lacks a claim",
    jwt.InvalidAlgorithmError: "only ES256 is taken",
    jwt.InvalidSignatureError: "its signature is wrong",
}


def _told(error: jwt.PyJWTError) -> str:
    if isinstance(error, _Said):
        return str(error)
    return next((words for kind, words in _TOLD.items() if isinstance(error, kind)), "it is no token of ours")


def _bad(why: str) -> Unauthenticated:
    return Unauthenticated(f"The token is not good: {why}.")
