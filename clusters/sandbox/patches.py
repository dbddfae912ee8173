"""Merge patch, JSON patch and strategic merge patch (k8s-transcript 05)."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import jsonpatches
from clusters.sandbox.applied import go_print
from clusters.sandbox.errors import ApiError, bad_request, error, internal
from clusters.sandbox.schema import ANY, Node

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MOST_OPERATIONS = 10_000  # of one JSON patch


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386; the target is not changed."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, list):
            out[name] = [_without_nulls(item) for item in value]
        else:
            out[name] = merge_patch(out.get(name), value)
    return out


def _without_nulls(value: Any) -> Any:
    """The server's library drops the nulls of objects in lists, too; those of the list itself stay."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def rejected() -> ApiError:
    return error(422, "Invalid", "the server rejected our request due to an error in our request", {})


def json_patch(target: Any, operations: Any) -> Any:
    try:
        return jsonpatches.apply(target, operations)
    except jsonpatches.DoesNotApplyError as problem:
        raise rejected() from problem


def shown(node: Node, changed: Any, media: str, patch: Any, *, sorted_keys: bool) -> bytes:
    """How the server prints what a patch led to: a strategic one as a map, others as JSON.

    What a JSON or merge patch touched has its keys sorted, the rest is as Go writes its structs.
    """
    if media == STRATEGIC:
        return go_print(patch).encode()
    if sorted_keys:
        return orjson.dumps(changed, option=orjson.OPT_SORT_KEYS)
    return orjson.dumps(_in_order(node, changed, patch if media == MERGE else _places(patch)))


def _places(operations: list[Any]) -> dict[str, Any]:
    """The maps that a JSON patch opens, as a tree."""
    out: dict[str, Any] = {}
    for operation in operations:
        here = out
        for part in str(operation.get("path", "")).split("/")[1:-1]:
            here = here.setdefault(part.replace("~1", "/").replace("~0", "~"), {})
    return out


def _in_order(node: Node, value: Any, touched: Any) -> Any:
    if isinstance(value, list):
        return [_in_order(node.elem or ANY, item, None) for item in value]
    if not isinstance(value, dict):
        return value
    if "fieldsV1" in value:
        names = list(value)  # an entry of managedFields, which is kept as Go writes it
    elif isinstance(touched, dict) or node.form != "struct":
        names = sorted(value)
    else:
        known = [name for name in ("kind", "apiVersion", *node.fields) if name in value]
        names = [*dict.fromkeys(known), *(name for name in value if name not in known)]
    inner = touched if isinstance(touched, dict) else {}
    return {name: _in_order(node.child(name) or ANY, value[name], inner.get(name)) for name in names}


# Merge keys of strategic merge where they are not the first key of the server-side apply schema.
STRATEGIC_KEYS: dict[tuple[str, ...], str] = {
    ("port", "protocol"): "port",
    ("containerPort", "protocol"): "containerPort",
}
DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def strategic(node: Node, target: Any, patch: Any) -> Any:
    """Strategic merge for built-in kinds: keyed lists merge by key, sets by value, the rest replaces."""
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return _clean(patch)
    if "$patch" in patch:
        return _directed(patch)
    out = _retained(target, patch)
    orders = {name.partition("/")[2]: value for name, value in patch.items() if name.startswith("$setElementOrder/")}
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            out[field] = [item for item in out.get(field) or () if item not in value]
        elif name.startswith("$"):
            continue
        elif value is None:
            out.pop(name, None)
        else:
            out[name] = _strategic_value(node.child(name) or ANY, out.get(name), value)
    for name, order in orders.items():
        if isinstance(out.get(name), list) and isinstance(target.get(name), list) and isinstance(order, list):
            out[name] = _ordered(_merge_key(node.child(name) or ANY), out[name], order, target[name])
    return out


def _directed(patch: dict[str, Any]) -> Any:
    """A map whose patch says what becomes of it as a whole."""
    if patch["$patch"] == "delete":
        return {}
    if patch["$patch"] != "replace":
        raise internal(f"unknown patch type: {go_print(patch['$patch'])} in map: {go_print(patch)}")
    return _clean(patch)


def _retained(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A copy of the target, with `$retainKeys` only what it names."""
    if "$retainKeys" not in patch:
        return dict(target)
    kept = patch["$retainKeys"]
    if not isinstance(kept, list) or any(n not in kept for n, v in patch.items() if v is not None and n[0] != "$"):
        raise bad_request("invalid patch format of retainKeys")
    return {name: value for name, value in target.items() if name in kept}


def _strategic_value(node: Node, target: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return strategic(node, target, value) if isinstance(target, dict) else _clean(value)
    if isinstance(value, list) and isinstance(target, list):
        if node.keys:
            return _strategic_list(node, target, value)
        if node.is_set:
            merged = [*target, *(item for item in value if item not in target)]
            return _ordered("", merged, value, target)
    return _clean(value)


def _merge_key(node: Node) -> str:
    """The key that strategic merge goes by; empty for a list of plain values."""
    return STRATEGIC_KEYS.get(node.keys, node.keys[0]) if node.keys else ""


def _strategic_list(node: Node, target: list[Any], patch: list[Any]) -> list[Any]:
    if not all(isinstance(item, dict) for item in patch):
        raise bad_request("invalid JSON document")
    if any(item.get("$patch") == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get("$patch") != "replace"]
    key = _merge_key(node)
    out = list(target)
    for item in patch:
        if key not in item:
            raise internal(f"map: {go_print(item)} does not contain declared merge key: {key}")
        at = next((i for i, old in enumerate(out) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del out[at]
        elif at is None:
            out.append(_clean(item))
        else:
            out[at] = strategic(node.elem or ANY, out[at], item)
    return _ordered(key, out, [item for item in patch if item.get("$patch") != "delete"], target)


def _ordered(key: str, merged: list[Any], wanted: list[Any], before: list[Any]) -> list[Any]:
    """The order of the server: patched items as the patch has them, the others as they were.

    An item that was not there before comes ahead of what it is compared with, so that a patch adds at the front.
    """

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    order, places = [name(item) for item in wanted], [name(item) for item in before]
    mine = sorted((item for item in merged if name(item) in order), key=lambda item: order.index(name(item)))
    others = [item for item in merged if name(item) not in order]
    out: list[Any] = []
    while mine and others:
        left, right = name(others[0]), name(mine[0])
        first = left in places and right in places and places.index(left) < places.index(right)
        out.append(others.pop(0) if first else mine.pop(0))
    return [*out, *mine, *others]


def _clean(value: Any) -> Any:
    """A patch value without nulls and directives."""
    if isinstance(value, dict):
        return {
            name: _clean(item) for name, item in value.items() if item is not None and not name.startswith(DIRECTIVES)
        }
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and "$patch" in item)]
    return value
