"""Validation of custom resources against their schema, in the words of the real server (k8s-transcript 02, 13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from clusters.sandbox.errors import FieldError
from clusters.sandbox.structural import INT_OR_STRING, PRESERVE, ROOT_FIELDS, Schema

TYPE_INVALID = "FieldValueTypeInvalid"
BLOCKING = {"Unsupported value", "Required value", "Too long", "Too many"}
NOT_CHECKED = FieldError(
    "Invalid value",
    "<nil>",
    "null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
RANGES = {"int32": 2**31, "int64": 2**63}
EXACT = 2**53  # whole numbers below it are themselves as 64-bit floats


def blocked(errors: list[FieldError]) -> bool:
    """Whether the server then leaves CEL rules unchecked."""
    return any(e.kind in BLOCKING or e.reason == TYPE_INVALID for e in errors)


def shown(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and not -RANGES["int64"] <= value < RANGES["int64"]:
        return "number"  # Go reads it as a float
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}
    return names[type(value)]


@lru_cache(maxsize=4096)
def pattern(text: str) -> re.Pattern[str]:
    text = text.replace("\\z", "\\Z")
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1] + "\\Z"  # Go's end of text is the end, not the line break before it
    return re.compile(text)


def root(schema: Schema, value: dict[str, Any]) -> list[FieldError]:
    """The errors of a whole object; its metadata is judged elsewhere."""
    errors: list[FieldError] = []
    _object(schema, value, "", errors, skip=ROOT_FIELDS)
    return [e if e.field else replace(e, field="<nil>") for e in errors]


def status(schema: Schema, value: dict[str, Any]) -> list[FieldError]:
    """The errors of a status write: only status is judged, and messages leave its name out (k8s-replay 06)."""
    found: list[FieldError] = []
    sub = (schema.get("properties") or {}).get("status")
    if sub is not None and "status" in value:
        _value(sub, value["status"], "", found)
        duplicates(sub, value["status"], "", found)
    return [replace(e, field=f"status.{e.field}" if e.field else "status") for e in found]


def _bad(path: str, value: Any, text: str, errors: list[FieldError]) -> None:
    errors.append(FieldError("Invalid value", path, f"{shown(value)}: {path} in body {text}"))


def _wrong_type(path: str, wanted: str, value: Any, errors: list[FieldError], form: str = "") -> None:
    """`form` is the format of a number: Go then compares that, not the type, unless text or a list came."""
    found = type_name(value)
    if form in RANGES and value is not None and not isinstance(value, str | list):
        wanted, found = form, "float64" if found == "number" else ""
    text = f'"{found}": {path} in body must be of type {wanted}: "{found}"'
    errors.append(FieldError("Invalid value", path, text, TYPE_INVALID))


def _value(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    kind = schema.get("type", "")
    if value is None:
        if not schema.get("nullable") and (kind or schema.get(INT_OR_STRING)):
            _wrong_type(path, kind or "integer,string", value, errors)
        return
    if schema.get(INT_OR_STRING) and not isinstance(value, str) and not _fits("integer", value):
        _wrong_type(path, "integer,string", value, errors)
        _any_of(schema.get("anyOf") or (), value, path, errors)
        return
    if kind and not schema.get(INT_OR_STRING) and not _fits(kind, value):
        _wrong_type(path, kind, value, errors, schema.get("format", "") if kind == "integer" else "")
        if kind == "integer" and type_name(value) == "number":
            _range(schema, value, path, errors)
        _enum(schema, value, path, errors)
        return
    _content(schema, value, path, errors)
    _enum(schema, value, path, errors)
    _combined(schema, value, path, errors)


def _content(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    """What a schema asks of a value of the right type."""
    if isinstance(value, dict):
        _object(schema, value, path, errors)
    elif isinstance(value, list):
        _array(schema, value, path, errors)
    elif isinstance(value, str):
        _string(schema, value, path, errors)
    elif not isinstance(value, bool):
        _number(schema, value, path, errors)


def _fits(kind: str, value: Any) -> bool:
    found = type_name(value)
    if kind == "number":
        return found in {"integer", "number"}
    if kind == "integer" and found == "number":
        return abs(value) < EXACT and float(value).is_integer()
    return found == kind


def _object(
    schema: Schema, value: dict[str, Any], path: str, errors: list[FieldError], skip: tuple[str, ...] = ()
) -> None:
    prefix = path + "." if path else ""
    properties = schema.get("properties") or {}
    missing = [name for name in schema.get("required") or () if name not in value]
    errors += [FieldError("Required value", prefix + name) for name in missing]
    for name, sub in properties.items():
        if name in value and name not in skip:
            _value(sub, value[name], prefix + name, errors)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        for name, item in value.items():
            if name not in properties:
                _value(extra, item, prefix + name, errors)
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        errors.append(FieldError("Too many", path, f"{len(value)}: must have at most {most} items"))
    if least is not None and len(value) < least:
        _bad(path, value, f"should have at least {least} properties", errors)


def _array(schema: Schema, value: list[Any], path: str, errors: list[FieldError]) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        for i, item in enumerate(value):
            _value(items, item, f"{path}[{i}]", errors)
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        errors.append(FieldError("Too many", path, f"{len(value)}: must have at most {most} items"))
    if least is not None and len(value) < least:
        _bad(path, value, f"should have at least {least} items", errors)


def _string(schema: Schema, value: str, path: str, errors: list[FieldError]) -> None:
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        errors.append(FieldError("Too long", path, f"may not be more than {most} bytes"))
    if least is not None and len(value) < least:
        _bad(path, value, f"should be at least {least} chars long", errors)
    if "pattern" in schema and not pattern(schema["pattern"]).search(value):
        _bad(path, value, f"should match '{schema['pattern']}'", errors)
    if schema.get("format") == "date-time" and not _is_time(value):
        text = f"{shown(value)}: {path} in body must be of type date-time: {shown(value)}"
        errors.append(FieldError("Invalid value", path, text, TYPE_INVALID))


def _is_time(value: str) -> bool:
    if not DATE_TIME.match(value):
        return False
    try:
        datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _range(schema: Schema, value: float, path: str, errors: list[FieldError]) -> None:
    """Go's message for it belongs to no field."""
    form = schema.get("format") or ""
    most = RANGES.get(form, RANGES["int64"])
    if not -most <= value < most or not float(value).is_integer():
        words = f"with format {form}" if form in RANGES else "(default format)"
        errors.append(FieldError("Invalid value", "", f'"": Checked value must be of type integer {words} in {path}'))


def _number(schema: Schema, value: float, path: str, errors: list[FieldError]) -> None:
    if schema.get("type") == "integer" and not schema.get(INT_OR_STRING):
        _range(schema, value, path, errors)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None:
        if schema.get("exclusiveMinimum") and value <= low:
            _bad(path, value, f"should be greater than {low}", errors)
        elif value < low:
            _bad(path, value, f"should be greater than or equal to {low}", errors)
    if high is not None:
        if schema.get("exclusiveMaximum") and value >= high:
            _bad(path, value, f"should be less than {high}", errors)
        elif value > high:
            _bad(path, value, f"should be less than or equal to {high}", errors)
    factor = schema.get("multipleOf")
    if factor and value % factor:
        _bad(path, value, f"should be a multiple of {factor}", errors)


def _enum(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        listed = ", ".join(shown(item) for item in allowed)
        errors.append(FieldError("Unsupported value", path, f"{shown(value)}: supported values: {listed}"))


def _combined(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    for sub in schema.get("allOf") or ():
        _value(sub, value, path, errors)
    if not schema.get(INT_OR_STRING):
        _any_of(schema.get("anyOf") or (), value, path, errors)
    one = schema.get("oneOf")
    if one:
        _one_of(one, value, path, errors)
    never = schema.get("not")
    if never and _valid(never, value, path):
        errors.append(_composed(path, "must not validate the schema (not)"))


def _composed(path: str, text: str) -> FieldError:
    """What Go says of several schemas at once; the message belongs to no field."""
    return FieldError("Invalid value", "", f'"": {shown(path)} {text}')


def _any_of(options: Sequence[Schema], value: Any, path: str, errors: list[FieldError]) -> None:
    """The real server also reports the errors of the first alternative when none fits, as it does for oneOf."""
    if options and not any(_valid(sub, value, path) for sub in options):
        errors.append(_composed(path, "must validate at least one schema (anyOf)"))
        _value(options[0], value, path, errors)


def _valid(schema: Schema, value: Any, path: str) -> bool:
    errors: list[FieldError] = []
    _value(schema, value, path, errors)
    return not errors


def _one_of(options: list[Schema], value: Any, path: str, errors: list[FieldError]) -> None:
    count = sum(_valid(sub, value, path) for sub in options)
    if count == 1:
        return
    how = "Found none valid" if not count else f"Found {count} valid alternatives"
    errors.append(_composed(path, f"must validate one and only one schema (oneOf). {how}"))
    if not count:
        _value(options[0], value, path, errors)


def duplicates(schema: Schema, value: Any, path: str, errors: list[FieldError]) -> None:
    """List maps and sets may not hold an item twice."""
    if isinstance(value, dict) and not (schema.get(PRESERVE) and not schema.get("properties")):
        prefix = path + "." if path else ""
        extra = schema.get("additionalProperties")
        for name, item in value.items():
            sub = (schema.get("properties") or {}).get(name) or (extra if isinstance(extra, dict) else None)
            if sub is not None and isinstance(item, dict | list):
                duplicates(sub, item, prefix + name, errors)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        _list_duplicates(schema, value, path, errors)
        for i, item in enumerate(value):
            if isinstance(item, dict | list):
                duplicates(schema["items"], item, f"{path}[{i}]", errors)


def _list_duplicates(schema: Schema, value: list[Any], path: str, errors: list[FieldError]) -> None:
    shape = schema.get("x-kubernetes-list-type")
    if shape not in {"map", "set"}:
        return
    seen: set[str] = set()
    for i, item in enumerate(value):
        key: Any = item
        if shape == "map" and isinstance(item, dict):
            key = {name: item[name] for name in schema.get("x-kubernetes-list-map-keys", ()) if name in item}
        text = shown(key)
        if text in seen:
            errors.append(FieldError("Duplicate value", f"{path}[{i}]", text))
        seen.add(text)
