"""The sandbox's own HTTP interface under /_sandbox/: faults, compaction, a look inside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from clusters.sandbox import errors, kubeconfig, wire
from clusters.sandbox.call import User
from clusters.sandbox.client_certificates import ClientAuthority
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.faults import Faults, from_order
from clusters.sandbox.watching import Watch
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
YEAR_SECONDS = 365 * 24 * 3600


class Controls:
    """POST faults | watches/drop | watches/stall | watches/release | compact | clear | kubeconfig | unread; GET show."""

    def __init__(
        self, cluster: Cluster, faults: Faults, watches: set[Watch], authority: ClientAuthority | None = None
    ) -> None:
        self.cluster = cluster
        self.faults = faults
        self.watches = watches
        self.authority = authority

    def answer(self, request: Request, user: User) -> Answer:
        if not user.admin:
            raise errors.error(403, "Forbidden", "the sandbox's controls are for the holder of its token", {})
        what = request.path.removeprefix("/_sandbox/").strip("/")
        order = wire.parse(request.body, yaml_allowed=False) if request.body else {}
        if not isinstance(order, dict):
            raise errors.bad_request("the order must be a JSON object")
        try:
            return Answer(200, orjson.dumps(self._do(request.method, what, order)))
        except (TypeError, ValueError) as problem:
            raise errors.bad_request(str(problem)) from problem

    def _do(self, method: str, what: str, order: Object) -> Object:
        if method == "GET" and what == "show":
            return self._show()
        control = self.cluster.controls.get(what)
        if control is not None:
            return control(order)
        if method != "POST":
            raise errors.method_not_allowed()
        if what == "faults":
            self.faults.active.append(from_order(order))
            return self._show()
        if what == "kubeconfig":
            return self._kubeconfig(**order)
        if what == "unread":
            self.cluster.store.begin_sync(float(order.get("seconds", "")))
            return {"roles_read": self.cluster.store.roles_read}
        if what == "compact":
            return {"version": self.cluster.store.compact(order.get("resource"))}
        if what == "clear":
            self.faults.clear()
            return {"watches": self._release(order)}
        actions = {"watches/drop": self._drop, "watches/stall": self._stall, "watches/release": self._release}
        if what in actions:
            return {"watches": actions[what](order)}
        raise errors.unknown_resource()

    def _kubeconfig(
        self, *, server: str, name: str, groups: list[str], lasting_seconds: int = YEAR_SECONDS, ca: str = ""
    ) -> Object:
        """Of a user by a client certificate that is made now. `ca`: of the server, in PEM."""
        if self.authority is None:
            raise errors.bad_request("client certificates need --tls")
        certificate, key = self.authority.issue(name, groups, timedelta(seconds=lasting_seconds))
        return kubeconfig.by_certificate(server, ca, name, certificate, key)

    def _chosen(self, order: Object) -> list[Watch]:
        """All watches, or those of one resource key."""
        wanted = order.get("resource")
        return [watch for watch in self.watches if wanted in {None, watch.resource.key}]

    def _drop(self, order: Object) -> int:
        chosen = self._chosen(order)
        for watch in chosen:
            watch.dropped = True
            watch.close()
        return len(chosen)

    def _stall(self, order: Object) -> int:
        self.faults.stall_watches = "resource" not in order
        chosen = self._chosen(order)
        for watch in chosen:
            watch.stalled = True
        return len(chosen)

    def _release(self, order: Object) -> int:
        self.faults.stall_watches = False
        chosen = self._chosen(order)
        for watch in chosen:
            watch.stalled = False
            watch.signal.set()
        return len(chosen)

    def _show(self) -> Object:
        shelves = self.cluster.store.shelves
        return {
            "objects": {key: len(shelf.objects) for key, shelf in sorted(shelves.items()) if shelf.objects},
            "faults": self.faults.show(),
            "watches": len(self.watches),
            "stalled": self.faults.stall_watches,
            "resourceVersion": self.cluster.store.version,
        }
