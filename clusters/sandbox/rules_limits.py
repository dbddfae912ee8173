"""LimitRanges (k8s-replay 05, k8s-transcript 02)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.errors import FieldError
from clusters.sandbox.objectmeta import key_problems, quoted
from clusters.sandbox.rules_quota import CONTAINED, HUGE, resource_problems
from clusters.sandbox.store import Store

Object = dict[str, Any]
TYPES = {"Container", "Pod", "PersistentVolumeClaim"}
DEFAULTS = ("default", "defaultRequest")


def limit_range(new: Object, _old: Object | None, _store: Store) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, item in enumerate(new["spec"].get("limits") or ()):
        path, kind = f"spec.limits[{i}]", item.get("type", "")
        problems = key_problems(kind)
        if not problems and "/" not in kind and kind not in TYPES:
            problems = ["must be a standard limit type or fully qualified"]
        errors += [FieldError("Invalid value", f"{path}.type", f"{quoted(kind)}: {why}") for why in problems]
        if kind in seen:
            errors.append(FieldError("Duplicate value", f"{path}.type", quoted(kind)))
        seen.add(kind)
        errors += _limit_item(path, kind, item)
    return errors


def _limit_item(path: str, kind: str, item: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    parts = {name: item.get(name) or {} for name in ("max", "min", *DEFAULTS, "maxLimitRequestRatio")}
    for part in ("max", "min", *DEFAULTS):
        if kind == "Pod" and part in DEFAULTS:
            if parts[part]:
                text = "may not be specified when `type` is 'Pod'"
                errors.append(FieldError("Forbidden", f"{path}.{part}", text))
            parts[part] = {}
        errors += _names(f"{path}.{part}", kind, parts[part])
    if kind == "PersistentVolumeClaim" and "storage" not in {**parts["min"], **parts["max"]}:
        text = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(FieldError("Required value", f"{path}.limits", text))
    errors += _names(f"{path}.maxLimitRequestRatio", kind, parts["maxLimitRequestRatio"])
    for name in dict.fromkeys(name for values in parts.values() for name in values):
        given = {part: values.get(name) for part, values in parts.items()}
        errors += _limit_values(path, name, given) + _ratio(path, name, given)
    return errors


def _names(path: str, kind: str, values: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in values:
        problems = resource_problems(name)
        if kind in {"Pod", "Container"} and "/" not in name and name not in CONTAINED and not name.startswith(HUGE[0]):
            problems = [*problems, "must be a standard resource for containers"]
        errors += [FieldError("Invalid value", f"{path}[{name}]", f"{quoted(name)}: {why}") for why in problems]
    return errors


def _limit_values(path: str, name: str, given: dict[str, str | None]) -> list[FieldError]:
    """min ≤ defaultRequest ≤ default ≤ max; messages carry the server's own choice of values."""
    low, high, default, request = (given[part] for part in ("min", "max", *DEFAULTS))
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


def _ratio(path: str, name: str, given: dict[str, str | None]) -> list[FieldError]:
    ratio, low, high = given["maxLimitRequestRatio"], given["min"], given["max"]
    if ratio is None:
        return []
    here, shown = f"{path}.maxLimitRequestRatio[{name}]", quoted(ratio)
    errors: list[FieldError] = []
    if quantity.parse(ratio) < 1:
        errors.append(FieldError("Invalid value", here, f"{shown}: ratio {ratio} is less than 1"))
    if low is not None and high is not None and quantity.parse(low) > 0:
        most = quantity.parse(high) / quantity.parse(low)
        if quantity.parse(ratio) > most:
            text = f"ratio {ratio} is greater than max/min = {most:.6f}"
            errors.append(FieldError("Invalid value", here, f"{shown}: {text}"))
    return errors
