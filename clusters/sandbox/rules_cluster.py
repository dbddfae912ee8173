"""Namespaces, priority classes and leases."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import STANDARD_FINALIZERS, key_problems, quoted
from clusters.sandbox.rules_addresses import unsupported
from clusters.sandbox.store import Store

Object = dict[str, Any]
HIGHEST = 1_000_000_000  # of a priority that users may give
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTION = ("PreemptLowerPriority", "Never")


def namespace(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    if old is not None:
        return _phase(new)
    errors: list[FieldError] = []
    path = "spec.finalizers"
    for name in (new.get("spec") or {}).get("finalizers") or ():
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


def lease(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    seconds, turns = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(FieldError("Invalid value", "spec.leaseDurationSeconds", f"{seconds}: must be greater than 0"))
    if turns is not None and turns < 0:
        text = f"{turns}: must be greater than or equal to 0"
        errors.append(FieldError("Invalid value", "spec.leaseTransitions", text))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        text = "may only be specified if `strategy` is defined"
        errors.append(FieldError("Forbidden", "spec.preferredHolder", text))
    return errors
