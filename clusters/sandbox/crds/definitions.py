"""Builds the CustomResourceDefinition objects out of definitions.yaml and the type tables."""

from __future__ import annotations

from typing import Any

import yaml

from clusters.sandbox.crds.notation import HERE, Field, types

Object = dict[str, Any]
# The patterns KubeVirt's and CDI's generators write for a quantity (k8s-transcript 13).
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
EITHER: list[Object] = [{"type": "integer"}, {"type": "string"}]
DEPRECATED = "{group}/{version} is now deprecated and will be removed in a future release."
PLAIN: dict[str, Object] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "uint": {"type": "integer"},
    "uint32": {"type": "integer", "format": "int32"},  # so the generator has it: half of Go's range
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "quantity": {"anyOf": EITHER, "pattern": QUANTITY, "x-kubernetes-int-or-string": True},
    "intorstring": {"anyOf": EITHER, "x-kubernetes-int-or-string": True},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
# What the tables have no words for: type and field, and what the schema says besides.
FURTHER: dict[tuple[str, str], Object] = {
    ("ContainerPathVolume", "path"): {
        "maxLength": 4096,
        "x-kubernetes-validations": [
            {"message": "path must be absolute (start with '/')", "rule": "self.startsWith('/')"},
            {"message": "path must not contain '..'", "rule": "!self.contains('..')"},
        ],
    },
    ("ContainerPathVolume", "readOnly"): {
        "x-kubernetes-validations": [
            {"message": "readOnly must be true, write access is not supported", "rule": "self == true"}
        ]
    },
    ("MemoryInstancetype", "overcommitPercent"): {"minimum": 0, "maximum": 100},
}


def custom_resource_definitions(*groups: str) -> list[Object]:
    """The definitions of the given API groups, all of them when none is named."""
    entries = yaml.safe_load((HERE / "definitions.yaml").read_text(encoding="utf-8"))
    return [_definition(entry) for entry in entries if not groups or entry["group"] in groups]


def type_schema(name: str) -> Object:
    """The OpenAPI schema of a named type."""
    if name in PLAIN:
        return dict(PLAIN[name])
    shape = types()[name]
    schema: Object = {"type": "object"}
    if shape.fields:
        schema["properties"] = {
            field.name: field_schema(field) | FURTHER.get((name, field.name), {}) for field in shape.fields.values()
        }
    required = sorted(field.name for field in shape.fields.values() if field.required)
    if required:
        schema["required"] = required
    if shape.mode == "atomic":
        schema["x-kubernetes-map-type"] = "atomic"
    elif shape.mode == "open":
        schema["x-kubernetes-preserve-unknown-fields"] = True
    elif shape.mode == "nullable":
        schema["nullable"] = True
    return schema


def field_schema(field: Field) -> Object:
    inner = type_schema(field.type)
    if field.crd_values:
        inner["enum"] = list(field.crd_values)
    if field.shape == "map":
        return {"type": "object", "additionalProperties": inner}
    if field.shape == "list":
        return _list_schema(field, inner)
    if field.has_default:
        inner["default"] = field.default or ""
    if field.nullable or (field.type == "any" and field.by_value):
        inner["nullable"] = True
    return inner


def _list_schema(field: Field, inner: Object) -> Object:
    schema: Object = {"type": "array", "items": inner}
    if field.merge:
        schema["x-kubernetes-list-type"] = field.merge
    if field.keys:
        schema["x-kubernetes-list-map-keys"] = list(field.keys)
    if field.longest:
        schema["maxItems"] = field.longest
    return schema


def _definition(entry: Object) -> Object:
    root: Object = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": type_schema(entry["spec"]),
        },
    }
    for path in entry.get("without", ()):
        _leave_out(root["properties"]["spec"], path.split("."))
    if entry.get("status"):
        root["properties"]["status"] = type_schema(entry["status"])
    names: Object = {
        "plural": entry["plural"],
        "singular": entry["kind"].lower(),
        "kind": entry["kind"],
        "listKind": entry["kind"] + "List",
    }
    names |= {"shortNames": entry["short"]} if "short" in entry else {}
    names |= {"categories": entry["categories"]} if "categories" in entry else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{entry['plural']}.{entry['group']}"},
        "spec": {
            "group": entry["group"],
            "names": names,
            "scope": entry.get("scope", "Namespaced"),
            "versions": [_version(entry, name, options, root) for name, options in entry["versions"].items()],
            "conversion": {"strategy": "None"},
        },
    }


def _leave_out(schema: Object, names: list[str]) -> None:
    """Takes away a field that the tables have and this kind has not."""
    for name in names[:-1]:
        schema = schema["properties"][name]
        schema = schema.get("items", schema)
    del schema["properties"][names[-1]]


def _version(entry: Object, name: str, options: Object, root: Object) -> Object:
    version: Object = {
        "name": name,
        "served": True,
        "storage": not options.get("deprecated"),
        "schema": {"openAPIV3Schema": root},
    }
    if options.get("deprecated"):
        version["deprecated"] = True
        version["deprecationWarning"] = DEPRECATED.format(group=entry["group"], version=name)
    if entry.get("status_subresource"):
        version["subresources"] = {"status": {}}
    if entry.get("columns"):
        version["additionalPrinterColumns"] = [_column(*column) for column in entry["columns"]]
    return version


def _column(name: str, kind: str, path: str, description: str = "", priority: int = 0) -> Object:
    column: Object = {"name": name, "type": kind, "jsonPath": path}
    if description:
        column["description"] = description
    if priority:
        column["priority"] = priority
    return column
