"""HTTP as the sandbox sees it: requests read from ASGI, answers written to it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
import yaml
from cryptography.x509 import Certificate

from clusters.sandbox import jsontext, protobuf
from clusters.sandbox.bodies import summary
from clusters.sandbox.errors import ApiError, TextError, bad_request, error
from clusters.sandbox.handshake import Conversation
from clusters.sandbox.negotiation import JSON, SPOKEN, WHOLE, YAML, Shape, served

Object = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BODY_LIMIT = 3 * 1024 * 1024
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, list[str]]
    body: bytes = b""
    presented: Sequence[Certificate] = ()  # the client's certificate and what it sent along; nobody has judged it
    shape: Shape = WHOLE  # what is to be answered; settled once it is known what the request is about

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


def presented(send: Send) -> Sequence[Certificate]:
    """What the client showed of itself when the connection was made; nothing where it had nothing to show."""
    transport = _transport(send)
    handshake = transport and transport.get_extra_info("ssl_object")
    return handshake.presented() if isinstance(handshake, Conversation) else ()


def document(request: Request, kind: str) -> Object:
    """The body of a POST or PUT: JSON or YAML, an object."""
    media = request.content_type
    if media == protobuf.MEDIA and kind in protobuf.FIELDS:
        try:
            return protobuf.document(request.body)
        except protobuf.UnreadableError as problem:
            text = f"the object provided is unrecognized (must be of type {kind}): {problem}"
            raise bad_request(f"{text} ({summary(request.body)})") from problem
    if media not in {"", JSON, *YAML}:
        text = f"the body of the request was in an unknown format - accepted media types include: {SPOKEN}"
        raise error(415, "UnsupportedMediaType", text)
    value = parse(request.body, yaml_allowed="yaml" in media)
    if isinstance(value, dict):
        return value
    if kind == "DeleteOptions" and request.body.strip() == b"null":
        return {}
    if value is None:
        malformed = jsontext.problem(request.body) or "json: cannot unmarshal null"
        why = f"couldn't get version/kind; json parse error: {malformed}"
    else:
        why = f"couldn't get version/kind; json parse error: {cannot(value, TYPE_META)}"
    if kind == "DeleteOptions":
        raise bad_request(why)
    raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({summary(request.body)})")


TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def cannot(value: Any, wanted: str) -> str:
    """Go's words for a JSON value of the wrong kind."""
    words = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "bool"}
    return f"json: cannot unmarshal {words.get(type(value), 'value')} into Go value of type {wanted}"


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


class _GoDumper(yaml.SafeDumper):
    """YAML as the server's library writes it: what looks like another type is quoted, lines are kept."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _resolve(dumper: _GoDumper, value: str) -> str:
    """The type that plain text would be read as."""
    return str(dumper.resolve(yaml.ScalarNode, value, (True, False)))  # type: ignore[no-untyped-call]


def _text(dumper: _GoDumper, value: str) -> yaml.ScalarNode:
    style = None
    if "\n" in value:
        style = "|"
    elif not value or _resolve(dumper, value) != "tag:yaml.org,2002:str":
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_GoDumper.add_representer(str, _text)


def spoken(request: Request, answer: Answer) -> Answer:
    """The answer in the language asked for: YAML where the client prefers it to JSON."""
    accept = request.header("accept")
    if "yaml" not in accept or answer.content_type != JSON or not answer.body:
        return answer
    found = served(accept)
    if found is None or found[0] == JSON or (answer.code >= 400 and found[1].kind != "object"):
        return answer
    text = yaml.dump(orjson.loads(answer.body), Dumper=_GoDumper, sort_keys=True, width=2**31, allow_unicode=True)
    return Answer(answer.code, text.encode(), found[0], answer.warnings, answer.headers)


COMPRESSED_FROM = 128 * 1024


async def compressed(request: Request, answer: Answer) -> Answer:
    """Long answers to readers who take gzip; packed beside the loop, so that nobody waits."""
    if request.method != "GET" or len(answer.body) < COMPRESSED_FROM or "gzip" not in request.header("accept-encoding"):
        return answer
    body = await asyncio.to_thread(gzip.compress, answer.body, 1)
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Answer(answer.code, body, answer.content_type, answer.warnings, headers)


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
    transport = _transport(send)
    if transport is not None:
        transport.abort()


def _transport(send: Send) -> Any:
    """The connection behind an answer: ASGI does not show it, uvicorn keeps it."""
    return getattr(getattr(send, "__self__", None), "transport", None)


def yaml_problem(body: bytes) -> str:
    """What Go's YAML library says about a text that is none; lines are counted from the second on."""
    try:
        yaml.load(body, Loader=LOADER)  # noqa: S506 - the C twin of SafeLoader
    except yaml.MarkedYAMLError as problem:
        marks = (problem.context_mark, problem.problem_mark)
        at = next((mark.line for mark in marks if mark is not None and mark.line), 0)
        line = at + isinstance(problem, yaml.scanner.ScannerError) if at else 0
        return f"yaml: line {line}: {problem.problem}" if line else f"yaml: {problem.problem}"
    except yaml.YAMLError:
        return "yaml: control characters are not allowed"
    return ""
