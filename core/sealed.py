"""Secrets at rest: AES-256-GCM under OVIM_CREDENTIAL_KEY (NIST SP 800-38D), a fresh nonce each time."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from core.errors import Unavailable

NONCE_BYTES = 12


def seal(text: str, purpose: str) -> bytes:
    """Nonce and ciphertext. It opens for the same purpose only: what was sealed as one thing is no other."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(settings.OVIM_CREDENTIAL_KEY).encrypt(nonce, text.encode(), purpose.encode())


def unseal(data: bytes, purpose: str, *, what: str) -> str:
    """The text, or Unavailable when the key is not the one it was sealed with. `what`: begins the sentence."""
    cipher = AESGCM(settings.OVIM_CREDENTIAL_KEY)
    try:
        return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], purpose.encode()).decode()
    except InvalidTag:
        raise Unavailable(f"{what} can't be decrypted: OVIM_CREDENTIAL_KEY is another one.") from None
