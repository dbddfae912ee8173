"""What waits for one reader of the stream. Bounded: who reads too slowly is told to fetch everything anew. Pure."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import orjson

MOST = 500


@dataclass(frozen=True)
class Change:
    """A change as it came from Redis (`clusters.live.Change`), ids as text."""

    kind: str
    id: str
    generation: int
    phase: str
    organization_id: str
    deleted: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.id

    @cached_property
    def event(self) -> bytes:
        """What a viewer hears, made once for all of them. The row itself he fetches, with the rights he has then."""
        told = {
            "kind": self.kind,
            "id": self.id,
            "generation": self.generation,
            "phase": self.phase,
            "deleted": self.deleted,
        }
        return event("change", told)


def event(name: str, data: dict[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


@dataclass
class Inbox:
    """The latest change of each object, and signs: `resync` (changes may have been missed), `paused` (Redis is away),
    `resumed` (nothing was missed).
    """

    changes: dict[tuple[str, str], Change] = field(default_factory=dict)
    signs: list[str] = field(default_factory=list)
    closed: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, change: Change) -> None:
        self.changes.pop(change.key, None)
        self.changes[change.key] = change
        if len(self.changes) > MOST:
            self.sign("resync")
        self._woken.set()

    def sign(self, name: str) -> None:
        """A sign makes what waits superfluous: everything is fetched after it."""
        self.changes.clear()
        if name not in self.signs:
            self.signs.append(name)
        self._woken.set()

    def close(self) -> None:
        self.closed = True
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Until there is something, at most so long. False: it was closed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        return not self.closed

    def take(self) -> tuple[list[str], list[Change]]:
        self._woken.clear()
        signs, changes = self.signs, list(self.changes.values())
        self.signs, self.changes = [], {}
        return signs, changes
