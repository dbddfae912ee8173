"""Go decoding of built-in kinds: unknown fields, type errors with Go's words, omitted empties.

Sources: k8s-replay 01 (secret wrong type, bad base64, bad quantity), facts/kubernetes.md section 1.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.schema import Node

GO_WORD = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


class DecodeError(Exception):
    """Go could not decode the document; the text is the one behind "cannot be handled as a".

    `unstructured` is what the server says where the document was no text but a map already: strategic merge.
    """

    def __init__(self, text: str, unstructured: str = "") -> None:
        super().__init__(text)
        self.unstructured = unstructured or text


class Decoder:
    """One document: collects unknown fields while it normalises."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def document(self, node: Node, value: dict[str, Any], kind: str) -> dict[str, Any]:
        return self._struct(node, value, kind, "")

    def _struct(self, node: Node, value: dict[str, Any], owner: str, path: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        prefix = path + "." if path else ""
        for name, item in value.items():
            child = node.fields.get(name)
            if child is None:
                self.unknown.append(prefix + name)
                continue
            if item is not None:
                out[name] = self._value(child, item, owner, prefix + name)
        self._omit(node, out)
        return out

    def nothing(self, node: Node) -> dict[str, Any]:
        """What Go prints of an object of the kind that was never filled."""
        out: dict[str, Any] = {}
        self._omit(node, out)
        return out

    def _omit(self, node: Node, out: dict[str, Any]) -> None:
        """Go's omitempty: zero values vanish, except behind pointers and in fields without the tag."""
        for name, child in node.fields.items():
            if name in out:
                value = out[name]
                empty = not value and value is not None
                if empty and not child.pointer and not child.always and child.form not in {"struct", "any"}:
                    del out[name]
            elif child.form == "struct" and not child.pointer:
                inner: dict[str, Any] = {}
                self._omit(child, inner)
                out[name] = inner
            elif child.always:
                out[name] = ZERO.get(child.scalar) if child.form == "scalar" and not child.pointer else None

    def _value(self, node: Node, value: Any, owner: str, path: str) -> Any:
        if node.form == "any":
            return value
        if node.form == "scalar":
            return self._scalar(node, value, owner, path)
        if node.form == "list":
            if not isinstance(value, list):
                raise _mismatch(value, owner, path, node)
            elem = node.elem
            assert elem is not None
            return [
                self._value(elem, item, owner, f"{path}[{i}]") if item is not None else _zero(elem)
                for i, item in enumerate(value)
            ]
        if not isinstance(value, dict):
            raise _mismatch(value, owner, path, node)
        if node.form == "map":
            elem = node.elem
            assert elem is not None
            found = {
                key: self._value(elem, item, owner, f"{path}[{key}]") if item is not None else _zero(elem)
                for key, item in value.items()
            }
            if elem.scalar == "qty":
                return {key: quantity.in_thousandths(item) for key, item in found.items()}
            return found
        return self._struct(node, value, node.go.partition(".")[2], path)

    def _scalar(self, node: Node, value: Any, owner: str, path: str) -> Any:
        kind = node.scalar
        check = CHECKS.get(kind)
        if check is not None:
            return check(value)
        wanted: tuple[type, ...] = PYTHON[kind]
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            raise _mismatch(value, owner, path, node)
        if kind in BITS and not -(2 ** BITS[kind]) <= value < 2 ** BITS[kind]:
            raise _mismatch(value, owner, path, node)
        return value


ZERO: dict[str, Any] = {"str": "", "int": 0, "int64": 0, "bool": False, "float": 0, "ios": 0, "qty": "0", "time": None}
PYTHON: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "int64": (int,),
    "bool": (bool,),
    "float": (int, float),
}
BITS = {"int": 31, "int64": 63}
INDEX = re.compile(r"\[[^\]]*\]")


def _zero(node: Node) -> Any:
    if node.form == "scalar":
        return ZERO.get(node.scalar, "")
    return {} if node.form == "struct" else None


def _mismatch(value: Any, owner: str, path: str, node: Node) -> DecodeError:
    word, go = _word(value, node.go), node.named or node.go
    where = f"Go struct field {owner}.{INDEX.sub('', path)}"
    return DecodeError(f"json: cannot unmarshal {word} into {where} of type {go}", _restored(value, node))


def _word(value: Any, go: str) -> str:
    """What Go calls a JSON value that does not fit; a number that is none of the whole ones wanted is spelled out."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"number {value}" if number and go.startswith("int") else GO_WORD.get(type(value), "value")


GO_KINDS = {dict: "map", list: "slice", str: "string", bool: "bool", int: "int64", float: "float64"}


def _restored(value: Any, node: Node) -> str:
    """Go's refusal to make one type of another, without JSON between them."""
    go = node.go
    kind = GO_KINDS.get(type(value), "nil")
    if go.startswith("map["):
        return f"cannot restore map from {kind}"
    if go.startswith("[]"):
        return f"cannot restore slice from {kind}"
    if "." in go:
        return f"cannot restore struct from: {kind}"
    if (kind, go) == ("int64", "string") or (kind == "float64" and go.startswith("int")):
        return f"cannot convert {kind} to {node.named or go}"
    return f"unrecognized type: {go}"


def _bytes(value: Any) -> str:
    if not isinstance(value, str):
        raise DecodeError(
            "json: cannot unmarshal " + GO_WORD.get(type(value), "value") + " into Go value of type []uint8"
        )
    try:
        base64.b64decode(value.encode(), validate=True)
    except (binascii.Error, ValueError) as problem:
        text = f"illegal base64 data at input byte {_bad_byte(value)}"
        raise DecodeError(text, f"error decoding from json: {text}") from problem
    return value


def _bad_byte(value: str) -> int:
    """Where Go's decoder stops: the first foreign character, else the end of the last whole quantum."""
    clean = re.match(r"[A-Za-z0-9+/]*={0,2}", value)
    end = clean.end() if clean else 0
    if end < len(value):
        return end
    return len(value) - len(value) % 4 if len(value) % 4 else max(len(value) - 1, 0)


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DecodeError(quantity.MESSAGE)
    try:
        return quantity.canonical(str(value))
    except quantity.BadQuantityError as problem:
        raise DecodeError(str(problem)) from problem


def _int_or_string(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31
    if not whole and not isinstance(value, str):
        raise DecodeError(f"json: cannot unmarshal {_word(value, 'int32')} into Go value of type int32")
    return value


def _time(value: Any) -> str:
    if not isinstance(value, str):
        raise DecodeError(
            "json: cannot unmarshal " + GO_WORD.get(type(value), "value") + " into Go value of type string"
        )
    if not TIME.match(value):
        text = f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
        raise DecodeError(text)
    return value


MICRO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")


def _microtime(value: Any) -> str:
    """Leases and events want six digits behind the second (k8s-transcript 12)."""
    text = _time(value)
    if not MICRO.match(text):
        rest = text[19:]
        why = f'parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{rest}" as ".000000"'
        raise DecodeError(why)
    return text


CHECKS = {"bytes": _bytes, "qty": _quantity, "ios": _int_or_string, "time": _time, "microtime": _microtime}
