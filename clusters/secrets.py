"""Clusters' credentials at rest."""

from core import sealed

PURPOSE = "ovim"


def encrypt(text: str) -> bytes:
    """Nonce and ciphertext of a credential."""
    return sealed.seal(text, PURPOSE)


def decrypt(data: bytes) -> str:
    """The credential, or Unavailable when the key is not the one it was encrypted with."""
    return sealed.unseal(data, PURPOSE, what="A cluster's credential")
