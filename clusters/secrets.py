"""Credentials at rest: AES-256-GCM under OVIM_CREDENTIAL_KEY (NIST SP 800-38D), a fresh nonce each time."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from core.errors import Unavailable

NONCE_BYTES = 12


def encrypt(text: str) -> bytes:
    """Nonce and ciphertext of a credential."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(settings.OVIM_CREDENTIAL_KEY).encrypt(nonce, text.encode(), b"ovim")


def decrypt(data: bytes) -> str:
    """The credential, or Unavailable when the key is not the one it was encrypted with."""
    try:
        return AESGCM(settings.OVIM_CREDENTIAL_KEY).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], b"ovim").decode()
    except InvalidTag:
        raise Unavailable("A cluster's credential can't be decrypted: OVIM_CREDENTIAL_KEY is another one.") from None
