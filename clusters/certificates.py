"""Client certificates: a pair of certificate and key that somebody sent us, judged without asking anybody, and used.

Whether a cluster believes in one is its own business; that it can't is sometimes plain before.
"""

import os
import secrets
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

SOON = timedelta(days=30)
UNREADABLE = "Its client-certificate-data is no certificate in PEM (-----BEGIN CERTIFICATE-----)."
PEM = serialization.Encoding.PEM
KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class BadCertificate(Exception):
    """Why a pair can't be used. `rule` is the broken rule's name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def check(certificate: str, key: str) -> None:
    """BadCertificate unless both can be read and belong together. Both in PEM; a chain has the client's own first."""
    own, private = _own(certificate), _key(key)
    try:
        public, told = own.public_key(), holder(certificate)
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate("bad_certificate", UNREADABLE) from None
    if not told.isprintable():
        raise BadCertificate("bad_certificate", "The subject of its client-certificate-data is no readable name.")
    if public != private.public_key():
        raise BadCertificate("key_mismatch", "Its client-key-data is not the key of its client-certificate-data.")


def _own(certificate: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        raise BadCertificate("bad_certificate", UNREADABLE) from None


def _key(key: str) -> Key:
    try:
        found = serialization.load_pem_private_key(key.encode(), None)
    except TypeError:
        message = "Its client-key-data is encrypted with a password: give it without one, it is encrypted here."
        raise BadCertificate("encrypted_key", message) from None
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, KEYS):
        message = "Its client-key-data is no private key in PEM that API servers take (RSA, ECDSA or Ed25519)."
        raise BadCertificate("bad_key", message)
    return found


def begins(certificate: str) -> datetime:
    return _own(certificate).not_valid_before_utc


def ends(certificate: str) -> datetime:
    return _own(certificate).not_valid_after_utc


def holder(certificate: str) -> str:
    """Who the cluster takes OVIM for: the subject's common name, and its organizations as groups."""
    subject = _own(certificate).subject
    names = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return (names[-1] if names else "nobody") + (f" ({', '.join(groups)})" if groups else "")


def warning(until: datetime) -> str:
    """What people are told of a certificate's end: nothing until it is near."""
    left = until - datetime.now(UTC)
    when = f"{until:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta():
        return f"The client certificate ended on {when}: the cluster refuses OVIM. Renew the credential."
    if left > SOON:
        return ""
    days = f"in {left.days} days" if left.days > 1 else "within two days"
    return f"The client certificate ends on {when}, {days}: renew the credential before, or the cluster is lost."


def context(certificate: str, key: str, ca: str = "") -> ssl.SSLContext:
    """TLS that shows the certificate, and believes the server by this CA (PEM; empty: by the system's)."""
    made = ssl.create_default_context(cadata=ca or None)
    made.hostname_checks_common_name = False
    _identify(made, certificate, key)
    return made


def _identify(made: ssl.SSLContext, certificate: str, key: str) -> None:
    """`ssl` reads keys from files only. This one's folder is ours alone and gone before we return, and what lay in it

    was encrypted under a password that nobody else has known: a disk that is looked into later gives nothing away.
    """
    password = secrets.token_hex(32)
    locked = serialization.BestAvailableEncryption(password.encode())
    private = _key(key).private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked)
    with tempfile.TemporaryDirectory(prefix="ovim-") as folder:
        path = Path(folder) / "pair.pem"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(certificate.encode() + b"\n" + private)
        made.load_cert_chain(path, password=password)
