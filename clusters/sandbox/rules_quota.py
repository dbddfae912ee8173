"""ResourceQuotas (k8s-replay 05, k8s-transcript 02)."""

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
CONTAINED = {"cpu", "memory", "ephemeral-storage"}
MEASURED = {
    *CONTAINED,
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
}
HUGE = ("hugepages-", "requests.hugepages-")
POD_RESOURCES = {"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
POD_SCOPES = {"Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"}
SCOPES = {*POD_SCOPES, "BestEffort", "VolumeAttributesClass"}
EXISTING = SCOPES - {"PriorityClass", "VolumeAttributesClass"}  # scopes that an object has or has not
NOT_EXISTING = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
PAIRS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
STANDARD = "must be a standard resource type or fully qualified"


def _integral(name: str) -> bool:
    """Counts, and whatever a domain of its own stands before."""
    foreign = "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")
    return name in COUNTED or foreign


def _quota_name(name: str) -> bool:
    return name in COUNTED or name in MEASURED or name.startswith(HUGE)


def resource_problems(name: str) -> list[str]:
    """Why a name is none of a resource."""
    problems = key_problems(name)
    if problems or "/" in name or _quota_name(name) or name == "storage":
        return problems
    return [STANDARD]


def quota(new: Object, old: Object | None, _store: Store) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    hard = spec.get("hard") or {}
    for name, value in hard.items():
        errors += _hard(name, value)
    errors += _scopes(spec, hard) + _selector(spec, hard)
    if old is not None and set(spec.get("scopes") or ()) != set(old["spec"].get("scopes") or ()):
        shown = orjson.dumps(spec.get("scopes")).decode()
        errors.append(FieldError("Invalid value", "spec.scopes", f"{shown}: field is immutable"))
    return errors


def _hard(name: str, value: str) -> list[FieldError]:
    path = f"spec.hard[{name}]"
    errors = [FieldError("Invalid value", path, f"{quoted(name)}: {why}") for why in resource_problems(name)]
    if "/" not in name and not _quota_name(name):
        errors.append(FieldError("Invalid value", path, f"{quoted(name)}: must be a standard resource for quota"))
    number = quantity.parse(value)
    if number < 0:
        errors.append(FieldError("Invalid value", path, f"{quoted(value)}: must be greater than or equal to 0"))
    if _integral(name) and number != number.to_integral_value():
        errors.append(FieldError("Invalid value", path, f"{quoted(value)}: must be an integer"))
    return errors


def _unfitting(scope: str, hard: Object) -> list[str]:
    """The standard resources that a scope can't be held against."""
    if scope not in SCOPES:
        return []
    fitting = {"BestEffort": {"pods"}, "VolumeAttributesClass": {"persistentvolumeclaims", "requests.storage"}}
    allowed = fitting.get(scope, POD_RESOURCES)
    return [name for name in hard if _quota_name(name) and not name.startswith(HUGE) and name not in allowed]


def _scopes(spec: Object, hard: Object) -> list[FieldError]:
    scopes = spec.get("scopes") or []
    shown = orjson.dumps(scopes).decode()
    errors = []
    for scope in scopes:
        if scope not in SCOPES:
            errors.append(FieldError("Invalid value", "spec.scopes", f"{shown}: unsupported scope"))
        text = f"{shown}: unsupported scope applied to resource"
        errors += [FieldError("Invalid value", "spec.scopes", text) for _ in _unfitting(scope, hard)]
    clashes = [pair for pair in PAIRS if pair <= set(scopes)]
    return errors + [FieldError("Invalid value", "spec.scopes", f"{shown}: conflicting scopes") for _ in clashes]


def _selector(spec: Object, hard: Object) -> list[FieldError]:
    selector = spec.get("scopeSelector")
    if selector is None:
        return []
    path = "spec.scopeSelector.matchExpressions"
    expressions = selector.get("matchExpressions") or []
    printed = [
        {"ScopeName": one["scopeName"], "Operator": one["operator"], "Values": one.get("values")} for one in expressions
    ]
    shown = orjson.dumps({"MatchExpressions": printed}).decode()
    errors: list[FieldError] = []
    for one in expressions:
        scope = one["scopeName"]
        if scope not in SCOPES:
            errors.append(FieldError("Invalid value", f"{path}.scopeName", f"{quoted(scope)}: unsupported scope"))
        text = f"{shown}: unsupported scope applied to resource"
        errors += [FieldError("Invalid value", path, text) for _ in _unfitting(scope, hard)]
        errors += _operator(path, scope, one["operator"], one.get("values") or [])
    names = {one["scopeName"] for one in expressions}
    clashes = [pair for pair in PAIRS if pair <= names]
    return errors + [FieldError("Invalid value", path, f"{shown}: conflicting scopes") for _ in clashes]


def _operator(path: str, scope: str, operator: str, values: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    if scope in EXISTING and operator != "Exists":
        errors.append(FieldError("Invalid value", f"{path}.operator", f"{quoted(operator)}: {NOT_EXISTING}"))
    if operator in {"In", "NotIn"}:
        if not values:
            text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(FieldError("Required value", f"{path}.values", text))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(FieldError("Invalid value", f"{path}.values", f"{orjson.dumps(values).decode()}: {text}"))
    else:
        errors.append(
            FieldError("Invalid value", f"{path}.operator", f"{quoted(operator)}: not a valid selector operator")
        )
    return errors
