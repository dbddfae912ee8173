"""What a cluster with KubeVirt holds before anyone asks: nodes, the KubeVirt object, instance types, a preference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.errors import ApiError
from clusters.sandbox.kubevirt.nodes import node

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
MANAGER = "virt-operator"
VERSION = "v1.9.0"
SIZES = {  # series u of common-instancetypes: name → vCPU, memory
    "u1.nano": (1, "512Mi"),
    "u1.micro": (1, "1Gi"),
    "u1.small": (1, "2Gi"),
    "u1.medium": (1, "4Gi"),
    "u1.2xmedium": (2, "4Gi"),
    "u1.large": (2, "8Gi"),
    "u1.xlarge": (4, "16Gi"),
    "u1.2xlarge": (8, "32Gi"),
}
NODES = (("sandbox-1", 128, 1024), ("sandbox-2", 128, 1024), ("sandbox-3", 128, 1024))


def instancetype(name: str, cpu: int, memory: str) -> Object:
    return {
        "apiVersion": "instancetype.kubevirt.io/v1beta1",
        "kind": "VirtualMachineClusterInstancetype",
        "metadata": {
            "name": name,
            "labels": {
                "instancetype.kubevirt.io/cpu": str(cpu),
                "instancetype.kubevirt.io/memory": memory,
                "instancetype.kubevirt.io/vendor": "kubevirt.io",
                "instancetype.kubevirt.io/size": name.partition(".")[2],
            },
        },
        "spec": {"cpu": {"guest": cpu}, "memory": {"guest": memory}},
    }


def preference(name: str, memory: str) -> Object:
    return {
        "apiVersion": "instancetype.kubevirt.io/v1beta1",
        "kind": "VirtualMachineClusterPreference",
        "metadata": {"name": name, "labels": {"instancetype.kubevirt.io/vendor": "kubevirt.io"}},
        "spec": {
            "devices": {"preferredDiskBus": "virtio", "preferredInterfaceModel": "virtio", "preferredRng": {}},
            "requirements": {"cpu": {"guest": 1}, "memory": {"guest": memory}},
        },
    }


def kubevirt() -> Object:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": [], "cpuAllocationRatio": 10}}},
    }


def status() -> Object:
    return {
        "phase": "Deployed",
        "observedKubeVirtVersion": VERSION,
        "operatorVersion": VERSION,
        "targetKubeVirtVersion": VERSION,
        "conditions": [
            {
                "type": "Available",
                "status": "True",
                "reason": "AllComponentsReady",
                "message": "All components are ready.",
            }
        ],
    }


def plant_types(cluster: Cluster) -> None:
    """Instance types and the preference: what the recorded conversations refer to."""
    for name, (cpu, memory) in SIZES.items():
        resource = "virtualmachineclusterinstancetypes.instancetype.kubevirt.io"
        if cluster.get(resource, None, name) is None:
            cluster.create(resource, instancetype(name, cpu, memory), manager=MANAGER)
    resource = "virtualmachineclusterpreferences.instancetype.kubevirt.io"
    if cluster.get(resource, None, "fedora") is None:
        cluster.create(resource, preference("fedora", "2Gi"), manager=MANAGER)


def plant(cluster: Cluster) -> None:
    """Nodes and the KubeVirt object; a restarted cluster keeps what it had."""
    for name, cpu, memory in NODES:
        if cluster.get("nodes", None, name) is None:
            cluster.create("nodes", node(name, cpu=cpu, memory_gib=memory), manager="kubelet")
    if cluster.get("namespaces", None, "kubevirt") is None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}}
        cluster.create("namespaces", body, manager=MANAGER)
    if cluster.get("kubevirts.kubevirt.io", "kubevirt", "kubevirt") is None:
        try:
            stored = cluster.create("kubevirts.kubevirt.io", kubevirt(), manager=MANAGER)
        except ApiError:
            return
        stored["status"] = status()
        cluster.update("kubevirts.kubevirt.io", stored, manager=MANAGER, subresource="status")
