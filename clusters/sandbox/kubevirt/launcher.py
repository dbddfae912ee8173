"""The virt-launcher pod of a VMI as a pure function.

What it asks for is worked out in `launcher_resources.py`; a quota bites on this pod, never on the machine.
"""

from __future__ import annotations

from typing import Any

from clusters.sandbox.cdi.objects import owner_reference
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.launcher_resources import (
    claims_of_devices,
    console_log_resources,
    disk_init_resources,
    limits,
    overhead,
    requests,
)

Object = dict[str, Any]
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
NOT_INHERITED = (
    "kubevirt.io/latest-observed-api-version",
    "kubevirt.io/storage-observed-api-version",
    "sandbox.ovim.io/started-with",
)
EXTRA_GRACE = 30  # virt-launcher outlives its guest's own grace period, and the kubelet gives it as much again


def launcher_pod(vmi: Object, gates: Gates, *, quota_limits: frozenset[str] = frozenset()) -> Object:
    meta = vmi["metadata"]
    labels = dict(meta.get("labels") or {})
    labels |= {
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": meta["uid"],
        "vm.kubevirt.io/name": meta["name"][:63],
        "vmi.kubevirt.io/id": meta["name"][:63],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"virt-launcher-{meta['name'][:230]}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": _annotations(vmi),
            "ownerReferences": [owner_reference(vmi)],
        },
        "spec": _pod_spec(vmi, gates, quota_limits),
    }


def _annotations(vmi: Object) -> Object:
    """The machine's own, and what virt-controller tells the runtime, backups and itself."""
    meta = vmi["metadata"]
    own = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in NOT_INHERITED}
    found = own | {
        "kubectl.kubernetes.io/default-container": "compute",
        "kubevirt.io/domain": meta["name"],
        "kubevirt.io/memory-overhead-bytes": str(overhead(vmi["spec"])),
        "kubevirt.io/migrationTransportUnix": "true",
    }
    named = f'"--name", "{meta["name"]}", "--namespace", "{meta["namespace"]}"'
    for when, verb in (("pre", "freeze"), ("post", "unfreeze")):
        found[f"{when}.hook.backup.velero.io/container"] = "compute"
        found[f"{when}.hook.backup.velero.io/command"] = f'["/usr/bin/virt-freezer", "--{verb}", {named}]'
    return found | {"pre.hook.backup.velero.io/timeout": "60s"}


def _pod_spec(vmi: Object, gates: Gates, quota_limits: frozenset[str]) -> Object:
    meta, spec = vmi["metadata"], vmi["spec"]
    wanted = requests(spec, gates)
    bounds = limits(spec, wanted, quota_limits=quota_limits)
    volumes, devices, mounts = _volumes(spec)
    compute: Object = {
        "name": "compute",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/virt-launcher-monitor", "--name", meta["name"], "--namespace", meta["namespace"]],
        "resources": {"limits": bounds, "requests": wanted},
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
    inits = _init_containers(spec)
    if inits:
        pod_spec["initContainers"] = inits
    if claims_of_devices(spec):
        pod_spec["resourceClaims"] = spec.get("resourceClaims") or []
    return pod_spec | {key: spec[key] for key in INHERITED if spec.get(key)}


def _init_containers(spec: Object) -> list[Object]:
    """A sidecar that tails the serial console, and one short run where images are mounted as disks."""
    found: list[Object] = []
    devices = spec["domain"].get("devices") or {}
    if devices.get("autoattachSerialConsole") is not False and devices.get("logSerialConsole") is not False:
        found.append(
            {
                "name": "guest-console-log",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "restartPolicy": "Always",
                "command": ["/usr/bin/virt-tail"],
                "resources": console_log_resources(spec),
            }
        )
    if any("containerDisk" in volume for volume in spec.get("volumes") or []):
        found.append(
            {
                "name": "container-disk-binary",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/usr/bin/cp", "/usr/bin/container-disk", "/init/usr/bin/container-disk"],
                "resources": disk_init_resources(spec),
            }
        )
    return found


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
    for volume in spec.get("volumes") or []:
        disk = volume.get("containerDisk")
        if disk is not None:
            policy = disk.get("imagePullPolicy") or "IfNotPresent"
            volumes.append({"name": volume["name"], "image": {"reference": disk["image"], "pullPolicy": policy}})
            mounts.append({"name": volume["name"], "mountPath": f"/var/run/kubevirt/container-disks/{volume['name']}"})
    for volume, claim in claims(spec).items():
        volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": claim}})
        devices.append({"name": volume, "devicePath": f"/dev/{volume}"})
    return volumes, devices, mounts
