"""The one schema form of the sandbox: built-in kinds (from `kinds.py`) and CRDs both become `Node` trees.

A node knows what server-side apply needs (granular, atomic, keyed, set) and what Go decoding needs
(names of Go types for error texts, pointers, fields printed even when empty).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from clusters.sandbox.go_names import NAMED

GO_SCALARS = {
    "str": "string",
    "int": "int32",
    "int64": "int64",
    "bool": "bool",
    "float": "float64",
    "bytes": "[]uint8",
    "qty": "resource.Quantity",
    "ios": "intstr.IntOrString",
    "time": "v1.Time",
    "microtime": "v1.MicroTime",
    "any": "runtime.RawExtension",
}


@dataclass(slots=True)
class Node:
    """`form` is "struct", "map", "list", "scalar" or "any" (schemaless: maps granular, lists atomic)."""

    form: str
    scalar: str = ""
    go: str = ""
    named: str = ""  # what Go calls the type where it is one of the others by another name
    fields: dict[str, Node] = field(default_factory=dict)
    elem: Node | None = None
    atomic: bool = False
    keys: tuple[str, ...] = ()  # list map keys
    key_defaults: dict[str, Any] = field(default_factory=dict)
    is_set: bool = False
    pointer: bool = False
    always: bool = False
    preserve: bool = False  # unknown fields of a struct are kept (CRDs only)

    @property
    def granular_list(self) -> bool:
        return bool(self.keys) or self.is_set

    def child(self, name: str) -> Node | None:
        """The node of a map key or struct field; None where the schema does not declare it."""
        if self.form == "struct":
            found = self.fields.get(name)
            if found is None and self.elem is not None:
                return self.elem  # properties beside additionalProperties (CRDs)
            if found is None and self.preserve:
                return ANY
            return found
        if self.form == "map":
            return self.elem
        return ANY


ANY = Node("any", scalar="any", go="interface {}")

TOKEN = re.compile(
    r"(?P<star>\*?)(?P<body>\[.*\]|\{.*\}|[A-Za-z0-9]+)(?P<atomic>!?)(?P<set>\$?)(?:/(?P<keys>[^+]+))?(?P<plus>\+?)$"
)


class Library:
    """Struct definitions by name, parsed when first asked for: start-up stays fast."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, str] = {}
        self._built: dict[str, Node] = {}
        current = ""
        for line in text.splitlines():
            if not line.strip():
                continue
            if not line.startswith(" "):
                head, _, rest = line.partition(":")
                current = head.strip()
                self._lines[current] = rest.strip()
            else:
                self._lines[current] += " " + line.strip()

    def struct(self, name: str) -> Node:
        if name in self._built:
            return self._built[name]
        atomic = name + "!" in self._lines
        line = self._lines[name + "!" if atomic else name]
        node = Node("struct", go=f"v1.{name}", atomic=atomic)
        self._built[name] = node  # before the fields: definitions may be recursive
        for item in line.split():
            key, _, token = item.partition(":")
            child = node.fields[key] = self.parse(token)
            child.named = NAMED.get(f"{name}.{key}", "")
        return node

    def parse(self, token: str) -> Node:
        match = TOKEN.match(token)
        if match is None:
            raise ValueError(f"bad schema token {token!r}")
        body = match["body"]
        node = self._body(body)
        node.pointer = bool(match["star"])
        node.always = bool(match["plus"])
        node.atomic = node.atomic or bool(match["atomic"])
        node.is_set = bool(match["set"])
        if match["keys"]:
            names = [part.partition("=") for part in match["keys"].split(",")]
            node.keys = tuple(name for name, _, _ in names)
            node.key_defaults = {name: default for name, sep, default in names if sep}
        if node.form == "list" and not node.granular_list:
            node.atomic = True
        return node

    def _body(self, body: str) -> Node:
        if body.startswith("["):
            elem = self.parse(body[1:-1])
            return Node("list", elem=elem, go="[]" + elem.go)
        if body.startswith("{"):
            elem = self.parse(body[1:-1])
            return Node("map", elem=elem, go="map[string]" + elem.go)
        if body in GO_SCALARS:
            return Node("any" if body == "any" else "scalar", scalar=body, go=GO_SCALARS[body])
        struct = self.struct(body)
        return Node("struct", go=struct.go, fields=struct.fields, atomic=struct.atomic)
