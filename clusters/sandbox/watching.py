"""Watches: what happened since a version, then what happens (k8s-replay 04, k8s-transcript 08)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import orjson

from clusters.sandbox import tables
from clusters.sandbox.call import parse_int, truth
from clusters.sandbox.decode import Decoder
from clusters.sandbox.errors import status
from clusters.sandbox.negotiation import Shape
from clusters.sandbox.reads import list_errors, parse_version, raw_of, too_large
from clusters.sandbox.resources import Resource
from clusters.sandbox.selectors import Predicate, predicate
from clusters.sandbox.store import Change, Store, Stored

Object = dict[str, Any]
BOOKMARK_EVERY = 60.0
BOOKMARK_BEFORE_END = 1.5
DEFAULT_TIMEOUT = 1800


def line(kind: str, raw: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + raw + b"}\n"


class Watch:
    """One open watch: a queue of lines that changes are put into as they happen."""

    def __init__(
        self, store: Store, resource: Resource, namespace: str | None, query: dict[str, str], shape: Shape
    ) -> None:
        list_errors(query, watch=True)
        self.store = store
        self.resource = resource
        self.prefix = f"{namespace}/" if namespace else ""
        self.namespace = namespace
        self.shape = shape
        self.matches: Predicate | None = predicate(
            query.get("labelSelector", ""), query.get("fieldSelector", ""), resource
        )
        self.bookmarks = truth(query, "allowWatchBookmarks")
        self.initial = truth(query, "sendInitialEvents")
        timeout = parse_int(query["timeoutSeconds"]) if query.get("timeoutSeconds") else 0
        self.timeout = float(timeout or DEFAULT_TIMEOUT)
        asked = query.get("resourceVersion", "")
        self.version = parse_version(asked) if asked else 0
        self.from_start = self.initial or self.version == 0
        self.shelf = store.shelf(resource.key)
        self.queue: deque[bytes] = deque()
        self.signal = asyncio.Event()
        self.closed = False
        self.dropped = False  # by a fault: the connection is cut, not ended
        self.stalled = False  # by a fault: nothing is sent until released
        self.head_sent = False  # a table's column definitions come once

    def open(self) -> None:
        """Fills the queue with the past and subscribes to the future, in one step so nothing is missed."""
        if self.initial and self.version > self.store.version:
            self._fail(too_large(self.version, self.store.version).body)
            return
        if self.from_start:
            for stored in self.shelf.items(self.namespace):
                if self.matches is None or self.matches(stored.obj):
                    self._push("ADDED", stored)
            if self.initial and self.bookmarks:
                self._bookmark(initial_end=True)
        elif self.version < self.shelf.floor:
            message = f"too old resource version: {self.version} ({self.shelf.floor})"
            self._fail(status(410, "Expired", message))
            return
        else:
            for change in self.shelf.changes_after(self.version):
                self.heard(change)
        self.shelf.listeners.add(self.heard)

    def _fail(self, why: Object) -> None:
        self.queue.append(line("ERROR", orjson.dumps(why)))
        self.closed = True

    def close(self) -> None:
        self.shelf.listeners.discard(self.heard)
        self.closed = True
        self.signal.set()

    def heard(self, change: Change) -> None:
        """A change, as this watch sees it through its selectors."""
        if self.prefix and not change.key.startswith(self.prefix):
            return
        if change.version <= self.version:
            return  # a watch from the future waits for its version
        kind, stored = change.kind, change.after
        if self.matches is not None:
            now = change.kind != "DELETED" and self.matches(change.after.obj)
            before = change.before is not None and self.matches(change.before.obj)
            if not now and not before:
                return
            kind = "MODIFIED" if now and before else "ADDED" if now else "DELETED"
            if kind == "DELETED" and change.before is not None and change.kind != "DELETED":
                stored = self._left(change)
        if self.shape.kind == "object":
            self._share(change, kind, stored)
        else:
            self._push(kind, stored)

    def _left(self, change: Change) -> Stored:
        """An object that stops matching is sent as it last matched, with the version of the change."""
        assert change.before is not None
        obj = change.before.obj
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(change.version)}}
        return Stored(obj, orjson.dumps(obj), change.version)

    def _share(self, change: Change, kind: str, stored: Stored) -> None:
        """Watchers of the same kind of event share one serialized line."""
        left = stored is not change.after
        name = f"{kind} {self.resource.version} {left}"
        ready = change.lines.get(name)
        if ready is None:
            ready = change.lines[name] = line(kind, raw_of(self.resource, stored))
        self.queue.append(ready)
        self.signal.set()

    def _push(self, kind: str, stored: Stored) -> None:
        if self.shape.kind == "Table":
            metadata = {"resourceVersion": stored.meta["resourceVersion"]}
            head = not self.head_sent
            self.head_sent = True
            raw = orjson.dumps(tables.table(self.resource, [stored], metadata, self.shape, head=head))
        elif self.shape.kind.startswith("PartialObjectMetadata"):
            raw = orjson.dumps(tables.partial(stored.obj, self.shape))
        else:
            raw = raw_of(self.resource, stored)
        self.queue.append(line(kind, raw))
        self.signal.set()

    def _bookmark(self, *, initial_end: bool = False) -> None:
        metadata: Object = {"resourceVersion": str(self.store.version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        if not self.resource.custom:
            obj = {**Decoder().nothing(self.resource.node), **obj}
        if self.shape.kind.startswith("PartialObjectMetadata"):
            obj = tables.partial(obj, self.shape)
        self.queue.append(line("BOOKMARK", orjson.dumps(obj)))
        self.signal.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """Batches of lines until the timeout; an empty batch never comes."""
        end = time.monotonic() + self.timeout
        begin = time.monotonic()
        last_mark = end - BOOKMARK_BEFORE_END if self.timeout > BOOKMARK_BEFORE_END else end + 1
        next_mark = min(begin + BOOKMARK_EVERY, last_mark)
        while True:
            while self.queue and not self.stalled:
                batch = b"".join(self.queue)
                self.queue.clear()
                yield batch
            if self.closed:
                return
            moment = time.monotonic()
            if moment >= end:
                return
            if self.bookmarks and moment >= next_mark:
                self._bookmark()
                next_mark = min(moment + BOOKMARK_EVERY, last_mark) if moment < last_mark else end + 1
                continue
            until = min(end, next_mark) if self.bookmarks else end
            self.signal.clear()
            try:
                await asyncio.wait_for(self.signal.wait(), max(0.0, until - moment))
            except TimeoutError:
                continue
