"""Claims and storage classes (k8s-replay 01, 02)."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import key_problems, label_problems, quoted, selector_errors, subdomain_problems
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.store import Store

Object = dict[str, Any]
MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
CLAIM_KIND = "PersistentVolumeClaim"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
SETTLED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
IMMUTABLE = "field is immutable"
POLICIES = ("Delete", "Retain")
BINDINGS = ("Immediate", "WaitForFirstConsumer")


def _invalid(path: str, value: str, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{quoted(value)}: {why}")


def claim(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(FieldError("Required value", "spec.accessModes", "at least 1 access mode is required"))
    errors += selector_errors(spec.get("selector"), "spec.selector")
    errors += [unsupported("spec.accessModes", mode, MODES) for mode in modes if mode not in MODES]
    if "ReadWriteOncePod" in modes and any(mode in MODES and mode != "ReadWriteOncePod" for mode in modes):
        text = "may not use ReadWriteOncePod with other access modes"
        errors.append(FieldError("Forbidden", "spec.accessModes", text))
    errors += _size(spec) + _classes(spec) + _sources(spec)
    if old is not None:
        errors += _kept(new, old)
    return errors


def _size(spec: Object) -> list[FieldError]:
    size = (spec.get("resources", {}).get("requests") or {}).get("storage")
    if size is None:
        return [FieldError("Required value", "spec.resources[storage]")]
    if quantity.parse(size) <= 0:
        return [_invalid("spec.resources[storage]", size, "must be greater than zero")]
    return []


def _classes(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    name = spec.get("storageClassName")
    if name:
        errors += [_invalid("spec.storageClassName", name, why) for why in subdomain_problems(name)]
    if spec.get("volumeMode") not in {None, *VOLUME_MODES}:
        errors.append(unsupported("spec.volumeMode", spec["volumeMode"], VOLUME_MODES))
    return errors


def _sources(spec: Object) -> list[FieldError]:
    """What the volume is filled from; the older field and the newer one say the same."""
    errors: list[FieldError] = []
    for field in ("dataSource", "dataSourceRef"):
        source, path = spec.get(field), f"spec.{field}"
        if source is None:
            continue
        errors += [FieldError("Required value", f"{path}.{name}") for name in ("name", "kind") if not source.get(name)]
        group = source.get("apiGroup") or ""
        if not group and source.get("kind") != CLAIM_KIND:
            text = f"must be '{CLAIM_KIND}' when referencing the default apiGroup"
            errors.append(_invalid(path, source.get("kind", ""), text))
        errors += [_invalid(f"{path}.apiGroup", group, why) for why in (subdomain_problems(group) if group else ())]
        place = source.get("namespace")
        errors += [_invalid(f"{path}.namespace", place, why) for why in (label_problems(place) if place else ())]
    old, new = spec.get("dataSource"), spec.get("dataSourceRef")
    if old and new and any((old.get(name) or "") != (new.get(name) or "") for name in ("apiGroup", "kind", "name")):
        # The server prints its own notion of a path here, which has no text.
        errors.append(FieldError("Invalid value", "spec", "{}: must match dataSourceRef"))
    return errors


def source(spec: Object, before: Object | None) -> None:
    """Fills the older field from the newer one, or the other way round, and drops what it never could hold."""
    if before and (before.get("dataSource") or before.get("dataSourceRef")):
        return
    old, new = spec.get("dataSource"), spec.get("dataSourceRef")
    if new and new.get("namespace"):
        spec.pop("dataSourceRef")  # needs a feature that is off
        new = None
    if old and not new:
        known = {(CLAIM_KIND, ""), ("VolumeSnapshot", "snapshot.storage.k8s.io")}
        if (old.get("kind"), old.get("apiGroup") or "") not in known:
            del spec["dataSource"]
        else:
            spec["dataSourceRef"] = dict(old)
    elif new and not old:
        spec["dataSource"] = {name: new.get(name) for name in ("apiGroup", "kind", "name")}


def _kept(new: Object, old: Object) -> list[FieldError]:
    """Only a bound claim may grow; a volume name or class is set once."""
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    marks = ((side["metadata"].get("annotations") or {}).get(BETA_CLASS, "") for side in (new, old))
    mark, was_mark = marks
    if mark != was_mark:
        errors.append(_invalid(f"metadata.annotations.{BETA_CLASS}", mark, IMMUTABLE))
    bound = (old.get("status") or {}).get("phase") == "Bound"
    free = {"volumeAttributesClassName"} if bound else set()
    if not before.get("volumeName"):
        free.add("volumeName")
    if "storageClassName" not in before and (not was_mark or spec.get("storageClassName") == was_mark):
        free.add("storageClassName")
    now, was = ({key: value for key, value in side.items() if key not in free} for side in (spec, before))
    now, was = ({**side, "resources": _measured(side.get("resources"))} for side in (now, was))
    if bound:
        now, was = ({**side, "resources": _unsized(side.get("resources"))} for side in (now, was))
    if now != was:
        # The real server adds a printed diff of its internal structs below the sentence.
        errors.append(FieldError("Forbidden", "spec", SETTLED + "\n@@ -1,1 +1,1 @@\n"))
    size, earlier = (side["resources"].get("requests", {}).get("storage", "0") for side in (spec, before))
    have = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if quantity.parse(size) < quantity.parse(earlier) and quantity.parse(size) <= quantity.parse(have):
        text = "field can not be less than status.capacity"
        errors.append(FieldError("Forbidden", "spec.resources.requests.storage", text))
    if spec.get("volumeMode") != before.get("volumeMode"):
        shown = orjson.dumps(spec.get("volumeMode")).decode()
        errors.append(FieldError("Invalid value", "volumeMode", f"{shown}: {IMMUTABLE}"))
    return errors


def _measured(resources: Object | None) -> Object:
    """Sizes as numbers: their spelling is no change."""
    sides = {
        name: {key: quantity.parse(size) for key, size in found.items()} for name, found in (resources or {}).items()
    }
    return {name: found for name, found in sides.items() if found}


def _unsized(resources: Object | None) -> Object:
    resources = resources or {}
    requests = {name: value for name, value in (resources.get("requests") or {}).items() if name != "storage"}
    return {**resources, "requests": requests}


def storage_class(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    name, policy, binding = (new.get(field, "") for field in ("provisioner", "reclaimPolicy", "volumeBindingMode"))
    if not name:
        errors.append(FieldError("Required value", "provisioner", name))
    else:
        errors += [_invalid("provisioner", name.lower(), why) for why in key_problems(name.lower())]
    errors += [_invalid("parameters", "", "field can not be empty.") for key in new.get("parameters") or () if not key]
    if policy not in POLICIES:
        errors.append(unsupported("reclaimPolicy", policy, POLICIES))
    if binding not in BINDINGS:
        errors.append(unsupported("volumeBindingMode", binding, BINDINGS))
    errors += _topologies(new.get("allowedTopologies") or [])
    if old is not None:
        for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
            if new.get(field) != old.get(field):
                shown = orjson.dumps(new.get(field) or ("" if field == "provisioner" else None)).decode()
                errors.append(FieldError("Invalid value", field, f"{shown}: {IMMUTABLE}"))
    return errors


def _topologies(terms: list[Object]) -> list[FieldError]:
    """Where volumes may be made: every term names labels, and values of each."""
    errors: list[FieldError] = []
    for i, term in enumerate(terms):
        seen: set[str] = set()
        if not term.get("matchLabelExpressions") or term in terms[:i]:
            errors.append(FieldError("Duplicate value", f"allowedTopologies[{i}].matchLabelExpressions", '""'))
        for j, one in enumerate(term.get("matchLabelExpressions") or ()):
            path, key = f"allowedTopologies[{i}].matchLabelExpressions[{j}]", one.get("key", "")
            values = one.get("values") or []
            if not values:
                errors.append(FieldError("Required value", f"{path}.values"))
            for k, value in enumerate(values):
                if value in values[:k]:
                    errors.append(FieldError("Duplicate value", f"{path}.values[{k}]", quoted(value)))
            errors += [_invalid(f"{path}.key", key, why) for why in key_problems(key)]
            if key in seen:
                errors.append(FieldError("Duplicate value", f"{path}.key", quoted(key)))
            seen.add(key)
    return errors
