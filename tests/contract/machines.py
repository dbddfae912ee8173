"""Machines and waiting, for contract cases about KubeVirt and CDI.

The image is a small public one; a cluster without a way to it is told another by OVIM_CONTRACT_IMAGE.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.contract.conftest import Answer, Cluster

Object = dict[str, Any]
IMAGE = os.environ.get("OVIM_CONTRACT_IMAGE", "quay.io/containerdisks/fedora:42")
INSTALLED_IN = os.environ.get("OVIM_CONTRACT_KUBEVIRT_NAMESPACE", "kubevirt")
PATIENCE = float(os.environ.get("OVIM_CONTRACT_PATIENCE", "300" if "OVIM_CONTRACT_KUBECONFIG" in os.environ else "30"))
KUBEVIRT = "/apis/kubevirt.io/v1/namespaces"
CDI = "/apis/cdi.kubevirt.io/v1beta1/namespaces"
POWER = "/apis/subresources.kubevirt.io/v1/namespaces"
SHUTS_DOWN = "#cloud-config\npower_state:\n  mode: poweroff\n  delay: now\n"
PANICS = "#cloud-config\nruncmd:\n  - echo c > /proc/sysrq-trigger\n"


def machine(name: str, *, strategy: str = "Always", memory: str = "1Gi", cores: int = 1, user_data: str = "") -> Object:
    """A machine from a container image on the pod network."""
    volumes: list[Object] = [{"name": "root", "containerDisk": {"image": IMAGE}}]
    if user_data:
        volumes.append({"name": "init", "cloudInitNoCloud": {"userData": user_data}})
    devices = {
        "disks": [{"name": volume["name"], "disk": {"bus": "virtio"}} for volume in volumes],
        "interfaces": [{"name": "default", "masquerade": {}}],
    }
    domain = {"cpu": {"cores": cores}, "memory": {"guest": memory}, "devices": devices}
    spec = {"domain": domain, "networks": [{"name": "default", "pod": {}}], "volumes": volumes}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"runStrategy": strategy, "template": {"spec": spec}},
    }


def data_volume(name: str, source: Object, size: str = "1Gi", **storage: Any) -> Object:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {"source": source, "storage": {"resources": {"requests": {"storage": size}}, **storage}},
    }


class Space:
    """One namespace of the cluster, spoken to in the words of KubeVirt and CDI."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name

    def path(self, kind: str, name: str = "") -> str:
        base = {
            "virtualmachines": KUBEVIRT,
            "virtualmachineinstances": KUBEVIRT,
            "datavolumes": CDI,
            "datasources": CDI,
            "dataimportcrons": CDI,
        }.get(kind, "/api/v1/namespaces")
        return f"{base}/{self.name}/{kind}" + (f"/{name}" if name else "")

    def get(self, kind: str, name: str = "") -> Object:
        """The object or list, {} when it is missing."""
        answer = self.cluster.call("GET", self.path(kind, name))
        return dict(answer.body) if answer.status == 200 else {}

    def all(self, kind: str, selector: str = "") -> list[Object]:
        query = f"?labelSelector={selector}" if selector else ""
        return list(self.cluster.call("GET", self.path(kind) + query).body["items"])

    def make(self, kind: str, body: Object) -> Object:
        answer = self.cluster.call("POST", self.path(kind), body)
        assert answer.status == 201, answer.text
        return dict(answer.body)

    def patch(self, kind: str, name: str, body: Object) -> Answer:
        return self.cluster.call("PATCH", self.path(kind, name), body, media="application/merge-patch+json")

    def delete(self, kind: str, name: str) -> None:
        assert self.cluster.call("DELETE", self.path(kind, name)).status in (200, 202)

    def power(self, name: str, verb: str, body: Object | None = None, kind: str = "virtualmachines") -> Answer:
        return self.cluster.call("PUT", f"{POWER}/{self.name}/{kind}/{name}/{verb}", body or {})

    def asks(self, name: str, what: str) -> Answer:
        """A question to the guest agent."""
        return self.cluster.call("GET", f"{POWER}/{self.name}/virtualmachineinstances/{name}/{what}")

    def until(self, kind: str, name: str, holds: Callable[[Object], Any], seconds: float = PATIENCE) -> Object:
        """The object once `holds` is true of it ({} while it is missing)."""
        end = time.monotonic() + seconds
        while True:
            found = self.get(kind, name)
            if holds(found):
                return found
            assert time.monotonic() < end, f"{kind}/{name} never got there: {found.get('status')}"
            time.sleep(0.05)

    def printed(self, name: str, status: str) -> Object:
        return self.until("virtualmachines", name, lambda vm: vm.get("status", {}).get("printableStatus") == status)

    def instance(self, name: str, phase: str = "Running", *, other_than: str = "") -> Object:
        """The VMI in that phase; `other_than` is the uid of one that does not count."""

        def holds(vmi: Object) -> bool:
            return bool(vmi) and vmi["metadata"]["uid"] != other_than and vmi.get("status", {}).get("phase") == phase

        return self.until("virtualmachineinstances", name, holds)

    def launchers(self, name: str) -> list[Object]:
        pods = self.all("pods", "kubevirt.io%3Dvirt-launcher")
        return [pod for pod in pods if pod["metadata"]["name"].startswith(f"virt-launcher-{name}-")]

    def told(self, kind: str, name: str, reason: str) -> Object:
        """An event about an object, once it is there."""

        def found() -> Object | None:
            for event in self.all("events"):
                about = event["involvedObject"]
                if (about["kind"], about["name"], event["reason"]) == (kind, name, reason):
                    return event
            return None

        end = time.monotonic() + PATIENCE
        while (event := found()) is None:
            assert time.monotonic() < end, f"no event {reason} about {kind} {name}"
            time.sleep(0.05)
        return event


def condition(obj: Object, kind: str) -> Object:
    return next((item for item in obj.get("status", {}).get("conditions") or [] if item["type"] == kind), {})
