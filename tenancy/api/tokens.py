"""The two tokens of an API session, signed with ES256. They only name a session row, which has the last word."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.utils.functional import SimpleLazyObject
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from core.errors import Unauthenticated
from tenancy.models import Session

ACCESS_LIFETIME = timedelta(minutes=10)


class Signer(TokenBackend):
    """As simplejwt's, with the key's id in the header, so that a key can be changed while old tokens live."""

    def __init__(self, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        super().__init__("ES256", signing_key=pem, verifying_key=public.decode())
        self.key_id = hashlib.sha256(public).hexdigest()[:16]

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self.prepared_signing_key, algorithm=self.algorithm, headers={"kid": self.key_id})


# Lazy: reading the settings must not need the key, and a process that signs nothing never loads it.
SIGNER: Any = SimpleLazyObject(lambda: Signer(settings.OVIM_JWT_KEY))


class AccessToken(Token):
    token_type = "access"  # noqa: S105
    lifetime = ACCESS_LIFETIME
    _token_backend = SIGNER


class RefreshToken(Token):
    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(days=365)  # replaced by what is left of the session
    _token_backend = SIGNER


@dataclass(frozen=True)
class Claims:
    session_id: UUID
    token_id: UUID


def issue(session: Session) -> dict[str, Any]:
    """Both tokens of a session, as the API answers them."""
    access = AccessToken()
    access["sub"], access["sid"] = str(session.user_id), str(session.pk)
    refresh = RefreshToken()
    refresh["sub"], refresh["sid"], refresh["jti"] = str(session.user_id), str(session.pk), str(session.refresh_id)
    refresh.set_exp(from_time=session.expires_at, lifetime=timedelta(0))
    return {"access": str(access), "refresh": str(refresh), "expires_in": int(ACCESS_LIFETIME.total_seconds())}


def read(text: str, kind: Callable[[Any], Token]) -> Claims:
    """What a token says, if it is one of ours, of this kind, and still good."""
    try:
        claims, ends = _verified(text, kind)
    except (TokenError, KeyError, ValueError) as error:
        raise Unauthenticated(f"The token is not good: {error}.") from None
    if ends <= time.time():
        raise Unauthenticated("The token is not good: it has expired.")
    return claims


@lru_cache(maxsize=4096)
def _verified(text: str, kind: Callable[[Any], Token]) -> tuple[Claims, float]:
    """A signature stays good: it is checked once. When the token ends is checked at each use, and so is its session."""
    token = kind(text)
    return Claims(UUID(str(token["sid"])), UUID(str(token["jti"]))), float(token["exp"])
