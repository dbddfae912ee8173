"""Promise: a client certificate says who somebody is, by common name and organizations, and RBAC what he may do.

k8s-transcript has no conversation of one: bodies of refusals are those of a wrong token (02), and the order in which
credentials count is that of kube-apiserver's authenticators. On a real cluster what needs a certificate is tried with
the one that its kubeconfig gives, and left out where it gives none.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from clusters.sandbox.client_certificates import ClientAuthority
from tests.contract.conftest import Answer, Cluster
from tests.sandbox import Sandbox

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
WHO = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
UNAUTHORIZED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "Unauthorized",
    "reason": "Unauthorized",
    "code": 401,
}
DAY = timedelta(days=1)
Issue = Callable[..., Cluster]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox | None]:
    """The sandbox over TLS; None on a real cluster."""
    if os.environ.get("OVIM_CONTRACT_KUBECONFIG"):
        yield None
        return
    with Sandbox("--plain", tls=tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture
def issue(served: Sandbox | None, tmp_path: Path) -> Issue:
    """Somebody with a new certificate: name, groups, how long it is good."""
    if served is None:
        pytest.skip("a real cluster signs none for the asking")

    def made(name: str, *groups: str, **more: Any) -> Cluster:
        file = tmp_path / f"{name}.kubeconfig"
        file.write_text(json.dumps(served.kubeconfig(name, *groups, **more)))
        return Cluster(file)

    return made


@pytest.fixture
def holder(served: Sandbox | None, request: pytest.FixtureRequest) -> Cluster:
    """An administrator by client certificate."""
    if served is not None:
        found: Cluster = request.getfixturevalue("issue")("contract-admin", "system:masters", "auditors")
        return found
    real = Cluster(Path(os.environ["OVIM_CONTRACT_KUBECONFIG"]))
    if real.headers or "cert_file" not in real.http.connection_pool_kw:
        pytest.skip("its kubeconfig gives no client certificate")
    return real


@pytest.fixture
def stranger(holder: Cluster, tmp_path: Path) -> Cluster:
    """The same cluster, and a certificate of an authority that it does not know."""
    certificate, key = ClientAuthority(tmp_path / "elsewhere").issue("contract-admin", ["system:masters"], DAY)
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    return with_certificate(holder, tmp_path / "cert.pem", tmp_path / "key.pem")


def with_certificate(cluster: Cluster, certificate: Path | None, key: Path | None) -> Cluster:
    other = object.__new__(Cluster)
    other.__dict__.update(cluster.__dict__)
    trust = cluster.http.connection_pool_kw["ca_certs"]
    other.http = urllib3.PoolManager(
        retries=False, timeout=30, ca_certs=trust, cert_file=certificate and str(certificate), key_file=key and str(key)
    )
    other.headers = {}
    return other


def certificate_of(cluster: Cluster) -> x509.Certificate:
    user = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]
    inline = user.get("client-certificate-data")
    pem = base64.b64decode(inline) if inline else Path(user["client-certificate"]).read_bytes()
    return x509.load_pem_x509_certificate(pem)


def who(answer: Answer) -> Any:
    assert answer.status == 201, answer.text
    return answer.body["status"]["userInfo"]


def test_the_common_name_is_the_user_and_organizations_are_groups(holder: Cluster) -> None:
    found, shown = certificate_of(holder), who(holder.call("POST", REVIEW, WHO))
    subject = found.subject
    assert shown["username"] == subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    organizations = [item.value for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert shown["groups"] == [*organizations, "system:authenticated"]
    digest = hashlib.sha256(found.public_bytes(serialization.Encoding.DER)).hexdigest()
    assert shown["extra"] == {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}
    assert "uid" not in shown


def test_rbac_decides_what_its_user_may_do_by_name_and_by_group(holder: Cluster, issue: Issue) -> None:
    ann = issue("ann", "devs", "ops")
    path = "/api/v1/namespaces/default/configmaps"
    refused = ann.call("GET", path)
    assert refused.status == 403
    assert refused.body["message"] == (
        'configmaps is forbidden: User "ann" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )
    role = {
        "metadata": {"name": "read"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
    }
    where = f"{RBAC}/namespaces/default"
    assert holder.call("POST", f"{where}/roles", role).status == 201
    for subject in ({"kind": "Group", "name": "ops"}, {"kind": "User", "name": "ann"}):
        binding = {
            "metadata": {"name": "read"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", **subject}],
        }
        assert holder.call("POST", f"{where}/rolebindings", binding).status == 201
        assert ann.call("GET", path).status == 200
        assert issue("bob", "devs").call("GET", path).status == 403
        holder.call("DELETE", f"{where}/rolebindings/read")
    holder.call("DELETE", f"{where}/roles/read")


def test_the_certificate_of_another_authority_is_401_and_none_at_all_is_not(stranger: Cluster) -> None:
    refused = stranger.call("GET", "/api/v1/namespaces")
    assert (refused.status, refused.body) == (401, UNAUTHORIZED)
    assert refused.headers["content-type"] == "application/json"
    assert stranger.call("GET", "/version").status == 401, "what anybody may read, too"
    nobody = with_certificate(stranger, None, None)
    assert nobody.call("GET", "/version").status == 200
    assert 'User \\"system:anonymous\\"' in nobody.call("GET", "/api/v1/namespaces").text


def test_a_certificate_that_ended_is_401(issue: Issue) -> None:
    refused = issue("late", "system:masters", lasting_seconds=-60).call("GET", "/api/v1/namespaces")
    assert (refused.status, refused.body) == (401, UNAUTHORIZED)


def test_a_certificate_that_is_not_trusted_does_not_spoil_a_good_token(
    stranger: Cluster, served: Sandbox | None
) -> None:
    if served is None:
        pytest.skip("its kubeconfig has a certificate and no token")
    stranger.headers = {"Authorization": f"Bearer {served.token}"}
    assert stranger.call("GET", "/api/v1/namespaces").status == 200
    stranger.headers = {"Authorization": "Bearer wrong"}
    assert stranger.call("GET", "/api/v1/namespaces").status == 401


def test_a_good_certificate_counts_before_any_token(holder: Cluster) -> None:
    before = who(holder.call("POST", REVIEW, WHO))
    after = holder.call("POST", REVIEW, WHO, headers={"Authorization": "Bearer wrong"})
    assert who(after) == before


def test_the_user_of_a_certificate_impersonates_as_any_other(holder: Cluster) -> None:
    shown = who(holder.as_user("carol", "devs").call("POST", REVIEW, WHO))
    assert (shown["username"], shown["groups"]) == ("carol", ["devs", "system:authenticated"])
