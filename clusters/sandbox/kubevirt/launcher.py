"""The virt-launcher pod of a VMI as a pure function, with the requests a real one has.

Numbers: facts/kubevirt.md section 5.1 (CPU ratio 10; guest/512 + 240 MiB + 8 MiB per vCPU + 8 MiB + 32 MiB video).
"""

from __future__ import annotations

from typing import Any

from clusters.sandbox.cdi.objects import owner_reference
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.quantity import parse

Object = dict[str, Any]
MIB = 1024**2
FIXED_MIB = 240
PER_VCPU_MIB = 8
IO_MIB = 8
VIDEO_MIB = 32
TPM_MIB = 53
DEDICATED_MIB = 100
IMAGE = "quay.io/kubevirt/virt-launcher:v1.9.0"
INHERITED = (
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "subdomain",
    "dnsConfig",
    "dnsPolicy",
)
EXTRA_GRACE = 15  # virt-launcher outlives its guest's own grace period


def vcpus(spec: Object) -> int:
    cpu = spec["domain"].get("cpu") or {}
    return int((cpu.get("sockets") or 1) * (cpu.get("cores") or 1) * (cpu.get("threads") or 1))


def guest_memory(spec: Object) -> int:
    domain = spec["domain"]
    guest = quantity((domain.get("memory") or {}).get("guest"))
    return guest or quantity(((domain.get("resources") or {}).get("requests") or {}).get("memory"))


def overhead(spec: Object) -> int:
    """Bytes the machinery around a guest needs."""
    devices = spec["domain"].get("devices") or {}
    mib = FIXED_MIB + PER_VCPU_MIB * vcpus(spec) + IO_MIB
    if devices.get("autoattachGraphicsDevice") is not False:
        mib += VIDEO_MIB
    if "tpm" in devices and devices["tpm"].get("enabled") is not False:
        mib += TPM_MIB
    if (spec["domain"].get("cpu") or {}).get("dedicatedCpuPlacement"):
        mib += DEDICATED_MIB
    return guest_memory(spec) // 512 + mib * MIB


def requests(spec: Object, gates: Gates) -> Object:
    """CPU and memory the compute container asks for."""
    asked = (spec["domain"].get("resources") or {}).get("requests") or {}
    cpu = asked.get("cpu")
    if (spec["domain"].get("cpu") or {}).get("dedicatedCpuPlacement"):
        cpu = str(vcpus(spec))
    elif cpu is None:
        cpu = f"{vcpus(spec) * 1000 // gates.cpu_allocation_ratio}m"
    memory = quantity(asked.get("memory")) or guest_memory(spec)
    if not (spec["domain"].get("resources") or {}).get("overcommitGuestOverhead"):
        memory += overhead(spec)
    return {"cpu": str(cpu), "memory": str(memory)}


def limits(spec: Object, wanted: Object, *, quota_limits: frozenset[str]) -> Object:
    """Explicit limits; where a quota counts memory limits, KubeVirt sets twice the request by itself."""
    asked = dict((spec["domain"].get("resources") or {}).get("limits") or {})
    result: Object = {}
    if "cpu" in asked:
        result["cpu"] = asked["cpu"]
    if "memory" in asked:
        result["memory"] = str(quantity(asked["memory"]) + overhead(spec))
    elif "limits.memory" in quota_limits:
        result["memory"] = str(2 * int(parse(wanted["memory"])))
    return result


def launcher_pod(vmi: Object, gates: Gates, *, quota_limits: frozenset[str] = frozenset()) -> Object:
    meta = vmi["metadata"]
    labels = dict(meta.get("labels") or {})
    labels |= {
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": meta["uid"],
        "vm.kubevirt.io/name": meta["name"][:63],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"virt-launcher-{meta['name'][:230]}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {"kubevirt.io/domain": meta["name"], "kubectl.kubernetes.io/default-container": "compute"},
            "ownerReferences": [owner_reference(vmi)],
        },
        "spec": _pod_spec(vmi, gates, quota_limits),
    }


def _pod_spec(vmi: Object, gates: Gates, quota_limits: frozenset[str]) -> Object:
    meta, spec = vmi["metadata"], vmi["spec"]
    wanted = requests(spec, gates)
    resources: Object = {"requests": wanted}
    bounds = limits(spec, wanted, quota_limits=quota_limits)
    if bounds:
        resources["limits"] = bounds
    volumes, devices, mounts = _volumes(spec)
    compute: Object = {
        "name": "compute",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/virt-launcher-monitor", "--name", meta["name"], "--namespace", meta["namespace"]],
        "resources": resources,
        "volumeDevices": devices,
        "volumeMounts": mounts,
    }
    selector = {"kubevirt.io/schedulable": "true", "kubernetes.io/arch": spec.get("architecture", "amd64")}
    pod_spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": spec.get("terminationGracePeriodSeconds", 30) + EXTRA_GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostname": (spec.get("hostname") or meta["name"])[:63],
        "nodeSelector": selector | (spec.get("nodeSelector") or {}),
        "containers": [compute],
        "volumes": volumes,
    }
    return pod_spec | {key: spec[key] for key in INHERITED if spec.get(key)}


def claims(spec: Object) -> dict[str, str]:
    """Names of the claims a machine uses, by volume name; a data volume's claim has its own name."""
    found: dict[str, str] = {}
    for volume in spec.get("volumes") or []:
        name = (volume.get("dataVolume") or {}).get("name")
        name = name or (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            found[volume["name"]] = name
    return found


def _volumes(spec: Object) -> tuple[list[Object], list[Object], list[Object]]:
    volumes: list[Object] = [{"name": "private", "emptyDir": {}}, {"name": "libvirt-runtime", "emptyDir": {}}]
    mounts: list[Object] = [
        {"name": "private", "mountPath": "/var/run/kubevirt-private"},
        {"name": "libvirt-runtime", "mountPath": "/var/run/libvirt"},
    ]
    devices = []
    for volume, claim in claims(spec).items():
        volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": claim}})
        devices.append({"name": volume, "devicePath": f"/dev/{volume}"})
    return volumes, devices, mounts
