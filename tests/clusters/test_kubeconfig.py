"""Kubeconfigs that people send: what is taken from one, and what is refused by name."""

import base64
import json
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID

from clusters import certificates
from clusters.kubeconfig import Access, Unusable, parse, read
from clusters.sandbox.client_certificates import ClientAuthority

PEM = serialization.Encoding.PEM
PKCS1, PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
with tempfile.TemporaryDirectory() as folder:
    SIGNER = ClientAuthority(Path(folder))
CERTIFICATE, KEY = SIGNER.issue("me", ["us"], timedelta(days=1))
STRANGE = SIGNER.issue("me\0", ["us"], timedelta(days=1))[0]
OTHERS = SIGNER.issue("me", ["us"], timedelta(days=1))[1]
LOCKED = (
    serialization.load_pem_private_key(KEY.encode(), None)
    .private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"p"))
    .decode()
)


def inline(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PAIR = json.dumps({"client-certificate-data": inline(CERTIFICATE), "client-key-data": inline(KEY)})


def config(user: Any = None, **cluster: Any) -> str:
    return yaml.safe_dump(
        {
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "one", "user": "me"}},
                {"name": "b", "context": {"cluster": "two", "user": "me"}},
            ],
            "clusters": [
                {"name": "one", "cluster": {"server": "https://one.example.org:6443/"} | cluster},
                {"name": "two", "cluster": {"server": "https://two.example.org"}},
            ],
            "users": [{"name": "me", "user": {"token": "t0k3n"} if user is None else user}],
        }
    )


def pair(**changes: str) -> str:
    return config(user=json.loads(PAIR) | changes)


def test_a_client_certificate_with_its_key_in_place_of_a_token():
    found = parse(pair())
    assert (found.token, found.certificate, found.key) == ("", CERTIFICATE, KEY)
    assert KEY.splitlines()[1] not in repr(found)
    assert "t0k3n" not in repr(parse(config()))


def test_files_are_read_beside_a_kubeconfig_of_ours(tmp_path):
    (tmp_path / "c.pem").write_text(CERTIFICATE)
    (tmp_path / "k.pem").write_text(KEY)
    (tmp_path / "config").write_text(config(user={"client-certificate": "c.pem", "client-key": "k.pem"}))
    assert (read(tmp_path / "config").certificate, read(tmp_path / "config").key) == (CERTIFICATE, KEY)


def test_the_current_context_or_the_one_that_is_named():
    pem = "-----BEGIN CERTIFICATE-----\n"
    found = parse(config(None, **{"certificate-authority-data": base64.b64encode(pem.encode()).decode()}))
    assert found == Access("https://one.example.org:6443", "t0k3n", pem)
    assert parse(config(), "b").server == "https://two.example.org"


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("{", "not_yaml", "not YAML"),
        ("[]", "not_a_kubeconfig", "no kubeconfig"),
        ("apiVersion: v1", "not_a_kubeconfig", "no contexts"),
        ("contexts: []", "no_context", "There are: none"),
        (config(user={"exec": {"command": "aws"}}), "exec", "runs a program"),
        (config(user={"auth-provider": {"name": "gcp"}}), "auth_provider", "auth-provider"),
        (config(user={"client-certificate": "/etc/passwd", "client-key": "/k"}), "names_a_file", "--flatten"),
        (config(user={"client-certificate-data": "?"}), "bad_certificate", "base64"),
        (pair(**{"client-key-data": ""}), "no_client_key", "go together"),
        (pair(**{"client-certificate-data": ""}), "no_client_certificate", "go together"),
        (pair(**{"client-key": "/k", "client-key-data": ""}), "names_a_file", "client-key"),
        (pair(token="t"), "one_of", "leave one of them out"),
        (pair(**{"client-certificate-data": inline("no PEM")}), "bad_certificate", "no certificate in PEM"),
        (pair(**{"client-certificate-data": inline(STRANGE)}), "bad_certificate", "no readable name"),
        (pair(**{"client-key-data": inline("no PEM")}), "bad_key", "no private key in PEM"),
        (pair(**{"client-key-data": inline(OTHERS)}), "key_mismatch", "not the key of its client-certificate-data"),
        (pair(**{"client-key-data": inline(LOCKED)}), "encrypted_key", "without one"),
        (config(json.loads(PAIR), server="http://one.example.org"), "https", "over TLS only"),
        (config(user={"username": "a", "password": "b"}), "username", "password"),
        (config(user={"token": "t", "as": "root"}), "as", "acts as somebody else"),
        (config(user={}), "no_token", "service account's token"),
        (config(user={"tokenFile": "/etc/passwd"}), "names_a_file", "--flatten"),
        (config(None, **{"certificate-authority": "/etc/passwd"}), "names_a_file", "--flatten"),
        (config(None, **{"certificate-authority-data": "?"}), "bad_ca", "base64"),
        (config(None, **{"insecure-skip-tls-verify": True}), "insecure_skip_tls_verify", "name its CA"),
        (config(None, **{"proxy-url": "http://proxy"}), "proxy_url", "proxy"),
        (config(None, **{"tls-server-name": "other"}), "tls_server_name", "another name"),
        (config(server=""), "no_server", "no server"),
        ("x" * 300_000, "too_large", "256 KiB"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(text, rule, words):
    with pytest.raises(Unusable, match=words) as refusal:
        parse(text)
    assert refusal.value.rule == rule


def test_keys_of_every_make_are_taken(tmp_path):
    """RSA as kubeadm writes it, PKCS #8 as openssl does, Ed25519."""
    for key, form in ((rsa.generate_private_key(65537, 2048), PKCS1), (ed25519.Ed25519PrivateKey.generate(), PKCS8)):
        text = key.private_bytes(PEM, form, serialization.NoEncryption()).decode()
        start = datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
        algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
        pem = made.sign(key, algorithm).public_bytes(PEM).decode()
        found = parse(config({"client-certificate-data": inline(pem), "client-key-data": inline(text)}))
        assert certificates.context(found.certificate, found.key).verify_mode == ssl.CERT_REQUIRED


def test_a_context_that_there_is_not_is_told_with_those_there_are():
    with pytest.raises(Unusable, match=r"'c'.*There are: a, b") as refusal:
        parse(config(), "c")
    assert refusal.value.rule == "no_context"
