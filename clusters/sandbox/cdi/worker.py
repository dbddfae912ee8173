"""A level-triggered queue of object keys, as controller-runtime has: a wake is a hint, the run reads everything.

A key waits at most once however often it is woken; a run that fails comes back later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Key = tuple[str, str]
Run = Callable[[str, str], "float | None"]
log = logging.getLogger(__name__)
CONFLICT_RETRY = 0.02
ERROR_RETRY = 1.0


class Worker:
    """Runs `run(namespace, name)` for woken keys; its result, when not None, is the seconds until the next look."""

    def __init__(self, cluster: Cluster, name: str, run: Run) -> None:
        self.cluster = cluster
        self.name = name
        self.run = run
        self.due: dict[Key, int] = {}
        self._ticket = 0

    def wake(self, namespace: str | None, name: str, seconds: float = 0.0) -> None:
        """An immediate wake replaces a later one; a later one never delays an earlier."""
        key = (namespace or "", name)
        if key in self.due and seconds > 0:
            self._later(key, seconds)
            return
        if self.due.get(key) == 0:
            return
        self.due[key] = 0
        self.cluster.after(0, lambda: self._execute(key))

    def wake_later(self, namespace: str | None, name: str, seconds: float) -> None:
        self._later((namespace or "", name), seconds)

    def _later(self, key: Key, seconds: float) -> None:
        if self.due.get(key) == 0:
            return  # about to run anyway, and it will ask again
        self._ticket += 1
        ticket = self.due[key] = self._ticket

        def fire() -> None:
            if self.due.get(key) == ticket:
                self._execute(key)

        self.cluster.after(seconds, fire)

    def subscribe(self, resource: str) -> None:
        """Wakes for every object there is (a restarted cluster goes on where it was) and for every change."""
        for obj in self.cluster.list(resource):
            self.wake(obj["metadata"].get("namespace"), obj["metadata"]["name"])
        self.cluster.subscribe([resource], lambda _resource, namespace, name: self.wake(namespace, name))

    def _execute(self, key: Key) -> None:
        self.due.pop(key, None)
        try:
            again = self.run(*key)
        except ApiError as error:
            again = CONFLICT_RETRY if error.code == 409 else ERROR_RETRY
            if error.code not in (404, 409):
                log.warning("%s %s/%s: %s", self.name, *key, error)
        except Exception:
            log.exception("%s %s/%s", self.name, *key)  # one bad object must not stop the others
            again = ERROR_RETRY
        if again is not None:
            self._later(key, again)
