"""Namespaces, priority classes and leases."""

from __future__ import annotations

import re
from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import STANDARD_FINALIZERS, key_problems, quoted
from clusters.sandbox.rules_addresses import cidr_errors, unsupported
from clusters.sandbox.rules_placement import EFFECTS
from clusters.sandbox.store import Store

Object = dict[str, Any]
SECURITY = "pod-security.kubernetes.io"
LEVELS = ("privileged", "baseline", "restricted")
HIGHEST = 1_000_000_000  # of a priority that users may give
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTION = ("PreemptLowerPriority", "Never")


def namespace(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    secured = _security(new["metadata"].get("labels") or {}, old)
    if old is not None:
        return secured + _phase(new)
    if secured:
        return secured
    return finalizer_errors((new.get("spec") or {}).get("finalizers") or [])


def _security(labels: Object, old: Object | None) -> list[FieldError]:
    """Levels and versions of pod security are words that the server knows."""
    known = (old["metadata"].get("labels") or {}) if old is not None else {}
    errors: list[FieldError] = []
    for name in (f"{SECURITY}/{mode}{part}" for mode in ("enforce", "audit", "warn") for part in ("", "-version")):
        value = labels.get(name)
        if value is None or value == known.get(name):
            continue
        path, why = f"metadata.labels[{name}]", ""
        if name.endswith("-version"):
            if value != "latest" and not re.fullmatch(r"v1\.(0|[1-9][0-9]*)", value):
                why = 'must be "latest" or "v1.x"'
        elif value not in LEVELS:
            why = f"must be one of {', '.join(LEVELS)}"
        if why:
            errors.append(FieldError("Invalid value", path, f"{quoted(value)}: {why}"))
    return errors


def finalizer_errors(names: list[str], *, numbered: bool = False) -> list[FieldError]:
    """What may not wait for a namespace's end; `numbered`: each named by its place."""
    errors: list[FieldError] = []
    for i, name in enumerate(names):
        path = f"spec.finalizers[{i}]" if numbered else "spec.finalizers"
        errors += [FieldError("Invalid value", path, f"{quoted(name)}: {why}") for why in key_problems(name)]
        if "/" not in name and name not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(FieldError("Invalid value", path, f"{quoted(name)}: {text}"))
    return errors


def _phase(new: Object) -> list[FieldError]:
    """A namespace's phase follows from its deletion, whoever writes it."""
    going = bool(new["metadata"].get("deletionTimestamp"))
    wanted, phase = "Terminating" if going else "Active", (new.get("status") or {}).get("phase", "")
    if phase == wanted:
        return []
    text = f"may only be '{wanted}' if `deletionTimestamp` is {'not ' if going else ''}empty"
    return [FieldError("Invalid value", "status.Phase", f"{quoted(phase)}: {text}")]


def priority_class(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    name, value, policy = new["metadata"].get("name", ""), new.get("value", 0), new.get("preemptionPolicy")
    errors: list[FieldError] = []
    if old is not None:
        if value != old.get("value", 0):
            errors.append(FieldError("Forbidden", "value", "may not be changed in an update."))
        if policy != old.get("preemptionPolicy"):
            shown = orjson.dumps(policy).decode()
            errors.append(FieldError("Invalid value", "preemptionPolicy", f"{shown}: field is immutable"))
        return errors
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only. error: "
            errors.append(
                FieldError("Forbidden", "metadata.name", f"{text}{name} is not a known system priority class")
            )
    elif value > HIGHEST:
        text = f"maximum allowed value of a user defined priority is {HIGHEST}"
        errors.append(FieldError("Forbidden", "value", text))
    if policy not in PREEMPTION:
        errors.append(unsupported("preemptionPolicy", policy or "", PREEMPTION))
    return errors


def node(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = _taints(spec.get("taints") or [])
    for field in ("capacity", "allocatable"):
        for name, value in (status.get(field) or {}).items():
            if quantity.parse(value) < 0:
                text = f"{quoted(value)}: must be greater than or equal to 0"
                errors.append(FieldError("Invalid value", f"status.{field}.{name}", text))
    for i, value in enumerate(spec.get("podCIDRs") or ()):
        errors += cidr_errors(f"spec.podCIDRs[{i}]", value)
    if old is None:
        return errors
    before = old.get("spec") or {}
    for field in ("podCIDRs", "providerID"):
        if before.get(field) and before[field] != spec.get(field):
            what = "podCIDR" if field == "podCIDRs" else field
            text = f'node updates may not change {what} except from "" to valid'
            errors.append(FieldError("Forbidden", f"spec.{field}", text))
    return errors


def _taints(taints: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(taints):
        path, key, effect = f"metadata.taints[{i}]", taint.get("key", ""), taint.get("effect", "")
        errors += [FieldError("Invalid value", f"{path}.key", f"{quoted(key)}: {why}") for why in key_problems(key)]
        if not effect:
            errors.append(FieldError("Required value", f"{path}.effect"))
        elif effect not in EFFECTS:
            errors.append(unsupported(f"{path}.effect", effect, EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": taint.get("value", ""), "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            text = f"{orjson.dumps(shown).decode()}: taints must be unique by key and effect pair"
            errors.append(FieldError("Duplicate value", path, text))
        seen.add((key, effect))
    return errors


def lease(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    seconds, turns = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(FieldError("Invalid value", "spec.leaseDurationSeconds", f"{seconds}: must be greater than 0"))
    if turns is not None and turns < 0:
        text = f"{turns}: must be greater than or equal to 0"
        errors.append(FieldError("Invalid value", "spec.leaseTransitions", text))
    return errors
