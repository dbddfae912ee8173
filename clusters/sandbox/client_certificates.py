"""Users by client certificate: the authority that signs them, and who a certificate says that somebody is.

As kube-apiserver has it with `--client-ca-file`: the name is the subject's common name, groups are its organizations.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from clusters.sandbox.call import User
from clusters.sandbox.rbac import MASTERS
from clusters.sandbox.tls import YEARS, name_of, secret_file, usage_of
from clusters.sandbox.tokens import CREDENTIAL

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
BACKDATED = timedelta(minutes=5)


class UntrustedError(Exception):
    """A certificate that says nothing about who its holder is: of another authority, over, or for another use."""


class ClientAuthority:
    """One key in a directory: made once, and with it what it has signed stays good."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path, key = directory / "client-ca.crt", directory / "client-ca.key"
        if not (self.path.exists() and key.exists()):
            _make(self.path, key)
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        self.key, self.certificate = found, x509.load_pem_x509_certificate(self.path.read_bytes())
        self._store = Store([self.certificate])

    def issue(self, name: str, groups: Sequence[str], lasting: timedelta) -> tuple[str, str]:
        """A certificate and its key in PEM, as `kubeadm kubeconfig user` makes them; one may be over already."""
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.now(UTC)
        first = min(start - BACKDATED, start + lasting - BACKDATED)
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = (
            x509.CertificateBuilder(self.certificate.subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(start + lasting)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage_of(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

    def user(self, presented: Sequence[x509.Certificate]) -> User | None:
        """Who the certificate says its holder is; None when it has no common name. UntrustedError: it is not ours."""
        own, *sent = presented
        policy = PolicyBuilder().store(self._store).time(datetime.now(UTC))
        lenient = ExtensionPolicy.permit_all()  # of a web site's certificate more would be asked: names, for one
        verifier = policy.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=lenient)
        try:
            verifier.build_client_verifier().verify(own, sent)
        except VerificationError as error:
            raise UntrustedError(str(error)) from None
        _check_use(own)
        names = own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = str(names[-1].value) if names else ""
        if not name:
            return None
        groups = tuple(str(item.value) for item in own.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
        if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
            groups = (*groups, AUTHENTICATED)
        extra = {CREDENTIAL: [f"X509SHA256={own.fingerprint(hashes.SHA256()).hex()}"]}
        return User(name, groups, admin=MASTERS in groups, extra=extra)


def _check_use(own: x509.Certificate) -> None:
    """A certificate that names no use is for all of them; one that names others is not for signing in."""
    try:
        found = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(found):
        raise UntrustedError("it is not for clients")


def _make(path: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.now(UTC) - BACKDATED
    name = name_of("ovim sandbox client CA")
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start + YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage_of(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret_file(key_path, key)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
