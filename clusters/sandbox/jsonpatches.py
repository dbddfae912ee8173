"""JSON patches as the server applies them: its library follows RFC 6902 only by and large.

A key that is replaced need not be there; a list is counted from its end by a negative index, and `01` is an index.
"""

from __future__ import annotations

import re
from typing import Any

Step = dict[str, Any]
INDEX = re.compile(r"^[+-]?\d+$")


class DoesNotApplyError(Exception):
    """An operation that cannot be carried out, or is none."""


def apply(target: Any, operations: list[Any]) -> Any:
    """The patched document; the target is changed in place."""
    for operation in operations:
        if not isinstance(operation, dict):
            raise DoesNotApplyError(operation)
        do = OPERATIONS.get(str(operation.get("op")))
        if do is None:
            raise DoesNotApplyError(operation)
        target = do(target, operation)
    return target


def _text(operation: Step, name: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str):
        raise DoesNotApplyError(operation)
    return value


def _found(document: Any, path: str) -> tuple[Any, str]:
    """The map or list that holds what a path names, and its key there."""
    _first, *parts = path.split("/")
    if not parts:
        raise DoesNotApplyError(path)
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in parts]
    for part in way:
        document = _get(document, part)
        if not isinstance(document, dict | list):
            raise DoesNotApplyError(path)
    return document, last


def _index(key: str, size: int) -> int:
    if not INDEX.match(key):
        raise DoesNotApplyError(key)
    index = int(key)
    index += size if index < 0 else 0
    if not 0 <= index < size:
        raise DoesNotApplyError(key)
    return index


def _get(holder: Any, key: str) -> Any:
    """A key that is missing reads as null."""
    return holder.get(key) if isinstance(holder, dict) else holder[_index(key, len(holder))]


def _put(holder: Any, key: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = value
    elif key == "-":
        holder.append(value)
    else:
        holder.insert(_index(key, len(holder) + 1), value)


def _take(holder: Any, key: str) -> None:
    if isinstance(holder, list):
        del holder[_index(key, len(holder))]
    elif key in holder:
        del holder[key]
    else:
        raise DoesNotApplyError(key)


def _add(document: Any, operation: Step) -> Any:
    _put(*_found(document, _text(operation, "path")), operation.get("value"))
    return document


def _remove(document: Any, operation: Step) -> Any:
    _take(*_found(document, _text(operation, "path")))
    return document


def _replace(document: Any, operation: Step) -> Any:
    path, value = _text(operation, "path"), operation.get("value")
    if not path:
        if not isinstance(value, dict | list):
            raise DoesNotApplyError(operation)
        return value
    holder, key = _found(document, path)
    holder[key if isinstance(holder, dict) else _index(key, len(holder))] = value
    return document


def _move(document: Any, operation: Step) -> Any:
    holder, key = _found(document, _text(operation, "from"))
    value = _get(holder, key)
    _take(holder, key)
    _put(*_found(document, _text(operation, "path")), value)
    return document


def _copy(document: Any, operation: Step) -> Any:
    value = _get(*_found(document, _text(operation, "from")))
    _put(*_found(document, _text(operation, "path")), _twin(value))
    return document


def _twin(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _twin(item) for name, item in value.items()}
    return [_twin(item) for item in value] if isinstance(value, list) else value


def _test(document: Any, operation: Step) -> Any:
    path, wanted = _text(operation, "path"), operation.get("value")
    value = document if not path else _get(*_found(document, path))
    if not _same(value, wanted):
        raise DoesNotApplyError(operation)
    return document


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON is written: 1 is not 1.0, and true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


OPERATIONS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test}
