"""What a schema of a definition may not say, in the words of the real server: it must be structural."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clusters.sandbox.errors import FieldError
from clusters.sandbox.structural import EMBEDDED, INT_OR_STRING, PRESERVE, RULES, Schema
from clusters.sandbox.verdicts import shown

TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPE, LIST_KEYS, MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
QUANTIFIERS = ("allOf", "anyOf", "oneOf")
INT_OR_STRING_ANY = [{"type": "integer"}, {"type": "string"}]
EMPTY_INSIDE = ("type", "title", "description", LIST_KEYS, RULES)  # within allOf and its kin
UNSAID_INSIDE = ("additionalProperties", "default", LIST_TYPE, MAP_TYPE)
FALSE_INSIDE = ("nullable", PRESERVE, EMBEDDED, INT_OR_STRING)
PLACES = {"root": "at the root", "item": "for specified array items", "field": "for specified object fields"}
META_NAMED = {"name", "generateName"}


def _of(kind: str, path: str, detail: str) -> FieldError:
    return FieldError(kind, path, detail)


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError("Invalid value", path, f"{shown(value)}: {why}")


def errors(schema: Schema, path: str) -> list[FieldError]:
    found = list(_keywords(schema, path))
    if not found:
        found = list(_structural(schema, path, "root"))
    return found


def _children(schema: Schema, path: str) -> Iterator[tuple[Schema, str, str]]:
    """Sub-schemas that say what there is, with their paths and places."""
    for name, sub in (schema.get("properties") or {}).items():
        yield sub, f"{path}.properties[{name}]", "field"
    if isinstance(schema.get("items"), dict):
        yield schema["items"], f"{path}.items", "item"
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], f"{path}.additionalProperties", "field"


def _nested(schema: Schema, path: str) -> Iterator[tuple[Schema, str]]:
    """Sub-schemas that only judge."""
    for word in QUANTIFIERS:
        for i, sub in enumerate(schema.get(word) or ()):
            yield sub, f"{path}.{word}[{i}]"
    if isinstance(schema.get("not"), dict):
        yield schema["not"], f"{path}.not"


def _keywords(schema: Schema, path: str) -> Iterator[FieldError]:
    """Words that no schema may use, whatever else it says."""
    for word in UNSUPPORTED:
        if schema.get(word):
            yield _of("Forbidden", f"{path}.{word}", f"{word} is not supported")
    kind = schema.get("type", "")
    if kind == "null":
        yield _of("Forbidden", f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif kind and kind not in TYPES:
        listed = ", ".join(f'"{name}"' for name in TYPES)
        yield _of("Unsupported value", f"{path}.type", f"{shown(kind)}: supported values: {listed}")
    yield from _forbidden(schema, path)
    yield from _merging(schema, path, kind)
    for sub, where, _ in _children(schema, path):
        yield from _keywords(sub, where)
    for sub, where in _nested(schema, path):
        yield from _keywords(sub, where)


def _forbidden(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield _of("Forbidden", f"{path}.uniqueItems", why)
    if schema.get("additionalProperties") is False:
        yield _of("Forbidden", f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    elif schema.get("additionalProperties") and schema.get("properties"):
        why = "additionalProperties and properties are mutual exclusive"
        yield _of("Forbidden", f"{path}.additionalProperties", why)
    if schema.get(PRESERVE) is False:
        yield _invalid(f"{path}.{PRESERVE}", False, "must be true or undefined")


def _merging(schema: Schema, path: str, kind: str) -> Iterator[FieldError]:
    """How lists and maps merge."""
    for word, needed, allowed in (
        (MAP_TYPE, "object", ("atomic", "granular")),
        (LIST_TYPE, "array", ("atomic", "set", "map")),
    ):
        value = schema.get(word)
        if value is None:
            continue
        if kind != needed:
            why = f"must be {needed} if {word} is specified"
            yield _invalid(f"{path}.type", kind, why) if kind else _of("Required value", f"{path}.type", why)
        if value not in allowed:
            listed = ", ".join(f'"{name}"' for name in allowed)
            yield _of("Unsupported value", f"{path}.{word}", f"{shown(value)}: supported values: {listed}")
    shape, keys = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or []
    if keys and shape != "map":
        why = f"must be map if {LIST_KEYS} is non-empty"
        place = f"{path}.{LIST_TYPE}"
        yield _of("Required value", place, why) if shape is None else _invalid(place, shape, why)
    if shape == "map":
        yield from _map_list(schema, path, keys)


def _map_list(schema: Schema, path: str, keys: list[str]) -> Iterator[FieldError]:
    if not keys:
        yield _of("Required value", f"{path}.{LIST_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    items = schema.get("items")
    if not isinstance(items, dict):
        yield _of("Required value", f"{path}.items", f"must have a schema if {LIST_TYPE} is map")
        return
    if items.get("type") != "object":
        why = f"must be object if parent array's {LIST_TYPE} is map"
        yield _invalid(f"{path}.items.type", items.get("type", ""), why)
    properties = items.get("properties") or {}
    for i, key in enumerate(keys):
        place = f"{path}.items.properties[{key}]"
        if key in keys[:i]:
            yield _invalid(f"{path}.{LIST_KEYS}", keys, "must not contain duplicate entries")
        elif key not in properties:
            yield _invalid(f"{path}.{LIST_KEYS}", keys, "entries must all be names of item properties")
        elif "default" not in properties[key] and key not in (items.get("required") or ()):
            why = f"this property is in {LIST_KEYS}, so it must have a default or be a required property"
            yield _of("Required value", f"{place}.default", why)


def _structural(schema: Schema, path: str, place: str) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield _of("Required value", f"{path}.items", "must be specified")
    if place == "root" and schema.get("additionalProperties"):
        yield _of("Forbidden", f"{path}.additionalProperties", "must not be used at the root")
    for word in (PRESERVE, EMBEDDED):
        if schema.get(INT_OR_STRING) and schema.get(word):
            yield _invalid(f"{path}.{word}", True, f"must be false if {INT_OR_STRING} is true")
    yield from _kinds(schema, path, place, kind)
    if place == "root" or schema.get(EMBEDDED):
        yield from _head(schema, path, place)
    yield from _judging(schema, path)
    for sub, where, below in _children(schema, path):
        yield from _structural(sub, where, below)


def _kinds(schema: Schema, path: str, place: str, kind: str) -> Iterator[FieldError]:
    """What type there must be."""
    if schema.get(EMBEDDED) and kind != "object":
        why = f"must be object if {EMBEDDED} is true"
        yield _invalid(f"{path}.type", kind, why) if kind else _of("Required value", f"{path}.type", why)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        yield _of("Required value", f"{path}.type", f"must not be empty {PLACES[place]}")
    if schema.get(EMBEDDED) and schema.get("additionalProperties"):
        yield _of("Forbidden", f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if place == "root" and kind not in {"", "object"}:
        yield _invalid(f"{path}.type", kind, "must be object at the root")
    if schema.get(EMBEDDED) and not schema.get(PRESERVE) and not schema.get("properties"):
        why = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
        yield _of("Required value", f"{path}.properties", why)


def _head(schema: Schema, path: str, place: str) -> Iterator[FieldError]:
    """apiVersion, kind and metadata, which every object has whatever its schema says."""
    properties = schema.get("properties") or {}
    for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        if name in properties and properties[name].get("type", "") != wanted:
            where = f"{path}.properties[{name}].type"
            yield _invalid(where, properties[name].get("type", ""), f"must be {wanted}")
    metadata = properties.get("metadata") or {}
    rest = metadata.keys() - {"type", "properties", "default"}
    if place == "root" and (rest or not (metadata.get("properties") or {}).keys() <= META_NAMED):
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield _of("Forbidden", f"{path}.properties[metadata]", why)


def _judging(schema: Schema, path: str) -> Iterator[FieldError]:
    """Patterns, and what is said within allOf and its kin: nothing there may say what there is."""
    pattern = schema.get("pattern")
    if pattern:
        try:
            re.compile(pattern)
        except re.error as problem:
            yield _invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {problem}")
    for sub, where in _nested(schema, path):
        if not (schema.get("anyOf") == INT_OR_STRING_ANY and ".anyOf[" in where[len(path) :]):
            yield from _inside(sub, where, first=where.endswith(".allOf[0]"))


def _inside(schema: Schema, path: str, *, first: bool = False) -> Iterator[FieldError]:
    for words, state in ((EMPTY_INSIDE, "empty"), (UNSAID_INSIDE, "undefined"), (FALSE_INSIDE, "false")):
        for word in words:
            if schema.get(word) or (state == "undefined" and word in schema):
                yield _of("Forbidden", f"{path}.{word}", f"must be {state} to be structural")
    if "metadata" in (schema.get("properties") or {}):
        yield _of("Forbidden", f"{path}.properties[metadata]", "must not be specified in a nested context")
    for sub, where, _ in _children(schema, path):
        yield from _inside(sub, where)
    for sub, where in _nested(schema, path):
        if not (first and schema.get("anyOf") == INT_OR_STRING_ANY):
            yield from _inside(sub, where)
