"""Many rows' reconciles side by side: what they ask for at the same time is carried out together (`steps`).

A round takes each row's next step. Steps on the database are one statement for all rows of a kind; requests to the
cluster go out in parallel, their leases renewed in one statement right before, so that a worker that was stopped lands at
most one request of each row. A large batch goes in two halves, so that cluster and database are both busy. One row's
fault is that row's alone.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection

from clusters import fence, happenings, inventory, observed, status
from clusters.client import Client
from clusters.errors import Fenced, KubeError
from clusters.happenings import Told
from clusters.models import Reconciled
from clusters.observed import View
from clusters.queue import Lease
from clusters.steps import Call, Claim, Finish, Look, Record, Step, Steps

CALLS_AT_ONCE = 8
WHOLE = 19  # so many rows or fewer are not worth halving: half of them take as many statements
SLOW_SECONDS = fence.LEASE_SECONDS / 3


@dataclass
class Work:
    """One row's reconcile on its way. `fault`: one of our own, recorded on the row; `fenced`: the lease was lost.

    `told`: what happened to the row and is not written down yet; it goes with its outcome, or else at the batch's end.
    `renewed_at`, `proven_at`: when a statement began that prolonged the lease, and that last found it to be ours.
    """

    lease: Lease
    row: Reconciled
    steps: Steps[None]
    next: Step | None = None
    fault: Exception | None = None
    fenced: bool = False
    ended: bool = False
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    told: list[Told] = field(default_factory=list)
    renewed_at: float = field(init=False)
    proven_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.renewed_at = self.proven_at = self.lease.renewed_at

    @property
    def writes(self) -> bool:
        return isinstance(self.next, Call) and self.next.write

    def proven(self, at: float) -> bool:
        """Whether a write may be sent now without asking whose the lease is."""
        return at - self.proven_at <= fence.PROVEN_SECONDS and at - self.renewed_at <= fence.RENEWED_SECONDS

    def advance(self, answer: Any = None) -> None:
        """Go on to the next step. An answer that is an exception is raised where the row waits for it."""
        try:
            self.next = self.steps.throw(answer) if isinstance(answer, Exception) else self.steps.send(answer)
        except StopIteration:
            self._end()
        except Fenced:
            self._end(fenced=True)
        except Exception as fault:
            self._end(fault)

    def _end(self, fault: Exception | None = None, *, fenced: bool = False) -> None:
        self.next, self.fault, self.fenced, self.ended = None, fault, fenced, True
        self.seconds = time.monotonic() - self.began


def run(works: Sequence[Work], client: Client) -> None:
    """To the end of them all. A fault that a row's own reconcile did not handle is left in its `fault`.

    Many go in two halves by turns: while one waits for the cluster, the other is with the database.
    """
    half = -(-len(works) // 2) if len(works) > WHOLE else len(works)
    with _Requests(client) as requests:
        leases = _Leases(works)
        courses = deque(_course(some, requests, leases) for some in (works[:half], works[half:]) if some)
        while courses:
            course = courses.popleft()
            with contextlib.suppress(StopIteration):
                next(course)
                courses.append(course)
    _tell(works)


def _course(works: Sequence[Work], requests: "_Requests", leases: "_Leases") -> Iterator[None]:
    """These rows, round by round, to their end. Pauses while the cluster has not answered."""
    answered: Answered = [(work, None) for work in works]
    while True:
        for work, answer in answered:
            work.advance(answer)
            leases.keep()
        going = [work for work in works if work.next is not None]
        if not going:
            return
        answered, sent = _round(going, requests)
        if sent is not None:
            yield
            answered = [*answered, *sent.answers()]


class _Leases:
    """Prolonged now and then: a row that takes its time must not cost the others theirs."""

    def __init__(self, works: Sequence[Work]) -> None:
        self._works = works
        self._due = time.monotonic() + SLOW_SECONDS

    def keep(self) -> None:
        if time.monotonic() > self._due:
            _renew([work for work in self._works if not work.ended])  # those that have not begun, too
            self._due = time.monotonic() + SLOW_SECONDS


def _renew(works: Sequence[Work]) -> set[UUID]:
    """Prolong their leases; the tokens of those that are still ours."""
    at = time.monotonic()
    ours = fence.renew([work.lease.token for work in works])
    for work in works:
        if work.lease.token in ours:
            work.renewed_at = work.proven_at = at
    return ours


def _tell(works: Sequence[Work]) -> None:
    """What no outcome took along: of rows that were dropped or lost their lease. One statement, mostly none."""
    happenings.record([line for work in works for line in happenings.lines(work.lease.kind, work.row, work.told)])


Answered = Iterable[tuple[Work, Any]]


def _round(going: Sequence[Work], requests: "_Requests") -> "tuple[list[tuple[Work, Any]], _Sent | None]":
    """The next step of each: requests are sent off, and answered later; then comes what the database is asked."""

    def sort(work: Work) -> tuple[bool, str, str]:
        name = type(work.next).__name__
        return (name != Call.__name__, name, "" if isinstance(work.next, Call) else work.lease.kind)

    answered: list[tuple[Work, Any]] = []
    sent = None
    for (_later, name, _kind), group in groupby(sorted(going, key=sort), key=sort):
        works = list(group)
        if name == Call.__name__:
            lost, sent = requests.send(works)
            answered += lost
            continue
        if name == Finish.__name__:
            _take_along(works)
        answered += _together(works, DATABASE[name])
    return answered, sent


def _take_along(works: Sequence[Work]) -> None:
    for work in works:
        assert isinstance(work.next, Finish)
        work.next = replace(work.next, told=tuple(work.told))
        work.told.clear()


def _together(works: list[Work], carry_out: Callable[[Sequence[Any]], Sequence[Any]]) -> Answered:
    """One statement for all. If that fails, each alone: the row at fault is told, the others go on."""
    at = time.monotonic()
    try:
        answers = carry_out([work.next for work in works])
    except Exception as error:
        if isinstance(error, DatabaseError) and not connection.is_usable():
            raise  # the database is away: nothing that these rows could do about it
        if len(works) == 1:
            return [(works[0], error)]
        return [pair for work in works for pair in _together([work], carry_out)]
    for work, answer in zip(works, answers, strict=True):
        if isinstance(work.next, Claim | Record) and not isinstance(answer, Exception):
            work.proven_at = at
    return list(zip(works, answers, strict=True))


def _look(asked: Sequence[Look]) -> list[Any]:
    held = inventory.of([step.row for step in asked])
    seen = observed.views(asked[0].lease.cluster_id, held)
    return [(held.get(step.row.pk, ()), seen.get(step.row.pk) or View({})) for step in asked]


def _record(asked: Sequence[Record]) -> list[Any]:
    """The inventory first; then the answers go into the cache, in a transaction of their own (ENGINE §1)."""
    answers = inventory.record(asked)
    observed.keep(
        asked[0].lease.cluster_id,
        {
            item.held.ref: item.seen
            for step, answer in zip(asked, answers, strict=True)
            for item in step.applied
            if answer is None and item.held.ref.type.watched
        },
    )
    return answers


DATABASE: dict[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    Look.__name__: _look,
    Claim.__name__: inventory.claim,
    Record.__name__: _record,
    Finish.__name__: status.finish,
}


# --- requests to the cluster ----------------------------------------------------------------------------------------


class _TooLate(Exception):
    """So long after its proof that the lease has to be renewed before this write."""


class _Sent:
    """Requests that are under way, side by side. `trouble`: the cluster's own, which those are told that were not sent yet."""

    def __init__(self, works: Sequence[Work], send: Callable[[Work, "_Sent"], Any]) -> None:
        self.trouble: KubeError | None = None
        self._works = works
        self._send = send
        self._answers: list[Any] = [None] * len(works)
        # `next` of an enumeration is one step of the interpreter: threads may share it.
        self._waiting = iter(enumerate(works))
        self.threads = [_pool().submit(self._take) for _ in works[:CALLS_AT_ONCE]]

    def _take(self) -> None:
        """Each thread takes the next that is waiting: one hand-over a thread, not one a request."""
        for place, work in self._waiting:
            self._answers[place] = self._send(work, self)

    def answers(self) -> list[tuple[Work, Any]]:
        """Once all are there. What came too late for its proof is left where it is, for the next round."""
        for thread in self.threads:
            thread.result()
        pairs = zip(self._works, self._answers, strict=True)
        return [(work, answer) for work, answer in pairs if type(answer) is not _TooLate]


class _Requests:
    """A batch's requests to the cluster.

    Left in whatever way, none is under way any more: a row that goes to somebody else is not written to by us.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._threads: list[Future[None]] = []
        self._over = False

    def __enter__(self) -> "_Requests":
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        wait(self._threads)

    def send(self, works: Sequence[Work]) -> tuple[list[tuple[Work, Any]], _Sent]:
        """Send them off. Rows whose lease turns out to be lost are answered at once.

        A lease that a statement proved a moment ago need not be renewed first: the limit on the time between the proof
        and the write is the same.
        """
        now = time.monotonic()
        stale = [work for work in works if work.writes and not work.proven(now)]
        ours = _renew(stale) if stale else set()
        lost = [work for work in stale if work.lease.token not in ours]
        sent = _Sent([work for work in works if work not in lost], self._send)
        self._threads = [*(thread for thread in self._threads if not thread.done()), *sent.threads]
        return [(work, Fenced()) for work in lost], sent

    def _send(self, work: Work, sent: _Sent) -> Any:
        """The cluster's answer, or the error that the row is to be told. In a cluster in trouble no further one is sent."""
        if self._over:
            return _TooLate()
        if sent.trouble is not None:
            return sent.trouble
        began = time.time()
        answer = self._answer(work)
        if isinstance(answer, KubeError) and answer.unhealthy:
            sent.trouble = answer
        about = work.next.about if isinstance(work.next, Call) else None
        if about is not None and type(answer) is not _TooLate:
            work.told.append(happenings.written(about, answer, began, time.time(), work.row.generation))
        return answer

    def _answer(self, work: Work) -> Any:
        def fence_off() -> None:
            if not work.proven(time.monotonic()):
                raise _TooLate

        try:
            with self._client.fenced(fence_off) as fenced:
                return work.next.send(fenced)  # type: ignore[union-attr]  # a Call, by how rounds are sorted
        except Exception as error:
            return error


@cache
def _pool() -> ThreadPoolExecutor:
    """Of this process, made at its first use: after Celery's fork."""
    return ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="cluster")
