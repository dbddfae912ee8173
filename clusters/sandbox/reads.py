"""Get and list: bytes kept with the objects are joined, nothing is serialized twice (k8s-transcript 03)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from clusters.sandbox import structural, tables
from clusters.sandbox.call import parse_int
from clusters.sandbox.errors import ApiError, FieldError, bad_request, error, internal, invalid
from clusters.sandbox.negotiation import Shape, many_for_one, one_for_many
from clusters.sandbox.resources import Resource
from clusters.sandbox.selectors import predicate
from clusters.sandbox.store import Shelf, Store, Stored

Object = dict[str, Any]


def raw_of(resource: Resource, stored: Stored) -> bytes:
    """Bytes in the version of `resource`."""
    if stored.obj.get("apiVersion") == resource.api_version:
        return stored.raw
    return orjson.dumps(structural.converted(resource.schema, stored.obj, resource.api_version))


def one(resource: Resource, stored: Stored, shape: Shape) -> bytes:
    if shape.kind == "Table":
        metadata = {"resourceVersion": stored.meta["resourceVersion"]} if stored.meta.get("resourceVersion") else {}
        return orjson.dumps(tables.table(resource, [stored], metadata, shape))
    if shape.kind == "PartialObjectMetadataList":
        raise many_for_one(resource.kind, custom=resource.custom)
    if shape.kind == "PartialObjectMetadata":
        return orjson.dumps(tables.partial(stored.obj, shape))
    return raw_of(resource, stored)


def parse_version(text: str) -> int:
    if not text.isdigit():
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise internal(f"resourceVersion: {why}")
    return int(text)


def _listed_version(text: str) -> int:
    """A version that a list is asked for: bad ones are the client's fault here."""
    try:
        return parse_version(text)
    except ApiError as problem:
        raise bad_request(f"invalid resource version: {problem.body['message']}") from problem


def list_errors(query: dict[str, str], *, watch: bool) -> None:
    """The combinations of options that the server refuses (k8s-replay 04)."""
    for name in ("timeoutSeconds", "limit"):
        if query.get(name):
            parse_int(query[name])
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    initial = query.get("sendInitialEvents")
    found = _watch_option_errors(PATH, match, initial) if watch else _list_option_errors(query, version, match)
    if not watch and initial is not None:
        found.append(FieldError("Forbidden", "sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if found:
        raise invalid("ListOptions", "meta.k8s.io", "", found)


PATH = "resourceVersionMatch"


def _list_option_errors(query: dict[str, str], version: str, match: str) -> list[FieldError]:
    found: list[FieldError] = []
    if match and not version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(FieldError("Forbidden", PATH, text))
    if match and query.get("continue"):
        found.append(FieldError("Forbidden", PATH, "resourceVersionMatch is forbidden when continue is provided"))
    if match not in {"", "Exact", "NotOlderThan"}:
        text = f'"{match}": supported values: "Exact", "NotOlderThan", ""'
        found.append(FieldError("Unsupported value", PATH, text))
    if match == "Exact" and version == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(FieldError("Forbidden", PATH, text))
    return found


def _watch_option_errors(path: str, match: str, initial: str | None) -> list[FieldError]:
    found = []
    if initial is None and match:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(FieldError("Forbidden", path, text))
    if initial is not None and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(FieldError("Forbidden", path, text))
    if match and match != "NotOlderThan":
        found.append(FieldError("Unsupported value", path, f'"{match}": supported values: "NotOlderThan"'))
    return found


def _token(version: int, start: str) -> str:
    body = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start + "\0"})
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, str]:
    try:
        body = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(body["rv"]), str(body["start"]).rstrip("\0")
    except (binascii.Error, orjson.JSONDecodeError, KeyError, ValueError, TypeError) as problem:
        why = f"illegal base64 data at input byte {len(token) - len(token) % 4}"
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from problem


EXPIRED_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def too_large(wanted: int, current: int) -> ApiError:
    text = f"Timeout: Too large resource version: {wanted}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return error(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})


class Lister:
    """Lists of one store. Pages after the first show the state of the first page's version."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def page(self, resource: Resource, namespace: str | None, query: dict[str, str]) -> tuple[list[Stored], Object]:
        """The objects of one page and the list's metadata."""
        limit = parse_int(query["limit"]) if "limit" in query else 0
        if query.get("resourceVersion") == "0" and not query.get("continue"):
            limit = 0  # answered from the watch cache, which has no pages (k8s-transcript 03)
        matches = predicate(query.get("labelSelector", ""), query.get("fieldSelector", ""), resource)
        list_errors(query, watch=False)
        shelf = self.store.shelf(resource.key)
        version, start = self.store.version, ""
        if query.get("continue"):
            version, start = _read_token(query["continue"])
            if query.get("resourceVersion") not in {None, "", "0"}:
                raise bad_request("specifying resource version is not allowed when using continue")
            items = self._past_items(shelf, namespace, version, start)
            version = self.store.version if version < 0 else version
        else:
            version, items = self._fresh_items(shelf, namespace, query, version)
        end = items[-1] if items else None
        if matches is not None:
            items = [item for item in items if matches(item.obj)]
        metadata: Object = {"resourceVersion": str(version)}
        if limit and len(items) >= limit and items[limit - 1] is not end:  # a full page stops, whatever follows
            left = len(items) - limit
            items = items[:limit]
            last = items[-1].meta
            key = f"{last['namespace']}/{last['name']}" if last.get("namespace") and not namespace else last["name"]
            metadata["continue"] = _token(version, "/" + key)
            if matches is None:
                metadata["remainingItemCount"] = left
        elif resource.custom:
            metadata["continue"] = ""
        return items, metadata

    def _fresh_items(
        self, shelf: Shelf, namespace: str | None, query: dict[str, str], version: int
    ) -> tuple[int, list[Stored]]:
        asked = query.get("resourceVersion", "")
        if asked and asked != "0":
            wanted = _listed_version(asked)
            self.not_from_the_future(wanted)
            if query.get("resourceVersionMatch") == "Exact":
                if wanted < shelf.floor:
                    raise error(410, "Expired", "The resourceVersion for the provided list is too old.")
                return wanted, self._state_at(shelf, namespace, wanted)
        return version, list(shelf.items(namespace))

    def not_from_the_future(self, wanted: int) -> None:
        if wanted > self.store.version:
            raise too_large(wanted, self.store.version)

    def _past_items(self, shelf: Shelf, namespace: str | None, version: int, start: str) -> list[Stored]:
        after = f"{namespace}/{start.lstrip('/')}" if namespace else start.lstrip("/")
        if version < 0:
            return list(shelf.items(namespace, after))
        if version < shelf.floor:
            refusal = error(410, "Expired", EXPIRED_PAGE)
            refusal.body["metadata"] = {"continue": _token(-1, start)}
            raise refusal
        return [item for item in self._state_at(shelf, namespace, version) if _key(item) > after]

    def _state_at(self, shelf: Shelf, namespace: str | None, version: int) -> list[Stored]:
        """The objects as they were: the log is walked back."""
        changed = shelf.changes_after(version)
        if not changed:
            return list(shelf.items(namespace))
        state: dict[str, Stored] = dict(shelf.objects)
        for change in reversed(changed):
            if change.before is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.before
        prefix = f"{namespace}/" if namespace else ""
        return [state[key] for key in sorted(state) if key.startswith(prefix)]


def _key(stored: Stored) -> str:
    meta = stored.meta
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def render_list(resource: Resource, items: list[Stored], metadata: Object, shape: Shape) -> bytes:
    if shape.kind != "object" and not metadata.get("continue"):
        metadata = {name: value for name, value in metadata.items() if name != "continue"}
    if shape.kind == "Table":
        return orjson.dumps(tables.table(resource, items, metadata, shape))
    if shape.kind == "PartialObjectMetadata":
        raise one_for_many(resource.list_kind, custom=resource.custom)
    if shape.kind == "PartialObjectMetadataList":
        rows = [tables.partial(stored.obj, shape) for stored in items] or None
        body = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": shape.api_version,
            "metadata": metadata,
            "items": rows or None,
        }
        return orjson.dumps(body)
    head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata}
    if resource.custom:
        rows_raw = [raw_of(resource, stored) for stored in items]
    else:
        # Items of built-in lists carry no kind and apiVersion; the store keeps both at the front of the bytes.
        cut = len(orjson.dumps({"kind": resource.kind, "apiVersion": resource.api_version}))
        rows_raw = [b"{" + stored.raw[cut:] for stored in items]
    return orjson.dumps(head)[:-1] + b',"items":[' + b",".join(rows_raw) + b"]}"
