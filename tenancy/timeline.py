"""One list per object: what people did to it, what OVIM made of that, and what its cluster told. Newest first.

Whoever may see the row sees what happened to it; what people did is all theirs to see who may read the audit log, and
their own for everybody else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from clusters import kinds
from clusters.happenings import What
from clusters.models import Happening, Placement
from core import access, audit
from core.actor import Actor
from core.models import AuditEntry, Outcome
from core.rights import Right
from tenancy import story
from tenancy.models import Organization
from tenancy.story import Words


class Source(StrEnum):
    PERSON = "person"
    SYSTEM = "system"
    CLUSTER = "cluster"


OF_SOURCE: Mapping[Source, tuple[str, ...]] = {
    Source.SYSTEM: (What.OUTCOME, What.WRITE),
    Source.CLUSTER: (What.EVENT,),
}


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `count` > 1: again and again until `last_at`. `raw`: what the sentence is made of."""

    id: UUID
    at: datetime
    source: Source
    who: str
    sentence: str
    ok: bool
    duration_ms: int | None
    count: int
    last_at: datetime
    raw: Mapping[str, Any]

    @property
    def took(self) -> str:
        """Of what a person did: until it was accepted; carrying it out is the system's."""
        if self.duration_ms is None:
            return ""
        word = "" if self.source != Source.PERSON else "accepted in " if self.ok else "refused in "
        return word + story.seconds(self.duration_ms)

    @property
    def text(self) -> str:
        """The raw text, to be read by people."""
        return json.dumps(self.raw, indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class Wish:
    """What of a timeline is asked for. `after`: the last entry of the page before."""

    source: Source | None = None
    errors: bool = False
    after: UUID | None = None
    limit: int = 50


def timeline(actor: Actor, row: Model, wish: Wish, words: Words) -> tuple[list[Entry], UUID | None]:
    """A page of it, of a row that was loaded with its right; and after which entry it goes on, if it does."""
    found: list[Entry] = []
    if wish.source in (None, Source.PERSON):
        found += [_of_person(entry) for entry in _cut(_acts(actor, row, wish), wish)]
    if wish.source is not Source.PERSON:
        found += [_of_engine(item, words) for item in _cut(_happenings(row, wish), wish)]
    found.sort(key=lambda entry: entry.id, reverse=True)
    more = len(found) > wish.limit
    found = found[: wish.limit]
    return found, found[-1].id if more else None


def _cut(rows: QuerySet[Any], wish: Wish) -> QuerySet[Any]:
    if wish.after is not None:
        rows = rows.filter(pk__lt=wish.after)
    return rows.order_by("-pk")[: wish.limit + 1]


def _acts(actor: Actor, row: Model, wish: Wish) -> QuerySet[AuditEntry]:
    about = AuditEntry.objects.filter(object_kind=row._meta.model_name, object_id=row.pk)
    if wish.errors:
        about = about.exclude(outcome=Outcome.DONE)
    return access.visible(actor, about, Right.SELF) | access.visible(actor, about, Right.AUDIT_VIEW)


def _happenings(row: Model, wish: Wish) -> QuerySet[Happening]:
    found = Happening.objects.filter(_owners(row))
    if wish.source is not None:
        found = found.filter(what__in=OF_SOURCE[wish.source])
    return found.filter(ok=False) if wish.errors else found


def _owners(row: Model) -> Q:
    """An organization's work is that of its placements, one a cluster."""
    if isinstance(row, Organization):
        placed = Placement.objects.filter(owner_kind="organization", owner_id=row.pk).values_list("pk", flat=True)
        return Q(owner_kind="placed-organization", owner_id__in=list(placed))
    return Q(owner_kind=kinds.of(row).name, owner_id=row.pk)  # type: ignore[arg-type]  # whatever else has one is reconciled


def _of_person(entry: AuditEntry) -> Entry:
    if entry.outcome == Outcome.DONE:
        done = story.act(entry.action, entry.before, entry.after)
    else:
        done = story.refusal(entry.action, entry.reason)
    return Entry(
        id=entry.pk,
        at=entry.at,
        source=Source.PERSON,
        who=entry.actor_name,
        sentence=f"{entry.actor_name} {done}",
        ok=entry.outcome == Outcome.DONE,
        duration_ms=entry.duration_ms,
        count=1,
        last_at=entry.at,
        raw={
            "action": entry.action,
            "before": entry.before,
            "after": entry.after,
            "outcome": entry.outcome,
            "reason": entry.reason,
            "request_id": entry.request_id,
        },
    )


def _of_engine(item: Happening, words: Words) -> Entry:
    if item.what == What.EVENT:
        sentence = story.event(item.code, item.said)
    elif item.what == What.WRITE:
        sentence = story.write(item.code, item.said, ok=item.ok)
    else:
        sentence = story.outcome(item.said, words)
    return Entry(
        id=item.pk,
        at=item.at,
        source=Source.CLUSTER if item.what == What.EVENT else Source.SYSTEM,
        who="",
        sentence=sentence,
        ok=item.ok,
        duration_ms=item.duration_ms,
        count=item.count,
        last_at=item.last_at,
        raw=audit.masked({**item.said, **item.raw}) or {},
    )
