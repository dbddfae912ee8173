"""CDI's validating webhook for DataVolumes: what is refused at once (pkg/apiserver/webhooks of CDI 1.66, rules only)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.cdi.claims import Look
from clusters.sandbox.cdi.objects import controller_of
from clusters.sandbox.cdi.validate_sources import INVALID, Cause, reference_cause, source_causes
from clusters.sandbox.quantity import BadQuantityError, parse

Object = dict[str, Any]
WEBHOOK = "datavolume-validate.cdi.kubevirt.io"
DUPLICATE = "FieldValueDuplicate"
MIB = 1024**2
LONGEST = 253
MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
SUPPORTED = ", ".join(f'"{mode}"' for mode in MODES)


def refusal(operation: str, new: Object, old: Object | None, look: Look) -> Object | None:
    """The Status of a refused DataVolume, or None; CDI mostly stops at the first cause and gives no reason."""
    if new["metadata"].get("deletionTimestamp"):
        return None
    if operation == "UPDATE" and old is not None:
        same = _same(new["spec"], old["spec"])
        causes = [] if same else [(DUPLICATE, "Cannot update DataVolume Spec", "DataVolume.Spec")]
    else:
        taken = _taken_name(new, look)
        causes = [taken] if taken else _spec_causes(new["spec"])
    if not causes:
        return None
    message = " ".join(cause[1] for cause in causes)
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'admission webhook "{WEBHOOK}" denied the request:  {message}',  # CDI joins with a blank in front
        "details": {"causes": [_body(*cause) for cause in causes]},
        "code": 422,
    }


def _body(reason: str, message: str, field: str) -> Object:
    return {"reason": reason, "message": message} | ({"field": field} if field else {})


def _same(new: Object, old: Object) -> bool:
    """Nothing but checkpoints changed, and those only in a transfer by stages."""
    staged = bool(new.get("checkpoints")) and bool({"vddk", "imageio"} & (new.get("source") or {}).keys())
    left_out = ("checkpoints", "finalCheckpoint") if staged else ()
    kept = [{key: value for key, value in spec.items() if key not in left_out} for spec in (new, old)]
    return kept[0] == kept[1]


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


def _spec_causes(spec: Object) -> list[Cause]:
    if "pvc" not in spec and "storage" not in spec:
        return [(INVALID, "Missing Data volume PVC", "spec.PVC")]
    if "pvc" in spec and "storage" in spec:
        text = "Duplicate storage definition, both target storage and target pvc defined"
        return [(INVALID, text, "spec.PVC.Storage")]
    target = spec.get("pvc") or spec.get("storage") or {}
    cause = _size_cause(spec) or _class_cause(target) or _modes_cause(spec)
    if cause:
        return [cause]
    if "dataSource" in target or "dataSourceRef" in target:
        return _populated_causes(spec, target)
    if ("source" in spec) == ("sourceRef" in spec):
        text = "Data volume should have either Source or SourceRef, or be externally populated"
        return [(INVALID, text, "spec.source")]
    if "sourceRef" in spec:
        cause = reference_cause(spec["sourceRef"])
        return [cause] if cause else []
    return source_causes(spec["source"], spec.get("contentType", ""))


def _populated_causes(spec: Object, target: Object) -> list[Cause]:
    """What fills the claim is named by the claim itself, and by nothing else."""
    causes = []
    if "source" in spec or "sourceRef" in spec:
        causes.append((INVALID, "External population is incompatible with Source and SourceRef", "spec.source"))
    if "dataSource" in target and "dataSourceRef" in target:  # of two Go types, so never equal
        causes.append((INVALID, "DataSourceRef and DataSource must match", ""))
    for key, word in (("dataSource", "DataSource"), ("dataSourceRef", "DataSourceRef")):
        if key not in target:
            continue
        named, field = target[key], f"spec.{key}"
        if key == "dataSourceRef" and named.get("namespace"):
            causes.append((INVALID, "Invalid value: DataSourceRef namespace not supported", f"{field}.namespace."))
        if not named.get("name"):
            causes.append((INVALID, f"Required value: {word} name", f"{field}.name."))
        if not named.get("kind"):
            causes.append((INVALID, f"Required value: {word} kind", f"{field}.kind"))
        if not named.get("apiGroup") and named.get("kind") != "PersistentVolumeClaim":
            text = f"Required value: {word} apiGroup when kind is not 'PersistentVolumeClaim'"
            causes.append((INVALID, text, f"{field}.apiGroup."))
    return causes


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


def _class_cause(target: Object) -> Cause | None:
    too_long = len(target.get("storageClassName") or "") > LONGEST
    return (INVALID, f"Name cannot be longer than {LONGEST} characters", "") if too_long else None


def _modes_cause(spec: Object) -> Cause | None:
    modes, field = (spec.get("pvc") or spec.get("storage") or {}).get("accessModes") or [], "spec.PVC.accessModes"
    if "pvc" in spec and not modes:
        return INVALID, "Required value: at least 1 access mode is required", field
    if "pvc" in spec and len(modes) > 1:
        return INVALID, "PVC multiple accessModes", field
    if all(mode in MODES for mode in modes):
        return None
    return INVALID, f'Unsupported value: "{modes[0]}": supported values: {SUPPORTED}', field
