"""Operations of structured merge on documents: field sets, comparison, merge, removal (k8s-transcript 04)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusters.sandbox.fields import DOT, LEAF, Fields, key_element, value_element
from clusters.sandbox.schema import ANY, Node


class TypedError(Exception):
    """The document does not fit the schema; the text is the server's."""


def element_of(node: Node, item: Any) -> str:
    if node.keys:
        return key_element(item, node.keys, node.key_defaults)
    return value_element(item)


def is_leaf(node: Node, value: Any) -> bool:
    if isinstance(value, dict):
        return node.atomic or node.form in {"scalar", "list"}
    if isinstance(value, list):
        return not node.granular_list
    return True


def to_set(node: Node, value: dict[str, Any]) -> Fields:
    """The field set of an applied document: leaves, list items and keys of maps."""
    out: Fields = {}
    for name, item in value.items():
        child = node.child(name) or ANY
        declared = node.form == "struct" and name in node.fields
        sub = _to_set(child, item)
        if item is None or item == {} or (not declared and sub):
            out["f:" + name] = {DOT: LEAF, **sub} if sub else LEAF
        elif sub is not None:
            out["f:" + name] = sub
    return out


def _to_set(node: Node, value: Any) -> Fields | None:
    """The node under one path; None when the value adds no path (an empty keyed list)."""
    if is_leaf(node, value):
        return LEAF
    if isinstance(value, dict):
        return to_set(node, value) or None
    out: Fields = {}
    elem = node.elem or ANY
    for item in value:
        sub = _to_set(elem, item) if node.keys else LEAF
        out[element_of(node, item)] = {DOT: LEAF, **sub} if sub else LEAF
    return out or None


@dataclass(slots=True)
class Comparison:
    """Paths added, modified and removed between two documents."""

    added: Fields = field(default_factory=dict)
    modified: Fields = field(default_factory=dict)
    removed: Fields = field(default_factory=dict)


def compare(node: Node, old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    out = Comparison()
    _compare_maps(node, old, new, out)
    return out


def _whole(node: Node, value: Any) -> Fields:
    """Every path at and below a value that appeared or went."""
    if is_leaf(node, value) or not value:
        return LEAF
    out: Fields = {DOT: LEAF}
    if isinstance(value, dict):
        for name, item in value.items():
            out["f:" + name] = _whole(node.child(name) or ANY, item)
        return out
    for item in value:
        out[element_of(node, item)] = _whole(node.elem or ANY, item) if node.keys else LEAF
    return out


def _compare_maps(node: Node, old: dict[str, Any], new: dict[str, Any], out: Comparison) -> None:
    for name, value in new.items():
        child = node.child(name) or ANY
        if name not in old:
            out.added["f:" + name] = _whole(child, value)
            continue
        before = old[name]
        if before is not value and before != value:
            _compare_values(child, "f:" + name, before, value, out)
    for name, value in old.items():
        if name not in new:
            out.removed["f:" + name] = _whole(node.child(name) or ANY, value)


def _compare_values(node: Node, element: str, old: Any, new: Any, out: Comparison) -> None:
    """Both sides exist and differ."""
    if old is None and isinstance(new, dict | list):
        old = type(new)()  # null counts as empty, and being there, is not added again
    elif new is None and isinstance(old, dict | list):
        new = type(old)()
    same_shape = type(old) is type(new)
    if not same_shape or is_leaf(node, new) or (not old and not new):
        out.modified[element] = LEAF
        return
    sub = Comparison()
    if isinstance(new, dict):
        _compare_maps(node, old, new, sub)
    else:
        _compare_lists(node, old, new, sub)
    if sub.added:
        out.added[element] = sub.added
    if sub.modified:
        out.modified[element] = sub.modified
    if sub.removed:
        out.removed[element] = sub.removed


def _compare_lists(node: Node, old: list[Any], new: list[Any], out: Comparison) -> None:
    before = {element_of(node, item): item for item in old}
    after = {element_of(node, item): item for item in new}
    elem = node.elem or ANY
    for element, item in after.items():
        if element not in before:
            out.added[element] = _whole(elem, item) if node.keys else LEAF
        elif node.keys and before[element] != item:
            _compare_values(elem, element, before[element], item, out)
    for element, item in before.items():
        if element not in after:
            out.removed[element] = _whole(elem, item) if node.keys else LEAF


def merge(node: Node, live: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """The live document with the applied one laid over it."""
    out = dict(live)
    for name, value in applied.items():
        child = node.child(name) or ANY
        out[name] = _merge(child, out[name], value) if name in out else value
    return out


def _merge(node: Node, live: Any, applied: Any) -> Any:
    if applied is None and isinstance(live, dict | list) and not is_leaf(node, live):
        return live  # null says nothing about what others put into a map (k8s-transcript 12)
    if applied is None or live is None or is_leaf(node, applied) or type(live) is not type(applied):
        return applied
    if isinstance(applied, dict):
        return merge(node, live, applied)
    return _merge_lists(node, live, applied)


def _merge_lists(node: Node, live: list[Any], applied: list[Any]) -> list[Any]:
    """Keyed lists and sets: the applied order wins among shared items, others keep their place."""
    left = [(element_of(node, item), item) for item in live]
    right = [(element_of(node, item), item) for item in applied]
    mine, theirs = dict(left), {element for element, _ in right}
    shared = [element for element, _ in right if element in mine]
    elem = node.elem or ANY
    out: list[Any] = []
    i = j = done = 0
    while i < len(left) or j < len(right):
        if i < len(left):
            element, item = left[i]
            if element not in theirs:
                out.append(item)
                i += 1
                continue
            if j >= len(right) or (element != right[j][0] and shared[done : done + 1] != [element]):
                i += 1  # shared, but its turn comes with (or came before) the applied order
                continue
            if element == right[j][0]:
                i += 1
        element, item = right[j]
        if element in mine:
            done += 1
            item = _merge(elem, mine[element], item) if node.keys else item
        out.append(item)
        j += 1
    return out


def remove_items(node: Node, value: dict[str, Any], last: Fields, owned: Fields) -> dict[str, Any]:
    """The document less what `last` listed and nobody owns any more (`owned`: union of all managers)."""
    out: dict[str, Any] | None = None
    for element, sub in last.items():
        name = element[2:]
        if element == DOT or name not in value:
            continue
        item = value[name]
        child = node.child(name) or ANY
        kept = owned.get(element)
        itself = not sub or DOT in sub  # else only what is below it was listed
        left = None if kept is None and itself else _remove(child, item, sub, kept or {})
        if kept is None and not left:
            out = dict(value) if out is None else out
            del out[name]
        elif left is not item:
            out = dict(value) if out is None else out
            out[name] = left
    return value if out is None else out


def _remove(node: Node, value: Any, last: Fields, owned: Fields) -> Any:
    if is_leaf(node, value) or not last:
        return value
    if isinstance(value, dict):
        return remove_items(node, value, last, owned)
    out = []
    changed = False
    for item in value:
        element = element_of(node, item)
        sub = last.get(element)
        if sub is not None and element not in owned:
            changed = True
            continue
        left = _remove(node.elem or ANY, item, sub, owned[element]) if sub else item
        changed = changed or left is not item
        out.append(left)
    return out if changed else value
