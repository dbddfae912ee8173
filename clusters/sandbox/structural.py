"""CRD schemas as written (OpenAPI v3, structural): to nodes, pruning and defaulting. Validation: `verdicts.py`."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.kinds import LIBRARY
from clusters.sandbox.schema import ANY, Node

Schema = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
RULES = "x-kubernetes-validations"
INT_OR_STRING = "x-kubernetes-int-or-string"
OPENAPI_SCALARS = {"string": "str", "integer": "int64", "number": "float", "boolean": "bool"}
LONGEST = 2**63  # a larger number is no whole one
ROOT_FIELDS = ("apiVersion", "kind", "metadata")


def node_of(schema: Schema) -> Node:
    """What field ownership sees of a CRD schema (k8s-transcript 04)."""
    if schema.get(INT_OR_STRING):
        return Node("scalar", scalar="ios")
    kind = schema.get("type", "")
    if kind in OPENAPI_SCALARS:
        return Node("scalar", scalar=OPENAPI_SCALARS[kind])
    if kind == "array":
        return _list_node(schema)
    if kind == "object":
        return _object_node(schema)
    return ANY


def _list_node(schema: Schema) -> Node:
    items = schema.get("items")
    elem = node_of(items) if isinstance(items, dict) else ANY
    shape = schema.get("x-kubernetes-list-type", "atomic")
    node = Node("list", elem=elem, atomic=shape == "atomic", is_set=shape == "set")
    if shape == "map":
        node.keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
        properties = items.get("properties", {}) if isinstance(items, dict) else {}
        node.key_defaults = {
            key: properties[key]["default"] for key in node.keys if "default" in properties.get(key, {})
        }
    return node


def _object_node(schema: Schema) -> Node:
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    preserve = bool(schema.get(PRESERVE))
    elem = node_of(extra) if isinstance(extra, dict) else (ANY if extra else None)
    if not properties and elem is not None:
        return Node("map", elem=elem, atomic=atomic)
    if not properties and preserve and not schema.get(EMBEDDED):
        return Node("any", atomic=atomic)
    fields = {name: node_of(sub) for name, sub in properties.items()}
    if schema.get(EMBEDDED):
        fields |= _root_fields()
    return Node("struct", fields=fields, elem=elem, atomic=atomic, preserve=preserve)


def _root_fields() -> dict[str, Node]:
    text = Node("scalar", scalar="str", go="string")
    return {"apiVersion": text, "kind": text, "metadata": LIBRARY.struct("ObjectMeta")}


def root_node(schema: Schema | None) -> Node:
    """The node of a whole custom resource."""
    node = node_of(schema) if schema else Node("struct", preserve=True)
    if node.form != "struct":
        node = Node("struct", preserve=bool(schema and schema.get(PRESERVE)))
    return Node("struct", fields={**node.fields, **_root_fields()}, elem=node.elem, preserve=node.preserve)


def prune(
    schema: Schema,
    value: dict[str, Any],
    unknown: list[str],
    *,
    root: bool = True,
    path: str = "",
    nulls: bool = False,
) -> dict[str, Any]:
    """A copy without unknown fields and forbidden nulls; unknown paths go to `unknown` in the order of the body.

    `nulls`: forbidden nulls stay, to be refused.
    """
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    preserve = bool(schema.get(PRESERVE))
    keep = ROOT_FIELDS if root or schema.get(EMBEDDED) else ()
    prefix = path + "." if path else ""
    out: dict[str, Any] = {}
    for name, item in value.items():
        sub = properties.get(name)
        if name in keep:
            out[name] = item
        elif sub is not None or isinstance(extra, dict):
            child: Schema = sub if sub is not None else extra  # type: ignore[assignment]
            if item is None and not nulls and not child.get("nullable"):
                continue  # a null where none is allowed counts as absent (k8s-replay 06)
            out[name] = _prune(child, item, unknown, prefix + name, nulls=nulls)
        elif extra or preserve:
            out[name] = item
        else:
            unknown.append(prefix + name)
    return out


def _prune(schema: Schema, value: Any, unknown: list[str], path: str, *, nulls: bool) -> Any:
    if isinstance(value, dict):
        if schema.get("type") != "object" and not schema.get(EMBEDDED):
            return value
        return prune(schema, value, unknown, root=False, path=path, nulls=nulls)
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            return [_prune(items, item, unknown, f"{path}[{i}]", nulls=nulls) for i, item in enumerate(value)]
    return value


def converted(schema: Schema, obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """An object in another version of its kind: what that version does not know is gone, its defaults are there."""
    out = default(schema, prune(schema, obj, [])) if schema else dict(obj)
    return {**out, "apiVersion": api_version}


def whole(value: Any) -> Any:
    """A copy in which 1.0 is 1: Go's numbers are printed without a fraction that is none."""
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < LONGEST else value


def has_defaults(schema: Schema) -> bool:
    if "default" in schema:
        return True
    subs = list((schema.get("properties") or {}).values())
    subs += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return any(has_defaults(sub) for sub in subs)


def has_rules(schema: Schema) -> bool:
    """Whether anything in it is to be judged by CEL."""
    if schema.get(RULES):
        return True
    subs = list((schema.get("properties") or {}).values())
    subs += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return any(has_rules(sub) for sub in subs)


def default(schema: Schema, value: dict[str, Any]) -> dict[str, Any]:
    """A copy with defaults filled in; a null where a default exists and null is not allowed is replaced."""
    properties = schema.get("properties") or {}
    out = value
    for name, sub in properties.items():
        present = name in out
        if present and out[name] is None and "default" in sub and not sub.get("nullable"):
            present = False
        if not present and "default" in sub:
            out = dict(out) if out is value else out
            out[name] = _default(sub, sub["default"])
        elif present:
            filled = _default(sub, out[name])
            if filled is not out[name]:
                out = dict(out) if out is value else out
                out[name] = filled
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        filled_map = {name: _default(extra, item) if name not in properties else item for name, item in out.items()}
        out = filled_map if any(filled_map[name] is not out[name] for name in out) else out
    return out


def _default(schema: Schema, value: Any) -> Any:
    if isinstance(value, dict):
        return default(schema, value)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items = schema["items"]
        filled = [_default(items, item) for item in value]
        return filled if any(a is not b for a, b in zip(filled, value, strict=True)) else value
    return value
