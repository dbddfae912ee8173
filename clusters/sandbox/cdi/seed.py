"""What a cluster with CDI and storage holds before anyone asks: classes, profiles, the CDI object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.claims import DEFAULT_CLASS, DEFAULT_VIRT_CLASS
from clusters.sandbox.cdi.storage import CLASSES, PROVISIONER

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
MANAGER = "cdi-operator"
VERSION = "v1.66.0"


def storage_class(name: str, *, default: bool = False, lazy: bool = False) -> Object:
    annotations = {DEFAULT_CLASS: "true", DEFAULT_VIRT_CLASS: "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer" if lazy else "Immediate",
        "allowVolumeExpansion": True,
    }


def storage_profile(name: str, modes: list[str], volume_mode: str) -> Object:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "StorageProfile",
        "metadata": {"name": name, "labels": {"cdi.kubevirt.io": ""}},
        "spec": {},
        "status": {
            "storageClass": name,
            "provisioner": PROVISIONER,
            "cloneStrategy": "copy",
            "claimPropertySets": [{"accessModes": modes, "volumeMode": volume_mode}],
        },
    }


CLASSES_AND_PROFILES = (
    (storage_class("standard", default=True), storage_profile("standard", ["ReadWriteMany"], "Block")),
    (storage_class("fast"), storage_profile("fast", ["ReadWriteMany"], "Block")),
    (storage_class("local", lazy=True), storage_profile("local", ["ReadWriteOnce"], "Filesystem")),
)


def plant(cluster: Cluster) -> None:
    """Creates what is missing; a restarted cluster keeps what it had."""
    for storage, profile in CLASSES_AND_PROFILES:
        name = storage["metadata"]["name"]
        if cluster.get(CLASSES, None, name) is None:
            cluster.create(CLASSES, storage, manager=MANAGER)
        if cluster.get("storageprofiles.cdi.kubevirt.io", None, name) is None:
            stored = cluster.create("storageprofiles.cdi.kubevirt.io", profile, manager=MANAGER)
            stored["status"] = profile["status"]
            cluster.update("storageprofiles.cdi.kubevirt.io", stored, manager=MANAGER, subresource="status")
    if cluster.get("cdiconfigs.cdi.kubevirt.io", None, "config") is None:
        cluster.create("cdiconfigs.cdi.kubevirt.io", config(), manager=MANAGER)
    if cluster.get("cdis.cdi.kubevirt.io", None, "cdi") is None:
        cluster.create("cdis.cdi.kubevirt.io", cdi(), manager=MANAGER)


def cdi() -> Object:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDI",
        "metadata": {"name": "cdi"},
        "spec": {"config": {"featureGates": ["HonorWaitForFirstConsumer"]}, "imagePullPolicy": "IfNotPresent"},
        "status": {
            "phase": "Deployed",
            "observedVersion": VERSION,
            "operatorVersion": VERSION,
            "targetVersion": VERSION,
        },
    }


def config() -> Object:
    """What CDI works with, as its operator publishes it."""
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDIConfig",
        "metadata": {"name": "config"},
        "spec": {"featureGates": ["HonorWaitForFirstConsumer"]},
        "status": {
            "filesystemOverhead": {"global": "0.06"},
            "preallocation": False,
            "defaultPodResourceRequirements": {
                "limits": {"cpu": "750m", "memory": "600M"},
                "requests": {"cpu": "100m", "memory": "60M"},
            },
        },
    }
