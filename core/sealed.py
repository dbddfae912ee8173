"""Secrets at rest: Fernet (AES-128-CBC and HMAC-SHA256) under the keys of OVIM_CREDENTIAL_KEY.

The first key seals, all of them open, so that keys can be changed while everything runs (`core.resealing`). What is sealed
begins with its purpose: what was sealed as one thing opens as no other.
"""

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

from core.errors import Unavailable

_FERNET = b"gAAAA"  # how each of its tokens begins: the version, and the first bytes of a time
_NONCE_BYTES = 12


class SealedField(models.BinaryField):  # type: ignore[type-arg]  # of bytes at run time, without arguments
    """A column of what `seal` answers. Empty: there is none. Every one is known to `manage.py secrets`."""

    def __init__(self, purpose: str, **options: Any) -> None:
        self.purpose = purpose
        super().__init__(**options)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """To migrations it is a column of bytes: a purpose is no part of the schema."""
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.BinaryField", args, options

    def clone(self) -> "SealedField":
        _name, _path, args, options = self.deconstruct()
        return SealedField(self.purpose, *args, **options)


def seal(text: str, purpose: str) -> bytes:
    """The text encrypted under the first key. It opens for the same purpose only."""
    return _keys()[0].encrypt(f"{purpose}\0{text}".encode())


def unseal(data: bytes, purpose: str, *, what: str) -> str:
    """The text, or Unavailable when none of the keys is the one it was sealed with. `what`: begins the sentence."""
    text = opened(data, purpose)
    if text is None:
        raise Unavailable(f"{what} can't be decrypted: OVIM_CREDENTIAL_KEY is another one.")
    return text


def opened(data: bytes, purpose: str) -> str | None:
    """The text; None: no key opens it, or it was sealed as something else."""
    if not data.startswith(_FERNET):
        return _opened_as_before(data, purpose)
    try:
        found, _, text = MultiFernet(_keys()).decrypt(data).decode().partition("\0")
    except InvalidToken:
        return None
    return text if found == purpose else None


def is_fresh(data: bytes) -> bool:
    """Whether the first key sealed it."""
    try:
        _keys()[0].decrypt(data)
    except InvalidToken:
        return False
    return True


def _opened_as_before(data: bytes, purpose: str) -> str | None:
    """Before there were several keys: AES-256-GCM, a nonce in front, the purpose as associated data."""
    for key in settings.OVIM_CREDENTIAL_KEYS:
        try:
            return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    return None


def _keys() -> list[Fernet]:
    return _fernets(settings.OVIM_CREDENTIAL_KEYS)


@cache
def _fernets(keys: tuple[bytes, ...]) -> list[Fernet]:
    return [Fernet(base64.urlsafe_b64encode(key)) for key in keys]
