"""HTTP as the sandbox sees it: requests read from ASGI, answers written to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
import yaml

from clusters.sandbox.errors import ApiError, TextError, bad_request, error
from clusters.sandbox.reads import Shape

Object = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON = "application/json"
BODY_LIMIT = 3 * 1024 * 1024
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PROTOBUF_MIX = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, list[str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def content_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Answer:
    code: int
    body: bytes
    content_type: str = JSON
    warnings: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


async def read(scope: Scope, receive: Receive) -> Request:
    headers: dict[str, list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        headers.setdefault(raw_name.decode("latin-1").lower(), []).append(raw_value.decode("latin-1"))
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
        if not message.get("more_body"):
            break
    if size > BODY_LIMIT:
        raise error(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}")
    return Request(scope["method"], scope["path"], query, headers, b"".join(chunks))


def document(request: Request, kind: str) -> Object:
    """The body of a POST or PUT: JSON or YAML, an object."""
    media = request.content_type
    if media not in {"", JSON, "application/yaml", "text/yaml"}:
        what = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        text = f"the body of the request was in an unknown format - accepted media types include: {what}"
        raise error(415, "UnsupportedMediaType", text)
    value = parse(request.body, yaml_allowed="yaml" in media)
    if not isinstance(value, dict):
        text = request.body.decode("utf-8", "replace")
        short = text or "<empty>"
        why = f"couldn't get version/kind; json parse error: unexpected end of JSON input ({short})"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {why}")
    return value


def parse(body: bytes, *, yaml_allowed: bool) -> Any:
    """The value of a body; None when it can't be read."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if not yaml_allowed:
            return None
    try:
        return yaml.load(body, Loader=LOADER)  # noqa: S506 - the C twin of SafeLoader
    except yaml.YAMLError:
        return None


def shape(request: Request) -> Shape:
    """The representation the Accept header asks for first; 406 when none can be served."""
    accept = request.header("accept")
    if not accept:
        return Shape()
    for clause in accept.split(","):
        parts = [part.strip() for part in clause.split(";")]
        parameters = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
        if parts[0] not in {JSON, "*/*", "application/*", "application/yaml"}:
            continue
        kind = parameters.get("as", "")
        if not kind:
            return Shape()
        if kind in {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"} and parameters.get("v") == "v1":
            return Shape(kind, request.query.get("includeObject") or "Metadata")
    text = f"406: Not Acceptable\n\nAvailable representations: {PROTOBUF_MIX}"
    raise error(406, "NotAcceptable", text, {})


def refusal(problem: ApiError | TextError, warnings: list[str]) -> Answer:
    if isinstance(problem, TextError):
        return Answer(problem.code, problem.text.encode(), "text/plain; charset=utf-8")
    headers = dict(problem.headers)
    wait = (problem.body.get("details") or {}).get("retryAfterSeconds")
    if wait:
        headers["Retry-After"] = str(wait)
    return Answer(problem.code, orjson.dumps(problem.body), JSON, warnings or problem.warnings, headers)


def warning_header(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def head(answer: Answer) -> MutableMapping[str, Any]:
    headers = [(b"content-type", answer.content_type.encode())]
    if answer.code >= 0 and answer.body is not None:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    headers += [(b"warning", warning_header(text).encode("utf-8")) for text in dict.fromkeys(answer.warnings)]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    return {"type": "http.response.start", "status": answer.code, "headers": headers}


async def write(send: Send, answer: Answer) -> None:
    await send(head(answer))
    await send({"type": "http.response.body", "body": answer.body})


def cut(send: Send) -> None:
    """Drops the TCP connection without an answer, as a broken network would."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
