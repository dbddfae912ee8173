"""Claims and storage classes (k8s-replay 01, 02)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import quoted
from clusters.sandbox.store import Store

Object = dict[str, Any]
MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
SETTLED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def claim(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(FieldError("Required value", "spec.accessModes", "at least 1 access mode is required"))
    for mode in modes:
        if mode not in MODES:
            listed = ", ".join(quoted(item) for item in MODES)
            errors.append(
                FieldError("Unsupported value", "spec.accessModes", f"{quoted(mode)}: supported values: {listed}")
            )
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        text = "may not use ReadWriteOncePod with other access modes"
        errors.append(FieldError("Forbidden", "spec.accessModes", text))
    size = (spec.get("resources", {}).get("requests") or {}).get("storage")
    if size is None:
        errors.append(FieldError("Required value", "spec.resources[storage]"))
    elif quantity.parse(size) <= 0:
        errors.append(
            FieldError("Invalid value", "spec.resources[storage]", f"{quoted(size)}: must be greater than zero")
        )
    if spec.get("volumeMode") not in {None, "Block", "Filesystem"}:
        text = f'{quoted(spec["volumeMode"])}: supported values: "Block", "Filesystem"'
        errors.append(FieldError("Unsupported value", "spec.volumeMode", text))
    if old is not None and spec != old["spec"]:
        errors += _kept(spec, old)
    return errors


def _kept(spec: Object, old: Object) -> list[FieldError]:
    """Only a bound claim may grow; a volume name or class is set once."""
    before = old["spec"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    free = {"resources"} if bound else set()
    if not before.get("volumeName"):
        free.add("volumeName")
    if "storageClassName" not in before:
        free.add("storageClassName")
    fixed = {**spec, "volumeAttributesClassName": None}, {**before, "volumeAttributesClassName": None}
    now, was = ({key: value for key, value in side.items() if key not in free} for side in fixed)
    if now != was:
        # The real server adds a printed diff of its internal structs below the sentence.
        return [FieldError("Forbidden", "spec", SETTLED + "\n@@ -1,1 +1,1 @@\n")]
    new_size, old_size = (side["resources"].get("requests", {}).get("storage", "0") for side in (spec, before))
    if bound and quantity.parse(new_size) < quantity.parse(
        (old.get("status") or {}).get("capacity", {}).get("storage", old_size)
    ):
        text = "field can not be less than status.capacity"
        return [FieldError("Forbidden", "spec.resources.requests.storage", text)]
    return []


def storage_class(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    if not new.get("provisioner"):
        errors.append(FieldError("Required value", "provisioner", new.get("provisioner", "")))
    if old is not None:
        for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
            if new.get(name) != old.get(name):
                text = "updates to %s are forbidden." % name  # noqa: UP031 - the server's own wording
                errors.append(FieldError("Forbidden", name, text))
    return errors
