"""Sets of field paths, kept in the very form FieldsV1 has on the wire: nested dicts.

A node is a member when it is empty or holds "."; children are its other keys. Nodes are never changed
in place, so sets share structure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

Fields = dict[str, Any]
DOT = "."
LEAF: Fields = {}


def member(node: Fields) -> bool:
    return not node or DOT in node


def build(is_member: bool, kids: Fields) -> Fields | None:
    """A node from its parts; None when nothing is left of it."""
    if not kids:
        return LEAF if is_member else None
    if is_member:
        return {DOT: LEAF, **kids}
    return kids


def union(a: Fields, b: Fields) -> Fields:
    """Roots (an empty root is the empty set)."""
    if not a:
        return b
    if not b or a is b:
        return a
    out = dict(a)
    for key, node in b.items():
        mine = out.get(key)
        out[key] = node if mine is None else _union(mine, node)
    return out


def _union(a: Fields, b: Fields) -> Fields:
    if a is b or a == b:
        return a
    if not a:
        return b if DOT in b else {DOT: LEAF, **b}
    if not b:
        return a if DOT in a else {DOT: LEAF, **a}
    return union(a, b)


def difference(a: Fields, b: Fields) -> Fields:
    """Paths of `a` that are not paths of `b` (exact paths: children of a removed path stay)."""
    if not a or not b:
        return a
    out: Fields = {}
    for key, node in a.items():
        other = b.get(key)
        if other is None or key == DOT:
            out[key] = node
            continue
        left = build(member(node) and not member(other), difference(_kids(node), _kids(other)))
        if left is not None:
            out[key] = left
    return out


def intersection(a: Fields, b: Fields) -> Fields:
    if not a or not b:
        return {}
    out: Fields = {}
    for key, node in a.items():
        other = b.get(key)
        if other is None or key == DOT:
            continue
        both = build(member(node) and member(other), intersection(_kids(node), _kids(other)))
        if both is not None:
            out[key] = both
    return out


def _kids(node: Fields) -> Fields:
    if DOT in node:
        return {key: kid for key, kid in node.items() if key != DOT}
    return node


kids = _kids


def without(a: Fields, *roots: str) -> Fields:
    """The set less whole top-level subtrees ("f:status")."""
    if any(root in a for root in roots):
        return {key: node for key, node in a.items() if key not in roots}
    return a


STRIPPED_METADATA = {
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:clusterName",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
    DOT,
}


def stripped(a: Fields) -> Fields:
    """The server never records ownership of identity fields (k8s-transcript 04)."""
    meta = a.get("f:metadata")
    if meta is None and "f:apiVersion" not in a and "f:kind" not in a:
        return a
    out = {key: node for key, node in a.items() if key not in {"f:apiVersion", "f:kind", "f:metadata"}}
    left = {key: node for key, node in (meta or {}).items() if key not in STRIPPED_METADATA}
    if left:
        out["f:metadata"] = left
    return out


def name_element(name: str) -> str:
    return "f:" + name


def key_element(item: Any, keys: tuple[str, ...], defaults: dict[str, Any]) -> str:
    found = {key: item.get(key, defaults.get(key)) for key in keys} if isinstance(item, dict) else {}
    found = {key: value for key, value in found.items() if value is not None}
    return "k:" + orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()


def value_element(item: Any) -> str:
    return "v:" + orjson.dumps(item).decode()


def element_text(element: str) -> str:
    """How a path element prints in a conflict: .name, [name="a"], ["x"]."""
    kind, _, rest = element.partition(":")
    if kind == "f":
        return "." + rest
    if kind == "k":
        pairs = orjson.loads(rest)
        return "[" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in pairs.items()) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def paths(a: Fields, prefix: str = "") -> Iterator[str]:
    """Every member path as text, members of a level before their children, both sorted."""
    order = sorted(key for key in a if key != DOT)
    for key in order:
        if member(a[key]):
            yield prefix + element_text(key)
    for key in order:
        if a[key]:
            yield from paths(a[key], prefix + element_text(key))
