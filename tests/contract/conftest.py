"""The cluster that promises are tried on: the sandbox, or any real one that OVIM_CONTRACT_KUBECONFIG names.

A case is written once and knows nothing of which it is. It makes what it needs in a namespace of its own.
"""

import json
import os
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.contract.images import Images, serving
from tests.contract.machines import Space
from tests.contract.things import kinds
from tests.sandbox import Sandbox

__all__ = ["kinds"]  # a fixture of another module
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
JSON_PATCH, STRATEGIC = "application/json-patch+json", "application/strategic-merge-patch+json"


class Answer:
    """Status, headers and body of one answer; `body` is parsed, `text` as it came."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.status, self.headers, self.text = response.status, response.headers, response.data.decode()

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Cluster:
    """An API server and its administrator. `as_user` speaks as somebody else, by impersonation."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text())
        context = next(c["context"] for c in config["contexts"] if c["name"] == config["current-context"])
        server = next(c["cluster"] for c in config["clusters"] if c["name"] == context["cluster"])
        user = next(u["user"] for u in config["users"] if u["name"] == context["user"])
        self.url = server["server"].rstrip("/")
        self.http = urllib3.PoolManager(
            retries=False,
            timeout=30,
            ca_certs=_file(server, "certificate-authority"),
            cert_file=_file(user, "client-certificate"),
            key_file=_file(user, "client-key"),
        )
        self.headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        everything = {"Content-Type": media, **self.headers, **(headers or {})}
        return Answer(self.http.request(method, self.url + path, body=data, headers=everything))

    def as_user(self, name: str, *groups: str) -> "Cluster":
        """The same cluster, spoken to as `name` in `groups`."""
        other = object.__new__(Cluster)
        other.__dict__.update(self.__dict__)
        impersonated = urllib3.HTTPHeaderDict({**self.headers, "Impersonate-User": name})
        for group in groups:
            impersonated.add("Impersonate-Group", group)
        other.headers = impersonated  # type: ignore[assignment]  # several values of one header
        return other


def _file(holder: dict[str, str], name: str) -> str | None:
    """The path of a certificate that a kubeconfig names or carries."""
    if name in holder:
        return holder[name]
    if f"{name}-data" not in holder:
        return None
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b64decode(holder[f"{name}-data"]))
    return file.name


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    real = os.environ.get("OVIM_CONTRACT_KUBECONFIG")
    if real:
        yield Cluster(Path(real))
        return
    kubeconfig = tmp_path_factory.mktemp("sandbox") / "kubeconfig"
    hurry = os.environ.pop(
        "OVIM_SANDBOX_PACE", None
    )  # other tests of this process want it fast; cases watch it at work
    with Sandbox("--kubeconfig", str(kubeconfig)):
        if hurry is not None:
            os.environ["OVIM_SANDBOX_PACE"] = hurry
        yield Cluster(kubeconfig)


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace, deleted at the end."""
    made = cluster.call("POST", "/api/v1/namespaces", {"metadata": {"generateName": "contract-"}})
    assert made.status == 201, made.text
    name = made.body["metadata"]["name"]
    yield name
    cluster.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def here(cluster: Cluster, space: str) -> Space:
    """The fresh namespace, in the words of KubeVirt and CDI."""
    return Space(cluster, space)


@pytest.fixture
def images(cluster: Cluster) -> Iterator[Images]:
    """A server of images that the cluster can reach, known to CDI as an insecure registry."""
    with serving() as found:
        path = "/apis/cdi.kubevirt.io/v1beta1/cdis/cdi"
        before = (cluster.call("GET", path).body["spec"].get("config") or {}).get("insecureRegistries")
        change = {"spec": {"config": {"insecureRegistries": [*(before or []), found.host]}}}
        assert cluster.call("PATCH", path, change, media=MERGE).status == 200
        yield found
        cluster.call("PATCH", path, {"spec": {"config": {"insecureRegistries": before}}}, media=MERGE)
