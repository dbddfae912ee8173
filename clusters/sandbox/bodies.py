"""From a request's body to a document the store can hold: decoding, unknown fields, defaults."""

from __future__ import annotations

import base64
import re
from functools import cache
from typing import Any

from clusters.sandbox import builtin_defaults, structural
from clusters.sandbox.call import Call
from clusters.sandbox.decode import DecodeError, Decoder
from clusters.sandbox.errors import ApiError, FieldError, bad_request, internal, invalid
from clusters.sandbox.kinds import LIBRARY
from clusters.sandbox.patches import APPLY, STRATEGIC
from clusters.sandbox.patches import JSON as JSON_PATCH
from clusters.sandbox.resources import builtin

Object = dict[str, Any]
SCHEME = "pkg/api/legacyscheme/scheme.go:30"
INTERNAL_GROUPS = {"": "core", "rbac.authorization.k8s.io": "rbac", "networking.k8s.io": "networking"}


def decode(call: Call, body: Object, *, patched: bool = False) -> Object:
    """The normalised, defaulted document; the body is not changed."""
    return _custom(call, body, patched=patched) if call.resource.custom else _builtin(call, body, patched=patched)


def _handled_as(call: Call, kind: str, version: str, why: str) -> str:
    return f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: {why}'


def _right_kind(call: Call, kind: str, api_version: str) -> None:
    """A body may leave its kind out; what it says must be what the URL is about."""
    resource = call.resource
    if (kind, api_version) == (resource.kind, resource.api_version):
        return
    if api_version.count("/") > 1:
        why = f"unexpected GroupVersion string: {api_version} ({summary(call.raw)})"
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): {why}")
    version = api_version.rpartition("/")[2]
    if (api_version, kind) in registered():
        package = INTERNAL_GROUPS.get(resource.group, resource.group.partition(".")[0])
        why = f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
    else:
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{SCHEME}"'
    raise bad_request(_handled_as(call, kind, version, why))


@cache
def registered() -> frozenset[tuple[str, str]]:
    """Versions and kinds that the server knows of itself, lists included."""
    known = [(one.api_version, one.kind, one.list_kind) for one in builtin()]
    return frozenset((version, kind) for version, *kinds in known for kind in kinds)


def _undecoded(call: Call, problem: DecodeError, *, patched: bool) -> ApiError:
    resource, api_version = call.resource, call.resource.api_version
    if call.media == APPLY:
        shown = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        why = f"unable to convert unstructured object to {shown}: {problem.unstructured}"
        return internal(f"failed to convert new object (/{call.name}; {shown}) to proper version: {why}")
    if call.media:
        return _unpatched(call, problem.unstructured if call.media == STRATEGIC else str(problem))
    if patched:
        return bad_request(str(problem))
    return bad_request(_handled_as(call, resource.kind, api_version.rpartition("/")[2], str(problem)))


def _builtin(call: Call, body: Object, *, patched: bool) -> Object:
    resource = call.resource
    kind = body.get("kind") or resource.kind
    api_version = body.get("apiVersion") or resource.api_version
    _right_kind(call, kind, api_version)
    decoder = Decoder()
    try:
        out = decoder.document(resource.node, body, kind)
    except DecodeError as problem:
        raise _undecoded(call, problem, patched=patched) from problem
    _report(call, decoder.unknown, patched=patched)
    out["kind"], out["apiVersion"] = resource.kind, resource.api_version
    meta = out.setdefault("metadata", {})
    if (body.get("metadata") or {}).get("managedFields") == []:
        meta["managedFields"] = []  # none is not the same as not said: it clears them
    if resource.plural == "secrets" and not resource.group:
        _string_data(out)
    builtin_defaults.fill(resource.key, out)
    return out


def _string_data(secret: Object) -> None:
    """stringData is write-only: it lands, encoded, in data."""
    given = secret.pop("stringData", None)
    if given:
        data = secret.setdefault("data", {})
        for key, value in given.items():
            data[key] = base64.b64encode(value.encode()).decode()


FRACTION = re.compile(rb"[:\[,]\s*-?\d+(?:\.\d|[eE])")  # a number that Go reads as a float


def _custom(call: Call, body: Object, *, patched: bool) -> Object:
    resource = call.resource
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not kind:
        text = call.raw.decode("utf-8", "replace")
        if patched:
            raise _unpatched(call, f"Object 'Kind' is missing in '{text}'")
        short = text if len(text) <= 30 else text[:30] + " ..."
        why = f"Object 'Kind' is missing in '{text}' ({short})"
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): {why}")
    if api_version != resource.api_version:
        expected = f"the expected API version ({resource.api_version})"
        raise bad_request(f"the API version in the data ({api_version or ''}) does not match {expected}")
    if kind != resource.kind:
        name = str((body.get("metadata") or {}).get("name") or call.name)
        error = FieldError("Invalid value", "kind", f'"{kind}": must be {resource.kind}')
        raise invalid(kind, resource.group, name, [error])
    if FRACTION.search(call.raw):
        body = structural.whole(body)
    unknown: list[str] = []
    metadata = _metadata(call, body.get("metadata"), unknown, patched=patched)
    pruned: list[str] = []
    out = structural.prune(resource.schema, body, pruned, nulls=call.media == APPLY) if resource.schema else dict(body)
    unknown += sorted(pruned)
    if resource.defaults:
        out = structural.default(resource.schema, out)
    out["metadata"] = metadata
    _report(call, unknown, patched=patched)
    return out


def _metadata(call: Call, metadata: Any, unknown: list[str], *, patched: bool) -> Object:
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        why = "metadata: expected an object"
        raise bad_request(_handled_as(call, call.resource.kind, call.resource.version, why))
    decoder = Decoder()
    try:
        out = decoder.document(LIBRARY.struct("ObjectMeta"), metadata, "ObjectMeta")
    except DecodeError as problem:
        why = str(problem)
        if patched and call.media != APPLY:
            raise _unpatched(call, why) from problem
        raise bad_request(_handled_as(call, call.resource.kind, call.resource.version, why)) from problem
    unknown += sorted("metadata." + name for name in decoder.unknown)
    return out


SHOWN = 30  # bytes of an unreadable body that its refusal repeats


def summary(body: bytes) -> str:
    """The beginning of a body that could not be read: as it came when it looks like JSON, else in hexadecimal."""
    if not body:
        return "<empty>"
    short, tail = body[:SHOWN], " ..." if len(body) > SHOWN else ""
    return (short.decode("utf-8", "replace") if body[:1] == b"{" else short.hex()) + tail


def _report(call: Call, unknown: list[str], *, patched: bool) -> None:
    """Strict refuses unknown fields, Warn names them in headers, Ignore is silent."""
    if call.validation == "Ignore" or not (unknown or call.duplicates or call.unknown):
        return
    if not call.resource.custom:  # what a duplicate field of no meaning says is not even read
        call.duplicates = [name for name in call.duplicates if not name.startswith(tuple(unknown))]
    prefix = "json patch " if call.media == JSON_PATCH else ""
    listed = [f'{prefix}duplicate field "{name}"' for name in call.duplicates]
    listed += [f'{prefix}unknown field "{name}"' for name in call.unknown]
    listed += [f'unknown field "{name}"' for name in unknown]
    if call.validation == "Warn":
        call.warnings += listed
        return
    why = "strict decoding error: " + ", ".join(listed)
    if patched:
        raise _unpatched(call, why)
    raise bad_request(_handled_as(call, call.resource.kind, call.resource.version, why))


def _unpatched(call: Call, why: str) -> ApiError:
    """A patch led to something that is no object of the kind; the refusal shows what it led to."""
    shown = call.raw.decode("utf-8", "replace").replace("\\", "\\\\").replace('"', '\\"')
    return invalid("", "", "", [FieldError("Invalid value", "patch", f'"{shown}": {why}')])
