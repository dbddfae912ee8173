"""What Kubernetes adds to CEL: functions on strings, lists, regular expressions and quantities, and laxer comparisons."""

from __future__ import annotations

import importlib
import itertools
import operator
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from clusters.sandbox import quantity

UNSUPPORTED = {
    *("url", "isURL", "getScheme", "getHost", "getHostname", "getPort", "getEscapedPath", "getQuery"),
    *("ip", "isIP", "cidr", "isCIDR", "containsIP", "containsCIDR", "masked", "prefixLength", "family"),
    *("format", "named", "validate", "optional", "orValue", "hasValue", "optMap", "optFlatMap", "value"),
    *("path", "group", "resource", "subresource", "check", "allowed", "reason", "errored", "error", "serviceAccount"),
    *("sets", "semver", "isSemver", "equivalent", "intersects", "flatten", "distinct", "sort", "sortBy", "reverse"),
}


class Quantity:
    """A resource quantity inside an expression."""

    def __init__(self, value: Decimal) -> None:
        self.amount = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and other.amount == self.amount

    def __hash__(self) -> int:
        return hash(self.amount)


def make_quantity(text: Any) -> Quantity:
    return Quantity(quantity.parse(str(text)))


def is_quantity(text: Any) -> bool:
    try:
        make_quantity(text)
    except (quantity.BadQuantityError, InvalidOperation, ValueError):
        return False
    return True


def _index(text: Any, part: Any, start: int = 0) -> int:
    if isinstance(text, str):
        return text.find(part, start)
    return next((i for i, item in enumerate(text) if item == part), -1)


def _last_index(text: Any, part: Any) -> int:
    if isinstance(text, str):
        return text.rfind(part)
    return next((i for i in reversed(range(len(text))) if text[i] == part), -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise ValueError(f"index out of range: {start}")
    return text[start:last]


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise ValueError(f"index out of range: {at}")
    return text[at : at + 1]


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    return list(text) if not separator else text.split(separator, -1 if limit < 0 else limit - 1)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(items))


def _compare(a: Quantity, b: Quantity) -> int:
    return (a.amount > b.amount) - (a.amount < b.amount)


def _moved(step: Callable[[Any, Any], Any]) -> Callable[[Quantity, Any], Quantity]:
    return lambda a, b: Quantity(step(a.amount, b.amount if isinstance(b, Quantity) else Decimal(int(b))))


GLOBAL: dict[str, Callable[..., Any]] = {"quantity": make_quantity, "isQuantity": is_quantity}
METHODS: dict[str, Callable[..., Any]] = {
    "charAt": _char_at,
    "indexOf": _index,
    "lastIndexOf": _last_index,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "trim": str.strip,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "join": _join,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _sorted,
    "sum": sum,
    "min": min,
    "max": max,
    "isGreaterThan": lambda a, b: a.amount > b.amount,
    "isLessThan": lambda a, b: a.amount < b.amount,
    "compareTo": _compare,
    "sign": lambda a: _compare(a, Quantity(Decimal(0))),
    "isInteger": lambda a: a.amount == int(a.amount),
    "asInteger": lambda a: int(a.amount),
    "asApproximateFloat": lambda a: float(a.amount),
    "add": _moved(operator.add),
    "sub": _moved(operator.sub),
}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and type(value).__name__ in {
        "IntType",
        "UintType",
        "DoubleType",
        "int",
        "float",
    }


@lru_cache(maxsize=1)
def table() -> dict[str, Callable[..., Any]]:
    """The functions by name, for programs of cel-python."""
    out = {name: _wrapped(function) for name, function in {**GLOBAL, **METHODS}.items()}
    for name, compare in {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}.items():
        out[f"_{name}_"] = _ordered(f"_{name}_", compare)
    out["_==_"] = _equal
    out["_!=_"] = lambda a, b: _types().BoolType(not _equal(a, b))
    return out


@lru_cache(maxsize=1)
def _types() -> Any:
    return importlib.import_module("celpy").celtypes


@lru_cache(maxsize=1)
def _base() -> Any:
    return importlib.import_module("celpy.evaluation").base_functions


def _typed(value: Any) -> Any:
    types = _types()
    if isinstance(value, bool):
        return types.BoolType(value)
    if isinstance(value, list):
        return types.ListType([_typed(item) for item in value])
    kinds = {int: types.IntType, float: types.DoubleType, str: types.StringType}
    return kinds[type(value)](value) if type(value) in kinds else value


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: _typed(function(*arguments))


def _equal(a: Any, b: Any) -> Any:
    """Numbers of any type compare by value; values of different types are not equal."""
    if _number(a) and _number(b):
        return _types().BoolType(float(a) == float(b))
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _types().BoolType(a == b)
    try:
        return _base()["_==_"](a, b)
    except TypeError:
        return _types().BoolType(False)


def _ordered(name: str, compare: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def by(a: Any, b: Any) -> Any:
        if _number(a) and _number(b) and type(a) is not type(b):
            return _types().BoolType(compare(float(a), float(b)))
        return _base()[name](a, b)

    return by
