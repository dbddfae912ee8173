"""`x-kubernetes-validations` of CRDs: which rules a schema has, whether they can be evaluated, what they refuse.

An update is judged leniently, as the real server does: what did not change is not judged again, except by rules about
the change itself (`oldSelf`). Items of a list have an old self only where a map list says which item is which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusters.sandbox import cel
from clusters.sandbox.errors import FieldError
from clusters.sandbox.structural import INT_OR_STRING, PRESERVE, RULES, Schema
from clusters.sandbox.verdicts import shown

Object = dict[str, Any]
VARIABLES = frozenset({"self", "oldSelf"})
NOTHING: Any = object()
KINDS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueRequired": "Required value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
}


def _children(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Sub-schemas with the words that refusals of CRDs use for the way there."""
    for name, sub in (schema.get("properties") or {}).items():
        yield f".properties[{name}]", sub
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield f".{key}", schema[key]


def definition_errors(schema: Schema, path: str) -> list[FieldError]:
    """Rules that the server could not evaluate: a definition with one is refused."""
    found: list[FieldError] = []
    for i, rule in enumerate(schema.get(RULES) or ()):
        where = f"{path}.{RULES}[{i}]"
        found += _spoken(rule, where)
        for key in ("rule", "messageExpression"):
            text = rule.get(key, "")
            if text.strip():
                found += _expression_errors(text, schema, f"{where}.{key}")
        if rule.get("optionalOldSelf"):
            text = "optionalOldSelf is not supported by this sandbox"
            found.append(FieldError("Forbidden", f"{where}.optionalOldSelf", text))
    for step, sub in _children(schema):
        found += definition_errors(sub, path + step)
    return found


def _spoken(rule: Object, where: str) -> Iterator[FieldError]:
    """What a rule says besides its expression."""
    text, message, reason = rule.get("rule", ""), rule.get("message", ""), rule.get("reason")
    if not text.strip():
        yield FieldError("Required value", f"{where}.rule", "rule is not specified")
    if message and not message.strip():
        yield FieldError("Invalid value", f"{where}.message", f"{shown(message)}: must be non-empty if specified")
    elif "\n" in message.strip():
        yield FieldError("Invalid value", f"{where}.message", f"{shown(message)}: must not contain line breaks")
    elif "\n" in text.strip() and not message:
        why = "message must be specified if rule contains line breaks"
        yield FieldError("Required value", f"{where}.message", why)
    if reason is not None and reason not in KINDS:
        listed = ", ".join(f'"{name}"' for name in sorted(KINDS))
        yield FieldError("Unsupported value", f"{where}.reason", f'"{reason}": supported values: {listed}')


def _expression_errors(text: str, schema: Schema, where: str) -> list[FieldError]:
    try:
        program = cel.compiled(text, VARIABLES)
        cel.check_fields(program, "self", schema)
    except cel.CompileError as problem:
        return [FieldError("Invalid value", where, f'"{text}": compilation failed: {problem}')]
    return []


def errors(schema: Schema, new: Any, old: Any = NOTHING, path: str = "") -> list[FieldError]:
    """What the rules refuse in `new`; `old` is NOTHING for a new value or one without a counterpart."""
    found: list[FieldError] = []
    if new is None:
        return found
    rules = schema.get(RULES)
    if rules:
        found += _judged(rules, schema, new, old, path)
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        extra = schema.get("additionalProperties")
        for name, value in new.items():
            sub = (schema.get("properties") or {}).get(name) or (extra if isinstance(extra, dict) else None)
            if sub is not None and isinstance(sub, dict):
                found += errors(sub, value, before.get(name, NOTHING), f"{path}.{name}" if path else name)
    elif isinstance(new, list) and isinstance(schema.get("items"), dict):
        for i, value in enumerate(new):
            found += errors(schema["items"], value, _counterpart(schema, value, old), f"{path}[{i}]")
    return found


def _counterpart(schema: Schema, item: Any, old: Any) -> Any:
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") != "map" or not keys or not isinstance(old, list):
        return NOTHING
    return next((o for o in old if all(o.get(key) == item.get(key) for key in keys)), NOTHING)


def _judged(rules: list[Object], schema: Schema, new: Any, old: Any, path: str) -> Iterator[FieldError]:
    bindings = {"self": cel.to_cel(_escaped(schema, new))}
    if old is not NOTHING and old is not None:
        bindings["oldSelf"] = cel.to_cel(_escaped(schema, old))
    for rule in rules:
        program = cel.compiled(rule["rule"], VARIABLES)
        transition = "oldSelf" in program.names
        if transition and "oldSelf" not in bindings:
            continue
        if not transition and old is not NOTHING and old == new:
            continue
        try:
            if program.true(bindings):
                continue
            message = _message(rule, bindings)
        except cel.EvaluationError as problem:
            message = f"{problem} evaluating rule: {rule.get('message') or rule['rule']}"
        yield _refusal(rule, schema, new, path, message)


def _message(rule: Object, bindings: Object) -> str:
    text = ""
    if rule.get("messageExpression"):
        text = cel.compiled(rule["messageExpression"], VARIABLES).message(bindings)
    return text or rule.get("message") or f"failed rule: {rule['rule'].strip()}"


def _refusal(rule: Object, schema: Schema, value: Any, path: str, message: str) -> FieldError:
    """Scalars are printed; objects and lists are not (k8s-transcript 02)."""
    where = (path + rule.get("fieldPath", "")).lstrip(".") or "<nil>"
    kind = KINDS.get(rule.get("reason", ""), "Invalid value")
    if kind == "Invalid value" and (schema.get("type") not in {"object", "array"} or schema.get(INT_OR_STRING)):
        message = f"{shown(value)}: {message}"
    elif kind == "Duplicate value":
        message = shown(value)
    return FieldError(kind, where, message)


def _escaped(schema: Schema, value: Any) -> Any:
    """Property names that are no CEL names are spelled as rules must spell them."""
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_escaped(schema["items"], item) for item in value]
    if not isinstance(value, dict) or schema.get(PRESERVE):
        return value
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    out = {}
    for name, item in value.items():
        if name in properties:
            out[cel.cel_name(name)] = _escaped(properties[name], item)
        else:
            out[name] = _escaped(extra, item) if isinstance(extra, dict) else item
    return out
