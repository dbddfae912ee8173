"""The API's reference as a page: made from the OpenAPI document, needs no script, loads nothing from elsewhere."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from core.enforce import public

Json = dict[str, Any]
ORDER = ("auth", "me", "organizations", "users", "role-bindings", "vdcs", "catalogs", "catalog-items", "vms")


@require_safe
@public
def reference(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, body and answers, grouped by noun."""
    return render(request, "api_docs.html", {"groups": _groups(), "section": "api"})


@cache
def _groups() -> list[tuple[str, list[Json]]]:
    """Made once a process: the code does not change while it runs."""
    document: Json = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    found: dict[str, list[Json]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            found[operation["tags"][0]].append(_operation(path, method, operation, document["components"]))
    return sorted(found.items(), key=lambda pair: (ORDER.index(pair[0]) if pair[0] in ORDER else len(ORDER), pair[0]))


def _operation(path: str, method: str, operation: Json, components: Json) -> Json:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    parameters = [item for item in operation.get("parameters", ()) if item["in"] != "path"]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "about": operation.get("description", ""),
        "open": not operation.get("security"),
        "parameters": [{**item, "takes": _type(item["schema"])} for item in parameters],
        "fields": list(_fields(body, components)) if body else [],
        "answers": [
            {"status": status, "about": answer.get("description", ""), "fields": list(_answered(answer, components))}
            for status, answer in _answers(operation["responses"], components)
        ],
    }


def _answers(responses: Json, components: Json) -> Iterator[tuple[str, Json]]:
    for status, answer in responses.items():
        if status != "default":
            yield status, components["responses"][_name(answer)] if "$ref" in answer else answer


def _answered(answer: Json, components: Json) -> Iterator[Json]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    return _fields(schema, components) if schema else iter(())


def _fields(schema: Json, components: Json) -> Iterator[Json]:
    """The fields of an object; of alternatives the first one's."""
    schema = _resolved(schema, components)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            schema = _resolved(schema[word][0], components)
    for name, field in schema.get("properties", {}).items():
        yield {
            "name": name,
            "takes": _type(field),
            "about": field.get("description", ""),
            "required": name in schema.get("required", ()),
            "default": field.get("default"),
        }


def _resolved(schema: Json, components: Json) -> Json:
    found: Json = components["schemas"][_name(schema)] if "$ref" in schema else schema
    return found


def _name(item: Json) -> str:
    return str(item["$ref"]).rpartition("/")[2]


def _type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return _name(schema).removesuffix("Out").removesuffix("Enum")
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_type(item) for item in schema[word]))
    if "enum" in schema:
        return " | ".join(str(item) for item in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{words} ({schema['format']})" if "format" in schema else words
