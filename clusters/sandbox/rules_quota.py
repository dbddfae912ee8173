"""ResourceQuotas and LimitRanges (k8s-replay 05, k8s-transcript 02)."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import key_problems, quoted
from clusters.sandbox.store import Store

Object = dict[str, Any]
COUNTED = {
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
}
MEASURED = {
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
}
POD_RESOURCES = {"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
SCOPES = {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"}
CONTAINER_TYPES = {"Container", "Pod", "PersistentVolumeClaim"}


def _integral(name: str) -> bool:
    return name in COUNTED or name.startswith("count/") or name.endswith("/persistentvolumeclaims")


def quota(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    hard = spec.get("hard") or {}
    for name, value in hard.items():
        errors += _hard(name, value)
    errors += _scopes(spec, hard)
    if old is not None and spec.get("scopes") != old["spec"].get("scopes"):
        shown = orjson.dumps(spec.get("scopes")).decode()
        errors.append(FieldError("Invalid value", "spec.scopes", f"{shown}: field is immutable"))
    return errors


def _hard(name: str, value: str) -> list[FieldError]:
    path = f"spec.hard[{name}]"
    errors = [FieldError("Invalid value", path, f"{quoted(name)}: {why}") for why in _name_problems(name)]
    number = quantity.parse(value)
    if number < 0:
        errors.append(FieldError("Invalid value", path, f"{quoted(value)}: must be greater than or equal to 0"))
    if _integral(name) and number != number.to_integral_value():
        errors.append(FieldError("Invalid value", path, f"{quoted(value)}: must be an integer"))
    return errors


def _name_problems(name: str) -> list[str]:
    problems = key_problems(name)
    if problems:
        return problems
    if "/" in name or name in COUNTED or name in MEASURED:
        return []
    return ["must be a standard resource type or fully qualified", "must be a standard resource for quota"]


def _scopes(spec: Object, hard: Object) -> list[FieldError]:
    scopes = spec.get("scopes") or []
    if not scopes:
        return []
    errors = []
    shown = orjson.dumps(scopes).decode()
    for scope in scopes:
        if scope not in SCOPES:
            errors.append(FieldError("Invalid value", "spec.scopes", f"{shown}: unsupported scope"))
        fitting = {"pods"} if scope == "BestEffort" else POD_RESOURCES
        # Only standard resources are held against a scope.
        wrong = [name for name in hard if name in COUNTED | MEASURED and name not in fitting]
        text = f"{shown}: unsupported scope applied to resource"
        errors += [FieldError("Invalid value", "spec.scopes", text) for _ in wrong]
    for pair in ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}):
        if pair <= set(scopes):
            errors.append(FieldError("Invalid value", "spec.scopes", f"{shown}: conflicting scopes"))
    return errors


def limit_range(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, item in enumerate(new["spec"].get("limits") or ()):
        path, kind = f"spec.limits[{i}]", item.get("type", "")
        problems = key_problems(kind)
        if problems:
            errors += [FieldError("Invalid value", f"{path}.type", f"{quoted(kind)}: {why}") for why in problems]
        if kind in seen:
            errors.append(FieldError("Duplicate value", f"{path}.type", quoted(kind)))
        seen.add(kind)
        errors += _limit_item(path, kind, item)
    return errors


def _limit_item(path: str, kind: str, item: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind == "Pod":
        text = "may not be specified when `type` is 'Pod'"
        given = [name for name in ("default", "defaultRequest") if item.get(name)]
        if given:
            return [FieldError("Forbidden", f"{path}.{name}", text) for name in given]
    if kind == "PersistentVolumeClaim" and "storage" not in {**(item.get("min") or {}), **(item.get("max") or {})}:
        text = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(FieldError("Required value", f"{path}.limits", text))
    parts = {name: item.get(name) or {} for name in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")}
    names: dict[str, None] = {}
    for part in parts.values():
        names.update(dict.fromkeys(part))
    for name in names:
        errors += _limit_values(path, name, {part: values.get(name) for part, values in parts.items()})
    return errors


def _limit_values(path: str, name: str, given: dict[str, str | None]) -> list[FieldError]:
    """min ≤ defaultRequest ≤ default ≤ max; messages carry the server's own choice of values."""
    low, high, default, request = (given[part] for part in ("min", "max", "default", "defaultRequest"))
    errors: list[FieldError] = []

    def check(smaller: str | None, larger: str | None, field: str, shown: str | None, text: str) -> None:
        if smaller is not None and larger is not None and quantity.parse(smaller) > quantity.parse(larger):
            errors.append(FieldError("Invalid value", f"{path}.{field}[{name}]", f"{quoted(shown or '')}: {text}"))

    check(low, high, "min", low, f"min value {low} is greater than max value {high}")
    check(low, request, "defaultRequest", request, f"min value {low} is greater than default request value {request}")
    check(request, high, "defaultRequest", request, f"default request value {request} is greater than max value {high}")
    check(
        request,
        default,
        "defaultRequest",
        request,
        f"default request value {request} is greater than default limit value {default}",
    )
    check(low, default, "default", low, f"min value {low} is greater than default value {default}")
    check(default, high, "default", high, f"default value {default} is greater than max value {high}")
    return errors
