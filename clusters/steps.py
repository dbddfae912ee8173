"""What a reconcile asks of the world, as data. Each row's reconcile is a generator that yields these and is sent answers.

So one row's work reads from top to bottom, while the driver (`rounds`) carries out what many rows ask for at the same
time together: one statement for all of them, and requests to the cluster side by side.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from clusters.apply import Held, Seen, Wanted
from clusters.client import Client
from clusters.conditions import Outcome
from clusters.happenings import Told, Written
from clusters.models import Reconciled
from clusters.observed import View, seen
from clusters.queue import Lease

T = TypeVar("T")
Steps = Generator["Step", Any, T]
Looks = Generator[Callable[[Client], Any], Any, T]  # requests that follow from each other; each answer is sent back in


@dataclass(frozen=True)
class Applied:
    """An answer of an apply, to be recorded: the uid it proved and the hashes that say it is as we left it."""

    held: Held
    live: dict[str, Any]
    wanted: Wanted | None  # None: only the uid is proven (found by its claim token), not what it holds

    @cached_property
    def seen(self) -> Seen:
        """As the cache keeps it."""
        return seen(self.live)

    @cached_property
    def known(self) -> Held:
        """The inventory's row once this is recorded."""
        if self.wanted is None:
            return replace(self.held, uid=self.seen.uid, checked_seconds_ago=0.0)
        return replace(
            self.held,
            uid=self.seen.uid,
            applied_hash=self.wanted.digest,
            owned_hash=self.seen.owned_hash,
            checked_seconds_ago=0.0,
        )


@dataclass(frozen=True)
class Look:
    """The row's inventory, and what the cache has of its objects."""

    lease: Lease
    row: Reconciled


@dataclass(frozen=True)
class Claim:
    """Record in the inventory what is about to be created. Answers what is ours now; another row's is left out."""

    lease: Lease
    row: Reconciled
    new: Sequence[Wanted]


@dataclass(frozen=True)
class Record:
    """Record uids and hashes of what was applied, and put the answers into the cache."""

    lease: Lease
    row: Reconciled
    applied: Sequence[Applied]


@dataclass(frozen=True)
class Call:
    """One request to the cluster. A write is fenced: the lease is renewed right before. `about`: what is told of it."""

    lease: Lease
    send: Callable[[Client], Any]
    write: bool
    about: Written | None = None


@dataclass(frozen=True)
class Finish:
    """Record the outcome, and complete or keep the work item. Answers whether a newer generation asks again.

    `pause`: look again after so many seconds. `hold`: the lease is kept, something is still to be done under it.
    `parent`: sleep until that row is ready. `suspended`: sleep until a person resumes it; nothing was observed.
    `told`: what happened on the way, added by the driver.
    """

    lease: Lease
    row: Reconciled
    outcome: Outcome
    pause: float | None = None
    hold: bool = False
    parent: tuple[str, UUID] | None = None
    suspended: bool = False
    told: Sequence[Told] = ()


Step = Look | Claim | Record | Call | Finish


def look(lease: Lease, row: Reconciled) -> Steps[tuple[tuple[Held, ...], View]]:
    answer: tuple[tuple[Held, ...], View] = yield Look(lease, row)
    return answer


def claim(lease: Lease, row: Reconciled, new: Sequence[Wanted]) -> Steps[list[Held]]:
    if not new:
        return []
    answer: list[Held] = yield Claim(lease, row, new)
    return answer


def record(lease: Lease, row: Reconciled, applied: Sequence[Applied]) -> Steps[None]:
    if applied:
        yield Record(lease, row, applied)


def read(lease: Lease, send: Callable[[Client], T]) -> Steps[T]:
    answer: T = yield Call(lease, send, write=False)
    return answer


def read_all(lease: Lease, looks: Looks[T]) -> Steps[T]:
    """Looks that follow from each other, a request each: none of them costs the others of a round their leases."""
    answer = None
    while True:
        try:
            send = looks.send(answer)
        except StopIteration as end:
            found: T = end.value
            return found
        answer = yield from read(lease, send)


def write(lease: Lease, send: Callable[[Client], T], about: Written | None = None) -> Steps[T]:
    answer: T = yield Call(lease, send, write=True, about=about)
    return answer
