"""Sandboxes as clusters of a fleet, prepared as an operator prepares a cluster, with kubectl's own requests."""

import base64
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clusters.errors import Unreachable
from clusters.fleet import look_over, register_cluster
from clusters.kubeconfig import Access
from clusters.models import Cluster
from clusters.refs import WATCHED
from core.actor import system_actor
from tenancy.models import Organization
from tenancy.services.organizations import create_organization
from tests.engine import driver
from tests.sandbox import TOKEN, Sandbox
from vdcs.models import Vdc
from vdcs.services import create_vdc
from vms.models import VirtualMachine
from vms.services import create_vm

SYSTEM = system_actor("test")
ROOT = Path(__file__).resolve().parents[2]
PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Secret": "secrets",
}


def manifests(*folders: str) -> list[dict[str, Any]]:
    files = sorted(file for folder in folders for file in (ROOT / "deploy" / folder).glob("*.yaml"))
    return [body for file in files for body in yaml.safe_load_all(file.read_text())]


def prepare(sandbox: Sandbox) -> str:
    """`kubectl apply -f deploy/crds -f deploy/rbac -f deploy/account`; the token of the account."""
    for body in manifests("crds", "rbac", "account"):
        apply(sandbox, body)
    path = "/api/v1/namespaces/ovim-system/secrets/ovim-token"
    while not (data := sandbox.request("GET", path).get("data")):
        time.sleep(0.05)
    return base64.b64decode(data["token"]).decode()


def path_of(body: dict[str, Any]) -> str:
    version, metadata = body["apiVersion"], body["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{PLURALS[body['kind']]}/{metadata['name']}"


def apply(sandbox: Sandbox, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{sandbox.url}{path_of(body)}?fieldManager=kubectl&force=true",
        method="PATCH",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/apply-patch+yaml"},
    )
    sandbox.open(request).close()


@dataclass
class Prepared:
    """A sandbox as an operator leaves it: OVIM's account has what `deploy/account` gives it."""

    sandbox: Sandbox
    token: str
    ca: str = ""

    @property
    def url(self) -> str:
        return self.sandbox.url

    def kubeconfig(self, name: str = "ovim", *groups: str, **more: Any) -> str:
        """By a client certificate; without groups of an administrator."""
        return json.dumps(self.sandbox.kubeconfig(name, *(groups or ("system:masters",)), **more))

    def body(self, name: str, **more: Any) -> dict[str, Any]:
        """What `POST clusters` takes to register it."""
        return {"name": name, "server": self.url, "token": self.token} | more


@dataclass
class Fleet:
    """The product without its processes on two clusters: turned by hand until something is the case."""

    east: Prepared
    west: Prepared
    images: str

    def register(self, prepared: Prepared, name: str = "", **more: Any) -> Cluster:
        access = Access(prepared.url, prepared.token, prepared.ca)
        found = look_over(actor=SYSTEM, access=access)
        name = name or ("east" if prepared is self.east else "west")
        return register_cluster(actor=SYSTEM, name=name, access=access, findings=found, **more)

    def organization(self, name: str = "acme") -> Organization:
        found = Organization.objects.filter(name=name).first()
        return found or create_organization(actor=SYSTEM, name=name, display_name=name.title())

    def vdc(self, name: str, cluster: Cluster | None = None, organization: str = "acme", **more: Any) -> Vdc:
        home = self.organization(organization)
        return create_vdc(actor=SYSTEM, organization=home, name=name, cluster=cluster, **more)

    def vm(self, name: str, vdc: Vdc, **more: Any) -> VirtualMachine:
        given: dict[str, Any] = {
            "image_url": f"{self.images}/good.qcow2",
            "cpu": 1,
            "memory_mib": 512,
            "disk_gib": 1,
        } | more
        return create_vm(actor=SYSTEM, vdc=vdc, name=name, **given)

    def turn(self) -> None:
        """Of each cluster that answers: list everything into the cache, then work off what is due."""
        for cluster in Cluster.objects.all():
            with contextlib.suppress(Unreachable):
                driver.relist(cluster, WATCHED)
            driver.work(cluster)

    def until(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, list(VirtualMachine.objects.values("name", "phase", "conditions"))
            self.turn()
            time.sleep(0.02)
        return found

    @staticmethod
    def phase(row: Any) -> str:
        row.refresh_from_db()
        return str(row.phase)

    @staticmethod
    def exists(row: Any) -> bool:
        return bool(type(row)._default_manager.filter(pk=row.pk).exists())

    @staticmethod
    def names(prepared: Prepared, path: str) -> set[str]:
        return {item["metadata"]["name"] for item in prepared.sandbox.request("GET", path)["items"]}

    def clean(self) -> None:
        """Nothing of this test stays in a cluster for the next one."""
        for prepared in (self.east, self.west):
            if prepared.sandbox.process is not None:
                emptied(prepared.sandbox)


def emptied(sandbox: Sandbox) -> None:
    for path in ("/apis/ovim.io/v1/organizations", "/api/v1/namespaces"):
        for item in sandbox.request("GET", path)["items"]:
            if item["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "ovim":
                with contextlib.suppress(urllib.error.HTTPError):
                    sandbox.request("DELETE", f"{path}/{item['metadata']['name']}")
    end = time.monotonic() + 20
    selector = "/api/v1/namespaces?labelSelector=app.kubernetes.io/managed-by%3Dovim"
    while left := sandbox.request("GET", selector)["items"]:
        assert time.monotonic() < end, f"did not go: {[item['metadata'] for item in left]}"
        time.sleep(0.05)
