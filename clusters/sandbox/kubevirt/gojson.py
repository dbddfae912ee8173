"""What virt-api does with an object before any rule of its own: check it against its OpenAPI, decode it into Go
structs, and encode it again. The round trip is visible: empty optional values vanish, missing required ones appear,
quantities come back in canonical spelling (k8s-replay/06, k8s-transcript/20).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clusters.sandbox.crds import INTEGERS, Field, types
from clusters.sandbox.kubevirt.causes import Cause, denied, undecodable
from clusters.sandbox.quantity import BadQuantityError, canonical

Object = dict[str, Any]
# What a decoder accepts for each scalar, by the JSON type names go-openapi prints.
ACCEPTED = {
    "string": ("string",),
    "time": ("string",),
    "boolean": ("boolean",),
    **dict.fromkeys(INTEGERS, ("number",)),
    "number": ("number",),
    "quantity": ("string", "number"),
    "intorstring": ("string", "number"),
}
# What virt-api's OpenAPI calls a type that is not JSON's own.
WORDS = {
    "quantity": "string,integer,number",
    "intorstring": "string,number",
    "time": "string",
    **dict.fromkeys(INTEGERS, "integer"),
}
# Integers of Go: what virt-api's OpenAPI calls them, and what its decoder takes.
RANGES = {
    "integer": ("int32", -(2**63), 2**63),
    "int32": ("int32", -(2**31), 2**31),
    "int64": ("int64", -(2**63), 2**63),
    "uint": ("int32", 0, 2**64),
    "uint32": ("int64", 0, 2**32),
    "intorstring": ("", -(2**31), 2**31),
}
GO_NAMES = {"integer": "int", "intorstring": "int32"}
# Structs that Go embeds in another: its decoder names them on the way to a field, the JSON does not.
EMBEDDED = {
    ("Volume", "downwardAPI"): "VolumeSource",
    ("Probe", "httpGet"): "Handler",
    ("Probe", "tcpSocket"): "Handler",
}
OBJECT_META = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
ZERO: dict[str, Any] = {"string": "", "time": None, "boolean": False, "number": 0, **dict.fromkeys(INTEGERS, 0)}


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def check(value: Object, type_name: str, path: str) -> list[str]:
    """Messages in go-openapi's words; paths carry no list index. Scalars are never "required": they have defaults."""
    found: list[str] = []
    fields = types()[type_name].fields
    for name in sorted(value):
        if name in fields and value[name] is None and name == "metadata":
            found.append(_type_message(f"{path}.{name}", "object", None))  # the CRD lets a null of it pass
        elif name in fields and value[name] is not None:
            found.extend(_check_field(value[name], fields[name], f"{path}.{name}"))
    for field in fields.values():
        missing = field.name not in value or value[field.name] is None
        if missing and field.required and (field.shape == "list" or field.type not in ZERO):
            found.append(f"{path}.{field.name} in body is required")
    return found


def _check_field(value: Any, field: Field, path: str) -> list[str]:
    if field.shape == "list":
        if not isinstance(value, list):
            return [_type_message(path, "array", value)]
        return [message for item in value for message in _check_one(item, field, path)]
    if field.shape == "map":
        if not isinstance(value, dict):
            return [_type_message(path, "object", value)]
        return [message for key in sorted(value) for message in _check_one(value[key], field, f"{path}.{key}")]
    return _check_one(value, field, path)


def _check_one(value: Any, field: Field, path: str) -> list[str]:
    if field.type == "any":
        return _check_metadata(value, path) if field.name == "metadata" else []
    if field.scalar:
        return _check_scalar(value, field, path)
    if not isinstance(value, dict):
        return [_type_message(path, "object", value)]
    return check(value, field.type, path)


def _check_scalar(value: Any, field: Field, path: str) -> list[str]:
    allowed = ACCEPTED.get(field.type)
    broken = field.type in INTEGERS and json_type(value) == "number" and not _whole(value)
    values = field.virt_api_values
    listed = [f"{path} in body should be one of [{' '.join(values)}]"] if values and value not in values else []
    if allowed and (json_type(value) not in allowed or broken):
        if field.type in INTEGERS and not isinstance(value, str | list):
            size = RANGES[field.type][0]
            return [f'{path} in body must be of type {size}: "{"float64" if broken else ""}"']
        extra = value if field.type == "quantity" and isinstance(value, dict) else ()
        unknown = [f"{path}.{key} in body is a forbidden property" for key in extra]
        return [_type_message(path, WORDS.get(field.type, field.type), value), *unknown, *listed]
    return listed


def _whole(number: float) -> bool:
    """Whether a JSON number is a whole one that a 64-bit float holds exactly."""
    return abs(number) < 2**53 and float(number).is_integer()


def _check_metadata(value: Any, path: str) -> list[str]:
    """The CRD keeps any metadata of a template, virt-api knows its types."""
    if not isinstance(value, dict):
        return [_type_message(path, "object", value)]
    found = [f"{path}.{key} in body is a forbidden property" for key in sorted(value) if key not in OBJECT_META]
    for key in ("annotations", "labels"):
        entries = value.get(key) or {}
        if not isinstance(entries, dict):
            found.append(_type_message(f"{path}.{key}", "object", entries))
            continue
        wrong = (name for name in sorted(entries) if not isinstance(entries[name], str))
        found.extend(_type_message(f"{path}.{key}.{name}", "string", entries[name]) for name in wrong)
    return found


def _type_message(path: str, expected: str, value: Any) -> str:
    return f'{path} in body must be of type {expected}: "{json_type(value)}"'


def decode(value: Object, type_name: str, path: str) -> Object:
    """The object after one trip through the Go struct; raises what the schema check or the decoder says."""
    refuse_unfit(value, type_name, path)
    return read(value, type_name, path)


def read(value: Object, type_name: str, path: str) -> Object:
    """What the decoder makes of an object that passed the schema check."""
    decoded = encode(value, type_name)
    refuse_overflow(value, type_name, path)  # the decoder keeps such an error and goes on, a bad quantity ends it
    return decoded


def refuse_unfit(value: Object, type_name: str, path: str) -> None:
    """Raises when virt-api's OpenAPI does not allow the object; a message is said once however often it holds."""
    messages = dict.fromkeys(check(value, type_name, path))
    if messages:
        raise denied([Cause(message, reason="") for message in messages])


def refuse_unfit_object(obj: Object, kind: str) -> None:
    """The same check of a whole object: its spec must be there, a status that a client sent along must fit, too."""
    found = [] if "spec" in obj else ["spec in body is required"]
    for part, type_name in (("spec", f"{kind}Spec"), ("status", f"{kind}Status")):
        value = obj.get(part)
        if isinstance(value, dict):
            found += check(value, type_name, part)
        elif part == "spec" or value is not None:
            found.append(_type_message(part, "object", value))
    if found:
        raise denied([Cause(message, reason="") for message in dict.fromkeys(found)])


def encode(value: Object, type_name: str) -> Object:
    shape = types()[type_name]
    result: Object = {}
    for field in shape.fields.values():
        kept, encoded = _encode_field(value.get(field.name), field)
        if kept:
            result[field.name] = encoded
    return result


def _encode_field(value: Any, field: Field) -> tuple[bool, Any]:
    if field.shape == "list":
        items = [_encode_one(item, field) for item in value or []]
        return bool(items) or field.required, items or (None if value is None else [])
    if field.shape == "map":
        entries = {key: _encode_one(item, field) for key, item in (value or {}).items()}
        return bool(entries) or field.required, entries
    if value is None:
        if not (field.required or field.by_value):
            return field.never_absent, None
        return True, _zero(field)
    encoded = _encode_one(value, field)
    droppable = field.scalar and not (field.required or field.pointer)
    return not (droppable and encoded in ("", 0, False)), encoded


def _zero(field: Field) -> Any:
    if field.type == "quantity":
        return "0"
    if field.type == "any":
        return {}
    return ZERO[field.type] if field.scalar else encode({}, field.type)


def _encode_one(value: Any, field: Field) -> Any:
    if field.type == "quantity":
        try:
            return canonical(value.strip(" ") if isinstance(value, str) else _literal(value))
        except BadQuantityError as error:
            raise undecodable(str(error)) from error
    if field.type in INTEGERS:
        return int(value)
    if field.type == "any" and isinstance(value, dict):
        return {key: item for key, item in value.items() if item not in (None, {}, [])}
    return value if field.scalar else encode(value, field.type)


def refuse_overflow(value: Object, type_name: str, path: str) -> None:
    """Raises at the first number that Go's type does not hold; the way there names embedded structs."""
    for field in types()[type_name].fields.values():
        item = value.get(field.name)
        embedded = EMBEDDED.get((type_name, field.name))
        where = ".".join((path, embedded, field.name) if embedded else (path, field.name))
        if field.type in RANGES and isinstance(item, int | float):
            _in_range(item, field, where)
        elif field.scalar or not item:
            continue
        elif field.shape == "one":
            refuse_overflow(item, field.type, where)
        else:
            for part in item if field.shape == "list" else item.values():
                refuse_overflow(part, field.type, where)


def _literal(number: float) -> str:
    """A number as Go's JSON encoder spells it: one beyond 64 bits is a float to the API server."""
    if isinstance(number, int) and -(2**63) <= number < 2**63:
        return str(number)
    text = repr(float(number))
    if 1e-6 <= abs(number) < 1e21:
        return format(Decimal(text), "f").removesuffix(".0")
    return text.replace("e-0", "e-")


def _in_range(number: float, field: Field, path: str) -> None:
    _, least, beyond = RANGES[field.type]
    if not least <= number < beyond or not float(number).is_integer():
        struct = "VirtualMachineInstanceTemplateSpec" if path.startswith("spec.template.") else "VirtualMachineInstance"
        kind = GO_NAMES.get(field.type, field.type)
        raise undecodable(
            f"json: cannot unmarshal number {_literal(number)} into Go struct field {struct}.{path} of type {kind}"
        )
