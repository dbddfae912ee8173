"""The watcher: keeps the observed cache of one cluster and requests the owners of what changed. It decides nothing.

One process per cluster does this, the one that holds the cluster's advisory lock. The lock and all writes use the same
database connection, so that whoever loses it loses both (ENGINE §4).
"""

import logging
import queue as threads
import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from clusters import connections, inventory, kinds, observed, queue
from clusters.apply import Owner
from clusters.errors import KubeError
from clusters.events import EVENTS, Ear
from clusters.models import Cluster, InventoryItem, ObservedObject
from clusters.pulse import Chart, Pulse
from clusters.refs import WATCHED, ObjectKind, Ref, ref_of

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25  # events of one owner within this time are one request
WATCH_SECONDS = 240
RELIST_SECONDS = 900.0
HEARTBEAT_SECONDS = 10.0
GONE_PAUSE, LONGEST_PAUSE = 30.0, 10.0


@dataclass(frozen=True)
class Listed:
    """A complete list of a kind: what it lacks and the cache has in an older version is gone."""

    kind: ObjectKind
    refs: frozenset[Ref]
    version: int


@dataclass
class Batch:
    """What was seen since the last flush. The latest word on each object wins."""

    seen: dict[Ref, Mapping[str, Any]] = field(default_factory=dict)
    gone: dict[Ref, UUID] = field(default_factory=dict)
    listed: list["Listed"] = field(default_factory=list)
    told: list[Mapping[str, Any]] = field(default_factory=list)  # Kubernetes' own events: for timelines alone

    def __bool__(self) -> bool:
        return bool(self.seen or self.gone or self.listed)

    def add(self, event: "Event") -> None:
        if isinstance(event, Listed):
            self.listed.append(event)
            return
        deleted, live = event
        if live["kind"] == EVENTS.kind and live["apiVersion"] == EVENTS.api_version:
            if not deleted:  # they are forgotten after an hour there; nothing has happened
                self.told.append(live)
            return
        ref = ref_of(live)
        if deleted:
            self.seen.pop(ref, None)
            self.gone[ref] = UUID(live["metadata"]["uid"])
        else:
            self.gone.pop(ref, None)
            self.seen[ref] = live


Event = Listed | tuple[bool, dict[str, Any]]  # a list, or (is it deleted, the object)


class KindWatch(threading.Thread):
    """Lists and watches one kind, for ever, handing what it sees to the writer. Knows no database."""

    def __init__(self, watcher: "Watcher", kind: ObjectKind) -> None:
        super().__init__(name=f"watch {kind.plural}", daemon=True)
        self.watcher, self.kind = watcher, kind
        self.pause = 0.5

    def run(self) -> None:
        while not self.watcher.stopping.is_set():
            try:
                version = self._list()
                self._watch(version)
                self.pause = 0.5
            except KubeError as error:
                self._wait(error)
            except Exception:
                log.exception("watching %s failed", self.kind.plural)
                self.watcher.stopping.wait(LONGEST_PAUSE)

    def _wait(self, error: KubeError) -> None:
        missing = error.status == 404  # the kind is not served here: no KubeVirt, say
        if not missing:
            log.warning("%s: %s", self.kind.plural, error)
        self.watcher.stopping.wait(GONE_PAUSE if missing else self.pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def _list(self) -> str:
        objects, version = self.watcher.client.list(self.kind)
        typed = [_typed(live, self.kind) for live in objects]
        for live in typed:
            self.watcher.hand_over((False, live))
        if self.kind != EVENTS:  # an event that is no longer listed is forgotten, not gone
            self.watcher.hand_over(Listed(self.kind, frozenset(map(ref_of, typed)), int(version)))
        return version

    def _watch(self, version: str) -> None:
        """Watches from a version on, again and again, until it is expired or a relist is due."""
        until = time.monotonic() + RELIST_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311  # jitter
        while time.monotonic() < until and not self.watcher.stopping.is_set():
            for event in self.watcher.client.watch(self.kind, version, seconds=WATCH_SECONDS):
                if event["type"] == "ERROR":
                    if event["object"].get("code") == 410:
                        return  # expired: list again (k8s-transcript 08)
                    raise KubeError(event["object"].get("code", 500), "WatchError", str(event["object"].get("message")))
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.watcher.hand_over((event["type"] == "DELETED", _typed(event["object"], self.kind)))


def _typed(live: dict[str, Any], kind: ObjectKind) -> dict[str, Any]:
    """Items of a list of core kinds carry no apiVersion and kind (facts/kubernetes.md §4)."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **live}


class Watcher:
    """Leads one cluster's watches. `run` returns when it is stopped or has lost the lead."""

    def __init__(self, cluster_id: UUID, kinds_: Iterable[ObjectKind] = (*WATCHED, EVENTS)) -> None:
        self.cluster_id = cluster_id
        self.kinds = tuple(kinds_)
        self.events: threads.Queue[Event] = threads.Queue(maxsize=20_000)
        self.stopping = threading.Event()
        self.ear = Ear(cluster_id)
        self.client = connections.client_of(cluster_id)
        self.pulse = Pulse(self.client, str(cluster_id), self.stopping)
        self.chart = Chart(cluster_id)

    def run(self) -> None:
        """Take the lead or wait for it; then write what the kinds' threads hand over."""
        while not self.stopping.is_set():
            if self._lead():
                break
            self.stopping.wait(2)
        for thread in (self.pulse, *(KindWatch(self, kind) for kind in self.kinds)):
            thread.start()
        try:
            self._write()
        finally:
            self.stopping.set()
            connection.close()

    def hand_over(self, event: Event) -> None:
        """From a kind's thread to the writer. Waits while the writer is behind, and ends with it."""
        while not self.stopping.is_set():
            try:
                self.events.put(event, timeout=1)
            except threads.Full:
                continue
            return

    def _lead(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"watch {self.cluster_id}"])
            return bool(cursor.fetchone()[0])

    def _write(self) -> None:
        beat = 0.0
        while not self.stopping.is_set():
            batch = self._collect()
            self.flush(batch)
            if (heard := self.pulse.take()) is not None:
                self.chart.note(heard)
            if time.monotonic() - beat > HEARTBEAT_SECONDS:
                beat = time.monotonic()
                Cluster.objects.filter(pk=self.cluster_id).update(watched_at=Now())

    def _collect(self) -> Batch:
        """Events of the next quarter of a second, beginning with the first that comes."""
        batch, until = Batch(), time.monotonic() + FLUSH_SECONDS
        while len(batch.seen) + len(batch.told) < 2000:
            try:
                event = self.events.get(timeout=max(until - time.monotonic(), 0.0))
            except threads.Empty:
                break
            batch.add(event)
        return batch

    def flush(self, batch: Batch) -> None:
        """The owners of what changed are requested and the cache is brought up to date; then what events tell."""
        if batch:
            self._bring_up_to_date(batch)
        self.ear.hear(batch.told)

    def _bring_up_to_date(self, batch: Batch) -> None:
        """One transaction, requests first."""
        fresh = self._changed(batch)
        missing = [item for listed in batch.listed for item in self._not_listed(listed)]
        gone = [*batch.gone.items(), *missing]
        with transaction.atomic():
            queue.request_keys(self._owners(fresh, gone), hint=True)
            observed.lock(self.cluster_id, [ref_of(live) for live in fresh] + [ref for ref, _ in gone])
            observed.store(self.cluster_id, fresh)
            observed.drop(self.cluster_id, gone)

    def _changed(self, batch: Batch) -> list[Mapping[str, Any]]:
        """Objects the cache does not have in this version yet: the answer of our own apply is there already."""
        names = list(batch.seen)
        known = {
            Ref(*key): (str(uid), version)
            for *key, uid, version in ObservedObject.objects.filter(
                cluster_id=self.cluster_id,
                kind__in={ref.kind for ref in names},
                name__in=[ref.name for ref in names],
            ).values_list("group", "kind", "namespace", "name", "uid", "resource_version")
        }
        return [
            live
            for ref, live in batch.seen.items()
            if ref not in known
            or known[ref][0] != live["metadata"]["uid"]
            or known[ref][1] < int(live["metadata"]["resourceVersion"])
        ]

    def _not_listed(self, listed: Listed) -> list[tuple[Ref, UUID]]:
        """What the cache has and the list lacks. What the cache has in a newer version was made since: it stays."""
        rows = ObservedObject.objects.filter(
            cluster_id=self.cluster_id,
            group=listed.kind.group,
            kind=listed.kind.kind,
            resource_version__lte=listed.version,
        ).values_list("group", "kind", "namespace", "name", "uid")
        found = ((Ref(*key), uid) for *key, uid in rows)
        return [(ref, uid) for ref, uid in found if ref not in listed.refs]

    def _owners(self, fresh: list[Mapping[str, Any]], gone: list[tuple[Ref, UUID]]) -> list[queue.Key]:
        owners = set(
            inventory.owners_of(self.cluster_id, [ref_of(live) for live in fresh] + [r for r, _ in gone]).values()
        )
        controllers = {controller for live in fresh if (controller := observed.controller_of(live))}
        controllers |= {
            str(uid)
            for uid in ObservedObject.objects.filter(
                cluster_id=self.cluster_id, uid__in=[uid for _, uid in gone], controller_uid__isnull=False
            ).values_list("controller_uid", flat=True)
        }
        return _keys(owners | self._through_chain(controllers))

    def _through_chain(self, controllers: set[str]) -> set[Owner]:
        """The owners that controllers lead to: VMI → VM, PVC → DataVolume, and pod → VMI → VM."""
        if not controllers:
            return set()
        above = ObservedObject.objects.filter(
            cluster_id=self.cluster_id, uid__in=controllers, controller_uid__isnull=False
        ).values_list("controller_uid", flat=True)
        return {
            Owner(kind, pk)
            for kind, pk in InventoryItem.objects.filter(
                cluster_id=self.cluster_id, tombstoned_at__isnull=True, uid__in=[*controllers, *above]
            ).values_list("owner_kind", "owner_id")
        }


def _keys(owners: set[Owner]) -> list[queue.Key]:
    """Work item keys of owners that still exist."""
    by_kind: dict[str, set[UUID]] = {}
    for owner in owners:
        by_kind.setdefault(owner.kind, set()).add(owner.id)
    return [
        queue.key_of(row)
        for kind, ids in by_kind.items()
        for row in kinds.by_name(kind).rows()._default_manager.filter(pk__in=ids)
    ]
