"""Persistent volumes."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import subdomain_problems
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.rules_containers import invalid
from clusters.sandbox.rules_placement import node_selector
from clusters.sandbox.rules_storage import MODES, VOLUME_MODES
from clusters.sandbox.rules_volumes import host_path, nfs
from clusters.sandbox.store import Store

Object = dict[str, Any]
POLICIES = ("Delete", "Recycle", "Retain")
SOURCES = ("hostPath", "nfs", "rbd", "cephfs", "iscsi", "local", "csi")


def volume(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors = _modes(spec) + _capacity(spec)
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy and policy not in POLICIES:
        errors.append(unsupported("spec.persistentVolumeReclaimPolicy", policy, POLICIES))
    required = (spec.get("nodeAffinity") or {}).get("required")
    if spec.get("nodeAffinity") is not None and required is None:
        errors.append(
            FieldError("Required value", "spec.nodeAffinity.required", "must specify required node constraints")
        )
    elif required is not None:
        errors += node_selector(required, "spec.nodeAffinity.required")
    errors += _source(spec)
    name, mode = spec.get("storageClassName", ""), spec.get("volumeMode")
    errors += [invalid("spec.storageClassName", name, why) for why in subdomain_problems(name)] if name else []
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(unsupported("spec.volumeMode", mode, VOLUME_MODES))
    if old is None:
        return errors
    before = old["spec"]
    if any(spec.get(source) != before.get(source) for source in SOURCES):
        text = "spec.persistentvolumesource is immutable after creation"
        # The real server adds a printed diff of its internal structs below the sentence.
        errors.append(FieldError("Forbidden", "spec.persistentvolumesource", text + "\n@@ -1,1 +1,1 @@\n"))
    if before.get("nodeAffinity") is not None and spec.get("nodeAffinity") != before["nodeAffinity"]:
        text = "field is immutable, except for updating from beta label to GA"
        errors.append(invalid("nodeAffinity", spec.get("nodeAffinity"), text))
    if mode != before.get("volumeMode"):
        errors.append(invalid("volumeMode", mode, "field is immutable"))
    return errors


def _modes(spec: Object) -> list[FieldError]:
    path, modes = "spec.accessModes", spec.get("accessModes") or []
    errors = [] if modes else [FieldError("Required value", path)]
    errors += [unsupported(path, mode, MODES) for mode in modes if mode not in MODES]
    if "ReadWriteOncePod" in modes and any(mode in MODES and mode != "ReadWriteOncePod" for mode in modes):
        text = "may not use ReadWriteOncePod with other access modes"
        errors.append(FieldError("Forbidden", path, text))
    return errors


def _capacity(spec: Object) -> list[FieldError]:
    path, capacity = "spec.capacity", spec.get("capacity") or {}
    errors = [] if capacity else [FieldError("Required value", path)]
    if "storage" not in capacity or len(capacity) > 1:
        shown = orjson.dumps(capacity or None).decode()
        errors.append(FieldError("Unsupported value", path, f'{shown}: supported values: "storage"'))
    for name, value in capacity.items():
        if quantity.parse(value) < 0:
            number = int(quantity.parse(value))
            errors.append(
                FieldError("Invalid value", f"{path}[{name}]", f"{number}: must be a valid resource quantity")
            )
        if quantity.parse(value) <= 0:
            errors.append(invalid(f"{path}[{name}]", value, "must be greater than zero"))
    return errors


def _source(spec: Object) -> list[FieldError]:
    given = [name for name in SOURCES if spec.get(name) is not None]
    if not given:
        return [FieldError("Required value", "spec", "must specify a volume type")]
    first, path = spec[given[0]], f"spec.{given[0]}"
    errors: list[FieldError] = []
    if given[0] == "hostPath":
        errors = host_path(first, path)
    elif given[0] == "nfs":
        errors = nfs(first, path)
    elif given[0] == "csi":
        errors = [
            FieldError("Required value", f"{path}.{name}") for name in ("driver", "volumeHandle") if not first.get(name)
        ]
    elif given[0] == "local":
        errors = [] if first.get("path") else [FieldError("Required value", f"{path}.path")]
        if (spec.get("nodeAffinity") or {}).get("required") is None:
            errors.append(FieldError("Required value", "spec.nodeAffinity", "Local volume requires node affinity"))
    text = "may not specify more than 1 volume type"
    return errors + [FieldError("Forbidden", f"spec.{name}", text) for name in given[1:]]
