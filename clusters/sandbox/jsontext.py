"""What Go's JSON decoder says about a text: where it is malformed, which fields it repeats (k8s-transcript 02)."""

from __future__ import annotations

import json
import re
from typing import Any

END = "unexpected end of JSON input"
SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
ESCAPES = '"\\/bfnrt'
WORDS = {"t": "true", "f": "false", "n": "null"}


class _MalformedError(Exception):
    """The text is no JSON; the message is Go's."""


def problem(raw: bytes) -> str:
    """Go's complaint about a document; empty when it is JSON."""
    text = raw.decode("utf-8", "replace")
    try:
        at = _space(text, _value(text, _space(text, 0)))
        if at < len(text):
            return _odd(text, at, "after top-level value").args[0]  # type: ignore[no-any-return]
    except _MalformedError as malformed:
        return str(malformed)
    except RecursionError:
        return "exceeded max depth"
    return ""


NAMES: dict[type, str] = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def no_object(raw: bytes) -> str:
    """Why Go can't read a text into a map; empty when it can."""
    why = problem(raw)
    if why:
        return why
    name = NAMES.get(type(json.loads(raw)), "")
    return f"json: cannot unmarshal {name} into Go value of type map[string]interface {{}}" if name else ""


def _space(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def _odd(text: str, at: int, where: str) -> _MalformedError:
    """The complaint about the character at a place, or about the end of the text."""
    if at >= len(text):
        return _MalformedError(END)
    char = text[at]
    shown = {"'": "'\\''", '"': "'\"'"}.get(char) or "'" + json.dumps(char, ensure_ascii=False)[1:-1] + "'"
    return _MalformedError(f"invalid character {shown} {where}")


def _value(text: str, at: int) -> int:
    """The place after the value that begins here."""
    char = text[at : at + 1]
    if char == "{":
        return _object(text, at + 1)
    if char == "[":
        return _array(text, at + 1)
    if char == '"':
        return _string(text, at + 1)
    if char in WORDS and char:
        return _word(text, at, WORDS[char])
    if char and char in "-0123456789":
        return _number(text, at)
    raise _odd(text, at, "looking for beginning of value")


def _object(text: str, at: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _odd(text, at, "looking for beginning of object key string")
        at = _space(text, _string(text, at + 1))
        if text[at : at + 1] != ":":
            raise _odd(text, at, "after object key")
        at = _space(text, _value(text, _space(text, at + 1)))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise _odd(text, at, "after object key:value pair")
        at = _space(text, at + 1)


def _array(text: str, at: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _space(text, _value(text, at))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise _odd(text, at, "after array element")
        at = _space(text, at + 1)


def _string(text: str, at: int) -> int:
    while at < len(text):
        char = text[at]
        if char == '"':
            return at + 1
        if char < " ":
            raise _odd(text, at, "in string literal")
        if char == "\\":
            at = _escape(text, at + 1)
        at += 1
    raise _MalformedError(END)


def _escape(text: str, at: int) -> int:
    """The place of the last character of an escape."""
    if text[at : at + 1] == "u":
        for place in range(at + 1, at + 5):
            if text[place : place + 1] not in set("0123456789abcdefABCDEF"):
                raise _odd(text, place, "in \\u hexadecimal character escape")
        return at + 4
    if at >= len(text) or text[at] not in ESCAPES:
        raise _odd(text, at, "in string escape code")
    return at


def _word(text: str, at: int, word: str) -> int:
    for i, wanted in enumerate(word):
        if text[at + i : at + i + 1] != wanted:
            raise _odd(text, at + i, f"in literal {word} (expecting '{wanted}')")
    return at + len(word)


def _number(text: str, at: int) -> int:
    match = NUMBER.match(text, at)
    if match is None:
        raise _odd(text, at + 1, "in numeric literal")
    end = match.end()
    if text[end : end + 1] == "." and "." not in match[0]:
        raise _odd(text, end + 1, "after decimal point in numeric literal")
    if text[end : end + 1] in {"e", "E"} and "e" not in match[0].lower():
        signed = text[end + 1 : end + 2] in {"+", "-"}
        raise _odd(text, end + (2 if signed else 1), "in exponent of numeric literal")
    return end


class _Pairs(dict[str, Any]):
    """An object that remembers which of its names came twice."""

    twice: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    out = _Pairs()
    out.twice = []
    for name, value in pairs:
        if name in out:
            out.twice.append(name)
        out[name] = value
    return out


def duplicates(raw: bytes) -> list[str]:
    """Paths of the fields that a JSON document names twice."""
    try:
        document = json.loads(raw, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return []
    out: list[str] = []
    _collect(document, "", out)
    return out


def _collect(value: Any, path: str, out: list[str]) -> None:
    if isinstance(value, _Pairs):
        prefix = path + "." if path else ""
        out += [prefix + name for name in value.twice]
        for name, item in value.items():
            _collect(item, prefix + name, out)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _collect(item, f"{path}[{i}]", out)
