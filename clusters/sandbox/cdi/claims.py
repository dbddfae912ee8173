"""The PersistentVolumeClaim a DataVolume asks for: a pure function of the DataVolume and the storage's profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox.cdi.objects import owner_reference
from clusters.sandbox.quantity import parse

Object = dict[str, Any]
Look = Callable[[str, str | None, str], Object | None]

SOURCES = ("http", "s3", "gcs", "registry", "imageio", "vddk", "blank", "upload", "pvc", "snapshot")
IMPORTS = ("http", "s3", "gcs", "registry", "imageio", "vddk", "blank")
POPULATORS = ("VolumeImportSource", "VolumeUploadSource", "VolumeCloneSource")
FILESYSTEM_PERCENT, ALIGNMENT = 6, 1024**2
LABELS = {
    "app": "containerized-data-importer",
    "app.kubernetes.io/component": "storage",
    "app.kubernetes.io/managed-by": "cdi-controller",
}
API_GROUP = "cdi.kubevirt.io"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_VIRT_CLASS = "storageclass.kubevirt.io/is-default-virt-class"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_NOW = "cdi.kubevirt.io/storage.bind.immediate.requested"


def source_of(volume: Object, look: Look) -> tuple[str, Object]:
    """Kind and body of the source; a sourceRef is followed to what its DataSource points at."""
    spec = volume["spec"]
    reference = spec.get("sourceRef")
    if reference:
        namespace = reference.get("namespace") or volume["metadata"]["namespace"]
        return data_source_target(look("datasources.cdi.kubevirt.io", namespace, reference["name"]), look)
    source = spec.get("source") or {}
    kind = next((key for key in SOURCES if key in source), "")
    return kind, dict(source.get(kind) or {})


def data_source_target(found: Object | None, look: Look) -> tuple[str, Object]:
    """What a DataSource points at; one may point at another, in its own namespace, once."""
    target = (found or {}).get("spec", {}).get("source") or {}
    link = target.get("dataSource")
    if link and found is not None and link.get("namespace") == found["metadata"]["namespace"]:
        next_one = look("datasources.cdi.kubevirt.io", link["namespace"], link["name"]) or {}
        target = next_one.get("spec", {}).get("source") or {}
    kind = next((key for key in ("pvc", "snapshot") if key in target), "")
    return kind, dict(target.get(kind) or {})


def storage_class(volume: Object, classes: list[Object]) -> str | None:
    """The named class, else the default for virtual machines, else the cluster's default."""
    wanted = (volume["spec"].get("storage") or volume["spec"].get("pvc") or {}).get("storageClassName")
    if wanted is not None:
        return str(wanted)
    for annotation in (DEFAULT_VIRT_CLASS, DEFAULT_CLASS):
        for item in classes:
            if (item["metadata"].get("annotations") or {}).get(annotation) == "true":
                return str(item["metadata"]["name"])
    return None


def claim(volume: Object, class_name: str | None, profile: Object | None, source_size: str | None) -> Object:
    """The claim for a volume; `storage` takes access and volume mode from the profile, `pvc` says it all itself."""
    meta, spec = volume["metadata"], volume["spec"]
    wanted = dict(spec.get("pvc") or spec.get("storage") or {})
    body: Object = {
        key: wanted[key] for key in ("selector", "volumeName", "dataSource", "dataSourceRef") if key in wanted
    }
    properties = ((profile or {}).get("status", {}).get("claimPropertySets") or [{}])[0]
    body["accessModes"] = wanted.get("accessModes") or properties.get("accessModes") or ["ReadWriteOnce"]
    body["volumeMode"] = wanted.get("volumeMode") or properties.get("volumeMode") or "Filesystem"
    requests = dict((wanted.get("resources") or {}).get("requests") or {})
    if source_size and "storage" not in requests:
        requests["storage"] = source_size  # a clone without a size is as large as its source
    if "storage" in spec and "storage" in requests and not source_size:
        size = requests["storage"]  # reckoned with, so in bytes
        requests["storage"] = with_overhead(size) if body["volumeMode"] == "Filesystem" else str(int(parse(size)))
    body["resources"] = {"requests": requests}
    if class_name is not None:
        body["storageClassName"] = class_name
    if "dataSource" not in body and "dataSourceRef" not in body:
        body["dataSourceRef"] = _populator(volume)
    kind = next((key for key in SOURCES if key in (spec.get("source") or {})), "")
    annotations = dict(meta.get("annotations") or {}) | {
        "cdi.kubevirt.io/createdForDataVolume": meta["uid"],
        "cdi.kubevirt.io/storage.contentType": "kubevirt",
        "cdi.kubevirt.io/storage.preallocation.requested": "false",
    }
    if kind:
        annotations["cdi.kubevirt.io/storage.import.source"] = "none" if kind == "blank" else kind
    labels = dict(meta.get("labels") or {}) | LABELS
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(volume)],
        },
        "spec": body,
    }


def with_overhead(size: str) -> str:
    """What a file system must be so that an image of this size fits: aligned, and six per cent on top."""
    wanted = int(parse(size))
    aligned = -(-wanted // ALIGNMENT) * ALIGNMENT
    return str(-(-aligned * (100 + FILESYSTEM_PERCENT) // 100))


def _populator(volume: Object) -> Object:
    """Names who fills the claim: import, upload or clone."""
    source = volume["spec"].get("source") or {}
    word = "Import"
    if "upload" in source:
        word = "Upload"
    elif "sourceRef" in volume["spec"] or {"pvc", "snapshot"} & source.keys():
        word = "Clone"
    name = f"volume-{word.lower()}-source-{volume['metadata']['uid']}"
    return {"apiGroup": API_GROUP, "kind": f"Volume{word}Source", "name": name}


def size_of(claim_object: Object) -> int:
    """Bytes a claim offers: what it got, else what it asked for."""
    status = (claim_object.get("status") or {}).get("capacity") or {}
    requests = claim_object["spec"].get("resources", {}).get("requests") or {}
    return int(parse(status.get("storage") or requests.get("storage") or "0"))
