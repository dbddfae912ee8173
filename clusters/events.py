"""Kubernetes events for timelines: only those about objects of ours or what grew out of them. They decide nothing.

Events are many, and most are nobody's here: they stay out of the observed cache and request no row. One that comes before
the object it is about is known (its own pod, say) is kept back for a while and asked about again.
"""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from clusters import happenings, kinds, sql, status
from clusters.apply import Owner, digest
from clusters.happenings import Told, What
from clusters.models import Reconciled
from clusters.refs import ObjectKind

log = logging.getLogger(__name__)

EVENTS = ObjectKind("", "v1", "Event", "events", 9, watched=False)
KEPT_BACK_SECONDS = 15.0
ASK_AGAIN_SECONDS = 1.0
MOST_KEPT_BACK = 2000
MOST_KNOWN = 20_000
LATE_SECONDS = 10.0  # an event older than that is told by its own time, not as if it were now

# Up from an object to the row whose inventory has it, by controllers alone: pod → VMI → VM, importer pod → PVC → disk.
OWNERS = """
WITH RECURSIVE up(start, uid, depth) AS (
  SELECT u, u, 0 FROM unnest(%(uids)s::uuid[]) u
  UNION
  SELECT up.start, o.controller_uid, up.depth + 1 FROM up
    JOIN clusters_observedobject o ON o.cluster_id = %(cluster)s::uuid AND o.uid = up.uid
  WHERE o.controller_uid IS NOT NULL AND up.depth < 5)
SELECT DISTINCT ON (up.start) up.start, i.owner_kind, i.owner_id FROM up
  JOIN clusters_inventoryitem i ON i.cluster_id = %(cluster)s::uuid AND i.uid = up.uid ORDER BY up.start, up.depth
"""


@dataclass
class Ear:
    """What one cluster's watcher has heard of events: what it told already, and what it can't place yet.

    `placed`: whose the objects are that events were about. The last word on a guest comes when its object is gone.
    """

    cluster_id: UUID
    kept_back: dict[str, tuple[datetime, Mapping[str, Any]]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)  # uid → the version that was told
    placed: dict[UUID, Owner] = field(default_factory=dict)
    asked: float = 0.0

    def hear(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Write down what is about ours: two statements for all, and none where there is nothing new."""
        now = timezone.now()
        for event in events:
            meta = event["metadata"]
            if _about(event) is not None and self.known.get(meta["uid"]) != meta["resourceVersion"]:
                since = self.kept_back.get(meta["uid"], (now, event))[0]
                self.kept_back[meta["uid"]] = (since, event)
        if not self.kept_back or time.monotonic() - self.asked < ASK_AGAIN_SECONDS:
            return
        self.asked = time.monotonic()
        owners = self._owners({about for _, event in self.kept_back.values() if (about := _about(event))})
        rows = _rows(owners.values())
        found: dict[Owner, list[Mapping[str, Any]]] = {}
        for uid, (since, event) in list(self.kept_back.items()):
            about = _about(event)
            owner = owners.get(about) if about else None
            if owner in rows:
                found.setdefault(owner, []).append(event)
            elif (now - since).total_seconds() < KEPT_BACK_SECONDS and len(self.kept_back) < MOST_KEPT_BACK:
                continue
            del self.kept_back[uid]
            self.known[uid] = event["metadata"]["resourceVersion"]
        self._tell(found, rows)
        if len(self.known) > MOST_KNOWN:
            self.known = dict(list(self.known.items())[-MOST_KNOWN // 2 :])
        if len(self.placed) > MOST_KNOWN:
            self.placed = dict(list(self.placed.items())[-MOST_KNOWN // 2 :])

    def _owners(self, uids: Collection[UUID]) -> dict[UUID, Owner]:
        unknown = sorted(uid for uid in uids if uid not in self.placed)
        if unknown:
            found = sql.run(OWNERS, {"uids": unknown, "cluster": self.cluster_id}, prepare=False)
            self.placed |= {start: Owner(kind, pk) for start, kind, pk in found}
        return {uid: self.placed[uid] for uid in uids if uid in self.placed}

    def _tell(self, found: Mapping[Owner, list[Mapping[str, Any]]], rows: Mapping[Owner, Reconciled]) -> None:
        lines: list[dict[str, Any]] = []
        for owner, events in found.items():
            told = sorted(_all_told(sorted(events, key=_version)), key=lambda item: item.at)
            lines += happenings.lines(owner.kind, rows[owner], told)
        news = happenings.record(lines, events=True)
        for owner, row in rows.items():
            if owner.id in news:
                status.published(row)


def _version(event: Mapping[str, Any]) -> int:
    """Of one second's events, which came first."""
    return int(event["metadata"]["resourceVersion"])


def _about(event: Mapping[str, Any]) -> UUID | None:
    """The uid of the object that an event is about. Events about nodes and the like have names there."""
    try:
        return UUID((event.get("involvedObject") or {}).get("uid", ""))
    except ValueError:
        return None


def _rows(owners: Iterable[Owner]) -> dict[Owner, Reconciled]:
    by_kind: dict[str, set[UUID]] = {}
    for owner in owners:
        by_kind.setdefault(owner.kind, set()).add(owner.id)
    return {
        Owner(kind, row.pk): row
        for kind, ids in by_kind.items()
        for row in kinds.by_name(kind).rows()._default_manager.filter(pk__in=ids)
    }


def _all_told(events: Iterable[Mapping[str, Any]]) -> Iterator[Told]:
    """One that can't be read is left out: the watch goes on without it."""
    for event in events:
        try:
            yield _told(event)
        except (ValueError, TypeError, KeyError) as error:
            log.warning("the event %s could not be read: %s", event["metadata"]["name"], error)


def _told(event: Mapping[str, Any]) -> Told:
    """An event as a line. Its clock counts whole seconds, so a fresh one stands where it was heard."""
    about = event["involvedObject"]
    series = event.get("series") or {}
    now = timezone.now()
    first = _moment(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = _moment(series.get("lastObservedTime") or event.get("lastTimestamp"), first)
    source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
    reason, message = str(event.get("reason") or ""), happenings.plain(str(event.get("message") or ""))
    said = {"kind": about.get("kind", ""), "name": about.get("name", ""), "reason": reason, "message": message}
    return Told(
        What.EVENT,
        reason,
        first,
        said,
        ok=event.get("type") != "Warning",
        raw={"type": event.get("type"), "source": source, "namespace": about.get("namespace", "")},
        key=digest(["event", about["uid"], reason, happenings.gist(message)]),
        last_at=max(last, first),
        seen=now if now - first < timedelta(seconds=LATE_SECONDS) else first,
        count=min(max(int(series.get("count") or event.get("count") or 1), 1), 2**31 - 1),
    )


def _moment(text: str | None, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else otherwise
