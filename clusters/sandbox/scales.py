"""The numbers behind a custom resource's scale subresource, judged beside its schema (k8s-transcript 06)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.applied import GO_TYPES, go_print
from clusters.sandbox.errors import FieldError

Object = dict[str, Any]
MOST = 2**31 - 1
HOLDER = "map[string]interface{}"


def spec_errors(scale: Object | None, obj: Object) -> list[FieldError]:
    return _errors(scale["specReplicasPath"], obj) if scale else []


def status_errors(scale: Object | None, obj: Object) -> list[FieldError]:
    if not scale:
        return []
    found = _errors(scale["statusReplicasPath"], obj)
    selector = scale.get("labelSelectorPath")
    return found + _wrong_type(selector, obj, str, '""') if selector else found


def _lookup(path: str, obj: Object) -> tuple[Any, bool]:
    """The value a dotted path names, None when it is not there; and whether it is one that cannot hold the rest."""
    value: Any = obj
    for name in path.lstrip(".").split("."):
        if not isinstance(value, dict):
            return value, value is not None
        value = value.get(name)
    return value, False


def _errors(path: str, obj: Object) -> list[FieldError]:
    wrong = _wrong_type(path, obj, int, "0")
    value, _ = _lookup(path, obj)
    if wrong or value is None:
        return wrong
    if value < 0:
        return [FieldError("Invalid value", path, f"{value}: should be a non-negative integer")]
    if value > MOST:
        return [FieldError("Invalid value", path, f"{value}: should be less than or equal to {MOST}")]
    return []


def _wrong_type(path: str, obj: Object, wanted: type, zero: str) -> list[FieldError]:
    value, blocks = _lookup(path, obj)
    if not blocks and (value is None or (isinstance(value, wanted) and not isinstance(value, bool))):
        return []
    found, go = GO_TYPES.get(type(value), "nil"), HOLDER if blocks else GO_TYPES[wanted]
    text = f"{zero}: {path} accessor error: {go_print(value)} is of the type {found}, expected {go}"
    return [FieldError("Invalid value", path, text)]
