"""From a request's body to a document the store can hold: decoding, unknown fields, defaults."""

from __future__ import annotations

import base64
from typing import Any

from clusters.sandbox import builtin_defaults, structural
from clusters.sandbox.call import Call
from clusters.sandbox.decode import DecodeError, Decoder
from clusters.sandbox.errors import FieldError, bad_request, invalid
from clusters.sandbox.kinds import LIBRARY

Object = dict[str, Any]
SCHEME = "pkg/api/legacyscheme/scheme.go:30"
INTERNAL_GROUPS = {"": "core", "rbac.authorization.k8s.io": "rbac", "networking.k8s.io": "networking"}


def decode(call: Call, body: Object, *, patched: bool = False) -> Object:
    """The normalised, defaulted document; the body is not changed."""
    return _custom(call, body, patched=patched) if call.resource.custom else _builtin(call, body, patched=patched)


def _handled_as(call: Call, kind: str, version: str, why: str) -> str:
    return f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: {why}'


def _builtin(call: Call, body: Object, *, patched: bool) -> Object:
    resource = call.resource
    kind = body.get("kind") or resource.kind
    api_version = body.get("apiVersion") or resource.api_version
    version = api_version.rpartition("/")[2]
    if api_version != resource.api_version:
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{SCHEME}"'
        raise bad_request(_handled_as(call, kind, version, why))
    if kind != resource.kind:
        package = INTERNAL_GROUPS.get(resource.group, resource.group.partition(".")[0])
        why = f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
        raise bad_request(_handled_as(call, kind, version, why))
    decoder = Decoder()
    try:
        out = decoder.document(resource.node, body, kind)
    except DecodeError as problem:
        if patched:
            from_patch = f"{problem}"
            raise bad_request(from_patch) from problem
        raise bad_request(_handled_as(call, kind, version, str(problem))) from problem
    _report(call, decoder.unknown, patched=patched)
    out["kind"], out["apiVersion"] = resource.kind, resource.api_version
    out.setdefault("metadata", {})
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


def _custom(call: Call, body: Object, *, patched: bool) -> Object:
    resource = call.resource
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not kind:
        text = call.raw.decode("utf-8", "replace")
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
    unknown: list[str] = []
    metadata = _metadata(call, body.get("metadata"), unknown)
    out = structural.prune(resource.schema, body, unknown) if resource.schema else dict(body)
    if resource.defaults:
        out = structural.default(resource.schema, out)
    out["metadata"] = metadata
    _report(call, unknown, patched=patched)
    return out


def _metadata(call: Call, metadata: Any, unknown: list[str]) -> Object:
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
        raise bad_request(_handled_as(call, call.resource.kind, call.resource.version, why)) from problem
    unknown += ["metadata." + name for name in decoder.unknown]
    return out


def _report(call: Call, unknown: list[str], *, patched: bool) -> None:
    """Strict refuses unknown fields, Warn names them in headers, Ignore is silent."""
    if call.validation == "Ignore" or not (unknown or call.duplicates):
        return
    listed = [f'duplicate field "{name}"' for name in call.duplicates]
    listed += [f'unknown field "{name}"' for name in unknown]
    if call.validation == "Warn":
        call.warnings += listed
        return
    why = "strict decoding error: " + ", ".join(listed)
    if patched:
        shown = call.raw.decode("utf-8", "replace").replace("\\", "\\\\").replace('"', '\\"')
        raise invalid("", "", "", [FieldError("Invalid value", "patch", f'"{shown}": {why}')])
    raise bad_request(_handled_as(call, call.resource.kind, call.resource.version, why))
