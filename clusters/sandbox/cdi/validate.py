"""CDI's validating webhook for DataVolumes: what is refused at once (pkg/apiserver/webhooks of CDI 1.66, rules only)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from clusters.sandbox.cdi.claims import Look
from clusters.sandbox.cdi.objects import controller_of
from clusters.sandbox.quantity import BadQuantityError, parse

Object = dict[str, Any]
WEBHOOK = "datavolume-validate.cdi.kubevirt.io"
INVALID, DUPLICATE, REQUIRED = "FieldValueInvalid", "FieldValueDuplicate", "FieldValueRequired"
MIB = 1024**2
Cause = tuple[str, str, str]  # reason, message, field


def refusal(operation: str, new: Object, old: Object | None, look: Look) -> Object | None:
    """The Status of a refused DataVolume, or None; CDI stops at the first cause and gives no reason."""
    if new["metadata"].get("deletionTimestamp"):
        return None
    if operation == "UPDATE" and old is not None:
        cause = None if new["spec"] == old["spec"] else (DUPLICATE, "Cannot update DataVolume Spec", "DataVolume.Spec")
    else:
        cause = _taken_name(new, look) or _spec_cause(new["spec"])
    if cause is None:
        return None
    reason, message, field = cause
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'admission webhook "{WEBHOOK}" denied the request:  {message}',  # CDI joins with a blank in front
        "details": {"causes": [{"reason": reason, "message": message, "field": field}]},
        "code": 422,
    }


def _taken_name(volume: Object, look: Look) -> Cause | None:
    namespace, name = volume["metadata"].get("namespace"), volume["metadata"].get("name", "")
    claim = look("persistentvolumeclaims", namespace, name)
    if claim is None:
        return None
    owner = controller_of(claim)
    if owner is not None and owner["kind"] == "DataVolume":
        return None
    if (claim["metadata"].get("annotations") or {}).get("cdi.kubevirt.io/storage.populatedFor") == name:
        return None
    return DUPLICATE, f"Destination PVC {namespace}/{name} already exists", "DataVolume.Name"


def _spec_cause(spec: Object) -> Cause | None:
    if "pvc" not in spec and "storage" not in spec:
        return INVALID, "Missing Data volume PVC", "spec.PVC"
    if "pvc" in spec and "storage" in spec:
        text = "Duplicate storage definition, both target storage and target pvc defined"
        return INVALID, text, "spec.PVC.Storage"
    target = spec.get("pvc") or spec.get("storage") or {}
    external = "dataSource" in target or "dataSourceRef" in target
    if external:
        text = "External population is incompatible with Source and SourceRef"
        return (INVALID, text, "spec.source") if "source" in spec or "sourceRef" in spec else _size_cause(spec)
    if "source" not in spec and "sourceRef" not in spec:
        text = "Data volume should have either Source or SourceRef, or be externally populated"
        return INVALID, text, "spec.source"
    return _source_cause(spec) or _size_cause(spec) or _modes_cause(spec)


def _source_cause(spec: Object) -> Cause | None:
    reference = spec.get("sourceRef")
    if reference is not None:
        if reference.get("kind") != "DataSource":
            text = f"Unsupported sourceRef kind {reference.get('kind')}, currently only DataSource is supported"
            return INVALID, text, "spec.sourceRef.Kind"
        return None
    source = spec["source"]
    if len(source) != 1:
        text = "Multiple Data volume sources" if source else "Missing Data volume source"
        return INVALID, text, "spec.source"
    for kind in ("http", "s3", "gcs"):
        if kind in source:
            return _url_cause(kind, source[kind].get("url", ""))
    if "pvc" in source and not (source["pvc"].get("name") and source["pvc"].get("namespace")):
        return INVALID, "spec.source.PVC source PVC is not valid", "spec.source.PVC"
    return None


def _url_cause(kind: str, url: str) -> Cause | None:
    why = ""
    if not url:
        why = "source URL is empty"
    elif not urlsplit(url).scheme:
        why = f"Invalid source URL: {url}"
    elif urlsplit(url).scheme not in ("http", "https", "gs"):
        why = f"Invalid source URL scheme: {url}"
    return (INVALID, f"spec.source {why}", f"spec.source.{kind.upper()}.url") if why else None


def _size_cause(spec: Object) -> Cause | None:
    word = "PVC" if "pvc" in spec else "Storage"
    target = spec.get("pvc") or spec.get("storage") or {}
    field = f"spec.{word}.resources.requests.size"
    size = ((target.get("resources") or {}).get("requests") or {}).get("storage")
    clone = "sourceRef" in spec or bool({"pvc", "snapshot"} & (spec.get("source") or {}).keys())
    if size is None:
        return None if word == "Storage" and clone else (INVALID, f"{word} size is missing", field)
    try:
        wanted = parse(size)
    except BadQuantityError:
        return None  # the schema has its own words for it
    if wanted <= 0:
        return INVALID, f"{word} size can't be equal or less than zero", field
    return (INVALID, f"{word} size should be at least 1MiB", field) if wanted < MIB else None


def _modes_cause(spec: Object) -> Cause | None:
    if "pvc" not in spec:
        return None
    modes, field = spec["pvc"].get("accessModes") or [], "spec.PVC.accessModes"
    if not modes:
        return REQUIRED, "Required value: at least 1 access mode is required", field
    return (INVALID, "PVC multiple accessModes", field) if len(modes) > 1 else None
