"""The cluster: store, writers and controllers in one asyncio loop, and the interface controllers program against."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from clusters.sandbox import errors
from clusters.sandbox.admission import Admission, Denial, Hook, Mutator, Validator
from clusters.sandbox.call import Call, now
from clusters.sandbox.deletes import DeleteOptions, Deleter
from clusters.sandbox.errors import ApiError
from clusters.sandbox.managers import Tracker
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.store import Change, Store, key_of
from clusters.sandbox.writes import Writer, same

Object = dict[str, Any]
Wake = Callable[[str, "str | None", str], None]
Subresource = Callable[["SubresourceCall"], Any]
Control = Callable[[Object], Object]  # an order's JSON → the answer's

__all__ = ["ApiError", "Cluster", "Denial", "Object", "SubresourceCall"]


@dataclass(slots=True)
class SubresourceCall:
    """What a handler of an aggregated subresource is told (PUT virtualmachines/start)."""

    method: str
    namespace: str | None
    name: str
    body: Any
    query: dict[str, str]
    rest: str = ""  # what follows the subresource in the path


class Cluster:
    """All state, in one asyncio loop, without locks: every method runs to its end before another begins."""

    def __init__(self) -> None:
        self.store = Store()
        self.registry = Registry()
        self.admission = Admission(self.store, self.registry)
        self.writer = Writer(self.store, self.registry, self.admission)
        self.deleter = Deleter(self.store)
        self.subresources: dict[tuple[str, str], Subresource] = {}
        self.discovered: dict[str, tuple[str, ...]] = {}  # aggregated group → what it says it serves
        self.served: dict[str, Subresource] = {}
        self.controls: dict[str, Control] = {}
        self.closing: list[Callable[[], None]] = []
        self.doors: dict[str, Any] = {}  # ASGI applications beside the API, each on a port of its own
        self.door_opened: dict[str, Callable[[str], None]] = {}  # told the URL of such a port
        self._wakes: dict[str, list[Wake]] = {}
        self._everything: list[Callable[[str, Change], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._pending: list[tuple[float, Callable[[], None]]] = []
        self._coroutines: list[Coroutine[Any, Any, Any]] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.store.after_change = self._changed
        for resource in self.registry.by_key:
            self.store.shelf(resource)

    # reads

    def resource(self, key: str) -> Resource:
        found = self.registry.by_key.get(key)
        if found is None:
            raise errors.unknown_resource()
        return found

    def get(self, resource: str, namespace: str | None, name: str) -> Object | None:
        stored = self.store.get(resource, f"{namespace}/{name}" if namespace else name)
        return stored.copy() if stored else None

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        return [stored.copy() for stored in self.store.shelf(resource).items(namespace)]

    # writes

    def _call(self, resource: str, obj: Object, manager: str, subresource: str = "") -> Call:
        found = self.resource(resource)
        meta = obj.get("metadata") or {}
        namespace = meta.get("namespace") if found.namespaced else None
        return Call(found, namespace, meta.get("name", ""), subresource, manager, internal=True, validation="Ignore")

    def create(self, resource: str, obj: Object, *, manager: str) -> Object:
        call = self._call(resource, obj, manager)
        return self.writer.create(call, self._typed(call, obj)).copy()

    def update(self, resource: str, obj: Object, *, manager: str, subresource: str | None = None) -> Object:
        call = self._call(resource, obj, manager, subresource or "")
        body = self._typed(call, obj)
        if not (body.get("metadata") or {}).get("resourceVersion"):
            # Without a version the caller wants the last word, which custom resources grant only with a version.
            stored = self.writer.existing(call)
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": stored.meta["resourceVersion"]}}
        return self.writer.update(call, body).copy()

    def _typed(self, call: Call, obj: Object) -> Object:
        return {**orjson.loads(orjson.dumps(obj)), "kind": call.resource.kind, "apiVersion": call.resource.api_version}

    def delete(
        self, resource: str, namespace: str | None, name: str, *, uid: str | None = None, propagation: str | None = None
    ) -> None:
        call = Call(self.resource(resource), namespace, name, internal=True)
        self.deleter.delete(call, DeleteOptions(uid=uid or "", propagation=propagation or ""))

    def controller_write(self, resource: str, obj: Object, *, manager: str, subresource: str = "") -> None:
        """Stores what a built-in controller worked out: ownership is tracked, nothing is validated again."""
        found = self.resource(resource)
        meta = obj["metadata"]
        key = key_of(meta.get("namespace"), meta["name"])
        old = self.store.get(resource, key)
        if old is None:
            return
        tracker = Tracker(found.node, found.api_version, subresource, found.status, now())
        entries = tracker.updated(old.obj, obj, manager)
        obj = {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}
        if not same(obj, old.obj):
            self.store.put(resource, key, obj)

    # controllers

    def subscribe(self, resources: Iterable[str], wake: Wake) -> None:
        """`wake(resource, namespace, name)` is called after every change, outside the write that made it."""
        for resource in resources:
            self._wakes.setdefault(resource, []).append(wake)

    def wake_all(self, resource: str, namespace: str | None, name: str) -> None:
        """Calls whoever subscribed to the resource, as a change of that object would."""
        for wake in self._wakes.get(resource, ()):
            self.after(0, _waking(wake, resource, namespace, name))

    def observe(self, listener: Callable[[str, Change], None]) -> None:
        """Every change of every resource with its before and after, at once (the sandbox's own controllers)."""
        self._everything.append(listener)

    def register_admission(
        self,
        resource: str,
        *,
        mutate: Mutator | None,
        validate: Validator | None,
        mutator: str = "",
        validator: str = "",
        url: str = "",
    ) -> None:
        """`mutator` and `validator` name the webhooks this stands for, `url` where they would be asked."""
        self.admission.register(resource, Hook(mutate, validate, mutator, validator, url))

    def register_subresource(self, resource: str, subresource: str, handler: Subresource) -> None:
        """`resource` may name an aggregated group: "virtualmachines.subresources.kubevirt.io"."""
        self.subresources[resource, subresource] = handler

    def serve(self, resource: Resource, handler: Subresource) -> None:
        """A resource of an aggregated API: nothing of it is stored, `handler` answers every request."""
        self.registry.add(resource)
        self.served[resource.key] = handler

    def register_control(self, name: str, handler: Control) -> None:
        """An order under /_sandbox/<name>, for controllers that can be told to misbehave."""
        self.controls[name] = handler

    def install_crd(self, crd: Object) -> None:
        """Creates or updates a CustomResourceDefinition as its operator would."""
        key = "customresourcedefinitions.apiextensions.k8s.io"
        if self.get(key, None, crd["metadata"]["name"]) is None:
            self.create(key, crd, manager="sandbox-installer")
        else:
            self.update(key, crd, manager="sandbox-installer")

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        if self.loop is None:
            self._pending.append((seconds, callback))
            return
        handle: asyncio.TimerHandle

        def run() -> None:
            self._timers.discard(handle)
            callback()

        handle = self.loop.call_later(seconds, run)
        self._timers.add(handle)

    def from_thread(self, callback: Callable[[], None]) -> None:
        """Runs the callback in the cluster's loop; from a thread, and no more once the loop has ended."""
        with contextlib.suppress(RuntimeError):
            if self.loop is not None:
                self.loop.call_soon_threadsafe(callback)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> None:
        if self.loop is None:
            self._coroutines.append(coro)
            return
        task = self.loop.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(self) -> None:
        """Binds to the running loop; what was asked for before begins now."""
        self.loop = asyncio.get_running_loop()
        pending, self._pending = self._pending, []
        coroutines, self._coroutines = self._coroutines, []
        for seconds, callback in pending:
            self.after(seconds, callback)
        for coro in coroutines:
            self.spawn(coro)

    def stop(self) -> None:
        for close in self.closing:
            close()
        for handle in self._timers:
            handle.cancel()
        for task in self._tasks:
            task.cancel()

    def _changed(self, resource: str, change: Change) -> None:
        for listener in self._everything:
            listener(resource, change)
        wakes = self._wakes.get(resource)
        if wakes:
            meta = change.after.meta
            for wake in wakes:
                self.after(0, _waking(wake, resource, meta.get("namespace"), meta["name"]))


def _waking(wake: Wake, resource: str, namespace: str | None, name: str) -> Callable[[], None]:
    return lambda: wake(resource, namespace, name)
