"""The last touch on the OpenAPI document: what holds for every operation alike, and the live server's one."""

from copy import deepcopy
from typing import Any

from core.api import once

Json = dict[str, Any]
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
TEXT = {"type": "string"}
HEADERS: dict[str, tuple[str, Json]] = {
    "X-Request-Id": ("the id of this request, in the log and the audit log, too", TEXT),
    "ETag": ("the row's generation, for If-Match", TEXT),
    "RateLimit": ('what is left of the quota of requests: "user";r=<requests>;t=<seconds until more>', TEXT),
    "RateLimit-Policy": ('the quota of requests: "user";q=<requests>;w=<seconds>', TEXT),
    "Retry-After": ("seconds until it is worth another try", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("Bearer", TEXT),
    once.REPLAYED: ("true: this was done before, under this Idempotency-Key", {"type": "string", "enum": ["true"]}),
}
# status → what it means, and its headers beside those that every answer has
PROBLEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "400": ("A parameter, a header or the JSON itself is not well-formed.", ()),
    "401": ("Nobody is signed in, or the session has ended.", ("WWW-Authenticate",)),
    "403": ("You see it but lack the right for this.", ()),
    "404": ("There is none, or you may not know that there is.", ()),
    "406": ("There is only JSON.", ()),
    "409": ("It contradicts the state of things; or the same request is being carried out.", ("Retry-After",)),
    "412": ("It has changed since you read it: `current` is its generation.", ()),
    "413": ("The body is too large.", ()),
    "415": ("The body is not JSON.", ()),
    "422": ("A field breaks a rule, or a quota refuses.", ()),
    "429": ("Too many requests, or others hold a lock.", ("Retry-After",)),
    "503": ("The database or a cluster can't be reached.", ()),
}
EVERYWHERE = ("X-Request-Id", "RateLimit", "RateLimit-Policy")
READING = ("400", "401", "403", "406", "429", "503")
WRITING = (*READING, "409", "413", "415", "422")


def finish(result: Json, generator: Any, request: Any, public: bool) -> Json:  # drf-spectacular's hook
    """Headers and problems of every operation, sparse rows, and no limits on what we answer."""
    components = result["components"]
    components["headers"] = {
        name: {"description": about, "schema": schema} for name, (about, schema) in HEADERS.items()
    }
    components["responses"] = {
        f"Problem{status}": {"description": about, "content": PROBLEM, "headers": _headers(*EVERYWHERE, *more)}
        for status, (about, more) in PROBLEMS.items()
    }
    _loosen(components["schemas"])
    for path, item in result["paths"].items():
        for method, operation in item.items():
            _finish(path, method, operation, components["schemas"])
    result["paths"] |= _stream()
    return result


def _finish(path: str, method: str, operation: Json, schemas: Json) -> None:
    parameters = {item["name"] for item in operation.get("parameters", ())}
    for status, response in operation["responses"].items():
        response["description"] = response["description"] or ("Refused." if status == "default" else "Done.")
        response["headers"] = _headers(*EVERYWHERE)
        if status[0] == "2" and ("If-Match" in parameters or "{id}" in path):
            response["headers"] |= _headers("ETag")
        if status[0] == "2" and "Idempotency-Key" in parameters:
            response["headers"] |= _headers(once.REPLAYED)
    if "dry_run" in parameters and operation["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Plan"
    }:
        operation["responses"]["200"]["description"] = "With dry_run: what would be done."
    if "fields" in parameters:
        _sparse(operation["responses"]["200"]["content"]["application/json"], schemas)
    for status in READING if method == "get" else WRITING:
        operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}
    if "{id}" in path:
        operation["responses"]["404"] = {"$ref": "#/components/responses/Problem404"}
    if "If-Match" in parameters:
        operation["responses"]["412"] = {"$ref": "#/components/responses/Problem412"}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _sparse(content: Json, schemas: Json) -> None:
    """With `?fields=` only some of a row's fields are there: a second shape, in which none is required."""
    whole = content["schema"]
    name = whole["$ref"].rpartition("/")[2]
    part = f"{name}Part"
    if part not in schemas:
        schemas[part] = partial = deepcopy(schemas[name])
        if "items" in partial["properties"] and name.endswith("Page"):
            row = partial["properties"]["items"]["items"]["$ref"].rpartition("/")[2]
            schemas.setdefault(f"{row}Part", _without_required(schemas[row]))
            partial["properties"]["items"]["items"] = {"$ref": f"#/components/schemas/{row}Part"}
        else:
            schemas[part] = _without_required(schemas[name])
    content["schema"] = {"anyOf": [whole, {"$ref": f"#/components/schemas/{part}"}]}


def _without_required(schema: Json) -> Json:
    found = {key: deepcopy(value) for key, value in schema.items() if key != "required"}
    return found | {"description": "With `?fields=`: only these.", "minProperties": 1}


def _loosen(schemas: Json) -> None:
    """How long a text may be that is given says nothing of what is answered. What is given has no other fields."""
    for name, schema in schemas.items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
        else:
            for field in schema.get("properties", {}).values():
                for limit in ("maxLength", "maximum", "minimum"):
                    field.pop(limit, None)


def _stream() -> Json:
    about = (
        "Server-sent events, from the live server (in the demo it has an address of its own).\n\n"
        "`change` {kind, id, generation, phase, deleted}: fetch the row. `resync` {}: changes may have been missed, "
        "fetch what you show. `resumed` {}: nothing was missed. `paused` {}: nothing comes until the next `resync`. "
        "A comment every 15 s shows that it lives. Only what you may see is told. It ends when your session does, or "
        "when your rights change.\n\n"
        "Events have ids: who comes back with the last one in Last-Event-ID (browsers do) or `since` hears what it "
        "missed, or `resync` if that is too long ago."
    )
    last = {"schema": {"type": "string", "maxLength": 64}, "description": "the id of the last event you heard"}
    return {
        "/live/v1/stream": {
            "get": {
                "operationId": "live_stream",
                "description": about,
                "parameters": [
                    {"in": "header", "name": "Last-Event-ID", **last},
                    {"in": "query", "name": "since", **last},
                ],
                "tags": ["live"],
                "security": [{"session": []}],
                "responses": {
                    "200": {"description": "Events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                    **{
                        status: {"description": PROBLEMS[status][0], "content": PROBLEM}
                        for status in ("401", "429", "503")
                    },
                },
            }
        }
    }
