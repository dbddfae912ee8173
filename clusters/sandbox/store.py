"""Objects, versions and the log of changes: the etcd and the watch cache of the sandbox.

Stored documents are frozen by convention: nobody changes them in place; a write puts a new document.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

Object = dict[str, Any]
LOG_LENGTH = 20_000  # changes kept per resource for watches; older versions answer 410


@dataclass(slots=True, eq=False)
class Stored:
    """A document, its bytes and its version as a number."""

    obj: Object
    raw: bytes
    version: int

    @property
    def meta(self) -> Object:
        return self.obj["metadata"]  # type: ignore[no-any-return]

    def copy(self) -> Object:
        return orjson.loads(self.raw)  # type: ignore[no-any-return]


@dataclass(slots=True, eq=False)
class Change:
    """One event; `before` is None for an addition, `after` holds the last state for a deletion."""

    version: int
    kind: str  # ADDED, MODIFIED, DELETED
    key: str
    after: Stored
    before: Stored | None
    lines: dict[str, bytes] = field(default_factory=dict)  # serialized events by event type and API version


def key_of(namespace: str | None, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


@dataclass(slots=True, eq=False)
class Shelf:
    """All objects of one resource, in etcd's order, with the log of their changes."""

    floor: int  # watches from versions before this one are expired
    objects: dict[str, Stored] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    log: deque[Change] = field(default_factory=deque)
    listeners: set[Callable[[Change], None]] = field(default_factory=set)

    def items(self, namespace: str | None = None, after: str = "") -> Iterator[Stored]:
        """Objects in order, of one namespace or all, after the given key."""
        start = bisect_left(self.keys, after + "\0") if after else 0
        end = len(self.keys)
        if namespace:
            start = max(start, bisect_left(self.keys, namespace + "/"))
            end = bisect_left(self.keys, namespace + "0")  # "0" is the character after "/"
        for key in self.keys[start:end]:
            yield self.objects[key]

    def changes_after(self, version: int) -> list[Change]:
        out: list[Change] = []
        for change in reversed(self.log):
            if change.version <= version:
                break
            out.append(change)
        out.reverse()
        return out


class Store:
    """Shelves by resource key; one version counter for all, as in etcd."""

    def __init__(self) -> None:
        self.version = 100  # a fresh real server has written its own objects before anyone asks
        self.shelves: dict[str, Shelf] = {}
        self.uids: dict[str, tuple[str, str]] = {}  # uid → (resource key, object key)
        self.dependents: dict[str, set[tuple[str, str]]] = {}  # owner uid → objects naming it
        self.journal: Callable[[str, str, Stored | None, int], None] | None = None
        self.after_change: Callable[[str, Change], None] | None = None
        self._roles_unread_until = 0.0  # by the monotonic clock

    def begin_sync(self, seconds: float) -> None:
        """The authorizer begins to read roles and bindings, as after a start, and is that long at it."""
        self._roles_unread_until = time.monotonic() + seconds

    @property
    def roles_read(self) -> bool:
        return time.monotonic() >= self._roles_unread_until

    def shelf(self, resource: str) -> Shelf:
        found = self.shelves.get(resource)
        if found is None:
            found = self.shelves[resource] = Shelf(floor=self.version)
        return found

    def get(self, resource: str, key: str) -> Stored | None:
        shelf = self.shelves.get(resource)
        return shelf.objects.get(key) if shelf else None

    def put(self, resource: str, key: str, obj: Object) -> Stored:
        """Writes under a new version; `obj` belongs to the store from here on."""
        shelf = self.shelf(resource)
        before = shelf.objects.get(key)
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        if next(iter(obj)) != "kind":  # lists of built-in kinds cut kind and apiVersion off the bytes
            obj = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj}
        stored = Stored(obj, orjson.dumps(obj), self.version)
        self._place(resource, shelf, key, stored, before)
        self._announce(resource, shelf, Change(self.version, "MODIFIED" if before else "ADDED", key, stored, before))
        return stored

    def remove(self, resource: str, key: str, last: Object | None = None) -> Stored:
        """Deletes; watchers get the last state under a fresh version."""
        shelf = self.shelf(resource)
        before = shelf.objects.pop(key)
        shelf.keys.pop(bisect_left(shelf.keys, key))
        self.version += 1
        final = last if last is not None else before.obj
        final = {**final, "metadata": {**final["metadata"], "resourceVersion": str(self.version)}}
        stored = Stored(final, orjson.dumps(final), self.version)
        self._unindex(resource, key, before)
        self._announce(resource, shelf, Change(self.version, "DELETED", key, stored, before))
        return stored

    def restore(self, resource: str, key: str, obj: Object | None, version: int) -> None:
        """Replays one journal line; no events, and no order until `restored`."""
        shelf = self.shelf(resource)
        before = shelf.objects.get(key)
        self.version = max(self.version, version)
        if obj is not None:
            self._index(resource, shelf, key, Stored(obj, orjson.dumps(obj), version), before)
        elif before is not None:
            del shelf.objects[key]
            self._unindex(resource, key, before)
        shelf.floor = self.version

    def restored(self) -> None:
        """Puts the keys of what was restored into their order, once for all."""
        for shelf in self.shelves.values():
            shelf.keys = sorted(shelf.objects)

    def compact(self, resource: str | None = None) -> int:
        """Forgets the log: watches from older versions get their 410. Answers the floor."""
        for key, shelf in self.shelves.items():
            if resource in {None, key}:
                shelf.log.clear()
                shelf.floor = self.version
        return self.version

    def drop(self, resource: str) -> None:
        """A CRD went: its shelf goes with it (the objects are gone already)."""
        self.shelves.pop(resource, None)

    def _place(self, resource: str, shelf: Shelf, key: str, stored: Stored, before: Stored | None) -> None:
        if before is None:
            if not shelf.keys or key > shelf.keys[-1]:
                shelf.keys.append(key)
            else:
                insort(shelf.keys, key)
        self._index(resource, shelf, key, stored, before)

    def _index(self, resource: str, shelf: Shelf, key: str, stored: Stored, before: Stored | None) -> None:
        shelf.objects[key] = stored
        if before is None:
            self.uids[stored.meta["uid"]] = (resource, key)
        was = before.meta.get("ownerReferences") if before else None
        now = stored.meta.get("ownerReferences")
        if was != now:
            self._owners(resource, key, was, now)

    def _unindex(self, resource: str, key: str, before: Stored) -> None:
        self.uids.pop(before.meta["uid"], None)
        self._owners(resource, key, before.meta.get("ownerReferences"), None)

    def _owners(self, resource: str, key: str, was: Any, now: Any) -> None:
        for owner in was or ():
            names = self.dependents.get(owner["uid"])
            if names:
                names.discard((resource, key))
                if not names:
                    del self.dependents[owner["uid"]]
        for owner in now or ():
            self.dependents.setdefault(owner["uid"], set()).add((resource, key))

    def _announce(self, resource: str, shelf: Shelf, change: Change) -> None:
        shelf.log.append(change)
        if len(shelf.log) > LOG_LENGTH:
            shelf.floor = shelf.log.popleft().version
        if self.journal is not None:
            self.journal(resource, change.key, None if change.kind == "DELETED" else change.after, change.version)
        for listener in tuple(shelf.listeners):
            listener(change)
        if self.after_change is not None:
            self.after_change(resource, change)
