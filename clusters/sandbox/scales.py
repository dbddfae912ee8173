"""The numbers behind a custom resource's scale subresource, judged beside its schema (k8s-transcript 06)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.applied import GO_TYPES, go_print
from clusters.sandbox.errors import FieldError

Object = dict[str, Any]
MOST = 2**31 - 1


def spec_errors(scale: Object | None, obj: Object) -> list[FieldError]:
    return _errors(scale["specReplicasPath"], obj) if scale else []


def status_errors(scale: Object | None, obj: Object) -> list[FieldError]:
    if not scale:
        return []
    found = _errors(scale["statusReplicasPath"], obj)
    selector = scale.get("labelSelectorPath")
    return found + _wrong_type(selector, obj, str, '""') if selector else found


def _lookup(path: str, obj: Object) -> Any:
    """The value a dotted path names; None when it is not there."""
    value: Any = obj
    for name in path.lstrip(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _errors(path: str, obj: Object) -> list[FieldError]:
    wrong = _wrong_type(path, obj, int, "0")
    value = _lookup(path, obj)
    if wrong or value is None:
        return wrong
    if value < 0:
        return [FieldError("Invalid value", path, f"{value}: should be a non-negative integer")]
    if value > MOST:
        return [FieldError("Invalid value", path, f"{value}: should be less than or equal to {MOST}")]
    return []


def _wrong_type(path: str, obj: Object, wanted: type, zero: str) -> list[FieldError]:
    value = _lookup(path, obj)
    if value is None or (isinstance(value, wanted) and not isinstance(value, bool)):
        return []
    found, go = GO_TYPES.get(type(value), "nil"), GO_TYPES[wanted]
    text = f"{zero}: {path} accessor error: {go_print(value)} is of the type {found}, expected {go}"
    return [FieldError("Invalid value", path, text)]
