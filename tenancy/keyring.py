"""The keys of access tokens, as each process holds them: one that signs, and all that still verify.

Read from the database once in REREAD_SECONDS, and at once when a token names a key that is not known yet. With no key
in the table, the one in OVIM_JWT_KEY signs.
"""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from jwt.algorithms import ECAlgorithm

from core import sealed
from core.errors import Unavailable
from tenancy.models import SigningKey

REREAD_SECONDS = 30.0
SOONEST_SECONDS = 1.0  # made-up key ids must not make us ask the database with every request
PURPOSE = "signing-key"


@dataclass(frozen=True)
class Key:
    """One key pair, or only its public half. `ends_at`: Unix time from which it verifies nothing; None: no end is set."""

    kid: str
    public: ec.EllipticCurvePublicKey
    sealed: bytes = b""
    ends_at: float | None = None

    @cached_property
    def private(self) -> ec.EllipticCurvePrivateKey:
        """Opened when something is signed: who only verifies never needs it."""
        if not self.sealed:
            return of_settings()[1]
        return private_of(sealed.unseal(self.sealed, PURPOSE, what="The key that signs tokens"))

    def is_good(self) -> bool:
        return self.ends_at is None or self.ends_at > time.time()

    def as_jwk(self) -> dict[str, Any]:
        return {**jwk(self.public), "kid": self.kid, "alg": "ES256", "use": "sig"}


def private_of(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unavailable("The key that signs tokens is no private key on the curve P-256.")
    return key


def jwk(public: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """kty, crv, x and y."""
    found: dict[str, Any] = ECAlgorithm.to_jwk(public, as_dict=True)
    return {name: found[name] for name in ("crv", "kty", "x", "y")}


def kid_of(public: ec.EllipticCurvePublicKey) -> str:
    """RFC 7638: the SHA-256 of the JWK's required members, in their order, without blanks."""
    text = json.dumps(jwk(public), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def pem_of(public: ec.EllipticCurvePublicKey) -> str:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def of_settings() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The id and the key of OVIM_JWT_KEY."""
    private = private_of(settings.OVIM_JWT_KEY)
    return kid_of(private.public_key()), private


@dataclass(frozen=True)
class Keys:
    signing: Key
    verifying: Mapping[str, Key]
    read_at: float


_held: dict[str, Keys] = {}


def forget() -> None:
    """The next use reads them anew: after this process has changed them."""
    _held.clear()


def current() -> Keys:
    held = _held.get("keys")
    if held is None or time.monotonic() - held.read_at > REREAD_SECONDS:
        held = _held["keys"] = _read()
    return held


def verifying(kid: str) -> Key | None:
    """The key of that id, if what it signed is good."""
    keys = current()
    if kid not in keys.verifying and time.monotonic() - keys.read_at > SOONEST_SECONDS:
        forget()
        keys = current()
    key = keys.verifying.get(kid)
    return key if key is not None and key.is_good() else None


def _read() -> Keys:
    rows = [_key(row) for row in SigningKey.objects.order_by("-created_at", "-id")]
    given, private = of_settings()
    own = Key(given, private.public_key())
    found = {key.kid: key for key in rows}
    found.setdefault(given, own)
    # One that was retired, or is on its way out, does not sign.
    signing = next((key for key in rows if key.ends_at is None), None)
    if signing is None:
        signing = found[given]
        if not signing.is_good():
            raise Unavailable("Every key that signs tokens has ended: manage.py signing_keys rotate makes one.")
    return Keys(signing, found, time.monotonic())


def _key(row: SigningKey) -> Key:
    public = serialization.load_pem_public_key(row.public.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey), "only such keys are kept"
    ends_at = row.ends_at.timestamp() if row.ends_at else None
    return Key(row.kid, public, bytes(row.private), ends_at)
