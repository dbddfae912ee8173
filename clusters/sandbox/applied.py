"""The checks an applied body passes before anything is merged (k8s-transcript 04, 12; k8s-replay 02)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.call import Call
from clusters.sandbox.errors import bad_request, internal
from clusters.sandbox.fields import element_text
from clusters.sandbox.schema import ANY, Node
from clusters.sandbox.typed import element_of

Object = dict[str, Any]
GO_TYPES = {
    str: "string",
    bool: "bool",
    dict: "map[string]interface {}",
    list: "[]interface {}",
    int: "int64",
    float: "float64",
}


def check_applied(call: Call, body: Object) -> None:
    resource = call.resource
    api_version, kind = body.get("apiVersion") or "", body.get("kind") or ""
    if api_version != resource.api_version or kind != resource.kind:
        group, _, version = api_version.rpartition("/")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={kind}")
    given = body.get("metadata")
    meta: Object = given if isinstance(given, dict) else {}
    name = meta.get("name")
    if meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    problems = typed_problems(resource.node, body)
    if problems:
        group, version = resource.group, resource.version
        where = f"{meta.get('namespace') or ''}/{name or ''}; {group}/{version}, Kind={kind}"
        text = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join("  " + p for p in problems)
        raise internal(f"failed to create typed patch object ({where}): {text}")


KEYLESS = "associative list with keys has an element that omits all key fields"


def typed_problems(node: Node, value: Object) -> list[str]:
    """Why a document cannot be read by its schema, in the words of structured merge."""
    problems: list[str] = []
    _map(node, value, "", problems)
    return problems


def go_print(value: Any) -> str:
    """Go's %v of an unstructured value."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_print(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_print(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _map(node: Node, value: Object, path: str, problems: list[str]) -> None:
    for name, item in value.items():
        child = node.child(name)
        here = f"{path}.{name}"
        if child is None:
            problems.append(f"{here}: field not declared in schema")
        elif item is not None:
            _value(child, item, here, problems)


def _value(node: Node, value: Any, path: str, problems: list[str]) -> None:
    if node.form == "any":
        return
    if node.form == "scalar":
        _scalar(node, value, path, problems)
    elif node.form == "list":
        if not isinstance(value, list):
            problems.append(f"{path}: expected list, got &{{{go_print(value)}}}")
            return
        _list(node, value, path, problems)
    elif not isinstance(value, dict):
        problems.append(f"{path}: expected map, got &{{{go_print(value)}}}")
    else:
        _map(node, value, path, problems)


def _list(node: Node, value: list[Any], path: str, problems: list[str]) -> None:
    seen: set[str] = set()
    for i, item in enumerate(value):
        here = f"{path}[{i}]"
        if node.granular_list:
            if node.keys and not isinstance(item, dict):
                problems.append(f"{path}: element {i}: associative list with keys may not have non-map elements")
                continue
            if node.keys and not any(key in item or key in node.key_defaults for key in node.keys):
                listed = " ".join(f'"{key}"' for key in node.keys)
                why = f"{KEYLESS} [{listed}]"
                tail = " (and doesn't have default values for any key fields)"
                problems.append(f"{path}: element {i}: {why}{tail}")
                continue
            element = element_of(node, item)
            here = path + element_text(element)
            if element in seen:
                word = "key" if node.keys else "value"
                problems.append(f"{path}: duplicate entries for {word} {element_text(element)}")
            seen.add(element)
        if item is not None:
            _value(node.elem or ANY, item, here, problems)


def _scalar(node: Node, value: Any, path: str, problems: list[str]) -> None:
    kind = node.scalar
    if kind in {"int", "int64", "float"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"{path}: expected numeric (int or float), got {GO_TYPES.get(type(value), 'nil')}")
    elif kind == "bool":
        if not isinstance(value, bool):
            problems.append(f"{path}: expected boolean, got &{{{go_print(value)}}}")
    elif kind in {"str", "bytes", "time", "microtime"} and not isinstance(value, str):
        problems.append(f"{path}: expected string, got &value.valueUnstructured{{Value:{go_print(value)}}}")
    elif kind in {"ios", "qty"} and isinstance(value, dict | list):
        problems.append(f"{path}: expected scalar, got &{{{go_print(value)}}}")
