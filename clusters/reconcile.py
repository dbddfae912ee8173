"""The only loop body: one row, from whatever state it and its objects are in, towards what it wants to be (ENGINE §1–§4).

It is handed a lease, reads everything again, and records an outcome on every path. Run twice it writes nothing;
killed after any step and run again it ends in the same place. What it asks of the world it yields (`steps`): many rows go
through it side by side (`rounds`).
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from clusters import (
    connections,
    happenings,
    inventory,
    kinds,
    observed,
    outcomes,
    queue,
    rounds,
    status,
    steps,
    volumes,
)
from clusters.apply import Action, ChangeSet, Held, Owner, Seen, Wanted, plan, with_volumes
from clusters.client import Object
from clusters.conditions import Condition, Outcome, false, true
from clusters.errors import Fenced, KubeError
from clusters.execute import Executor
from clusters.hand import Report
from clusters.happenings import Told
from clusters.models import Phase, Reconciled
from clusters.observed import View
from clusters.queue import Lease
from clusters.refs import Ref
from clusters.rounds import Work
from clusters.steps import Steps

log = logging.getLogger(__name__)

PASSES = 6  # within one lease: create, then what waits for its uid, then a surprise or two


@dataclass(frozen=True)
class Situation:
    """What a recipe is given: the row, its objects in the inventory and in the cache, and which disks are lost."""

    row: Any
    view: View
    held: tuple[Held, ...] = ()
    lost: frozenset[Ref] = frozenset()


@dataclass(frozen=True)
class Recipe:
    """How an app's rows become objects, and how objects become status. Declared by each app, found through its Kind.

    `load` reads rows with all they need, `wanted` the desired objects (pure from facts), `observe` the outcome.
    `destroyable` tells whether a row that objects are the data of is to be deleted or is gone.
    `before` runs ahead of the plan (accepting a power change) and may answer the row as it is then; `overrule` may force
    past a field conflict; `acknowledged` gives columns of the row to be written with the outcome, from what the cluster
    now has as wanted; `gone` runs in the transaction that drops the row, `lock` first in it: locks that come before the
    row's own (quota scopes, ENGINE §1);
    `mirror` gives the status to write into the row's custom resource; `held_back` says why a row that is to be deleted
    must not be yet; `left` are the uids of volumes that stay where they are by order, `bare` those of claims that were
    adopted without a DataVolume.
    """

    load: Callable[[Sequence[UUID]], Iterable[Any]]
    wanted: Callable[[Situation], Sequence[Wanted]]
    observe: Callable[[Situation], Outcome]
    gone: Callable[[Any], None]
    destroyable: Callable[[Owner], bool]
    before: Callable[[Situation, Lease], Steps[Any]] | None = None
    overrule: Callable[[Any, Wanted, KubeError, Object], Object | None] | None = None
    acknowledged: Callable[[Any, set[Ref]], Mapping[str, Any]] | None = None
    mirror: Callable[[Any], tuple[Ref, Mapping[str, Any]] | None] | None = None
    lock: Callable[[Any], None] | None = None
    held_back: Callable[[Any, Lease], Steps[Condition | None]] | None = None
    left: Callable[[Any], frozenset[UUID]] | None = None
    bare: Callable[[Any], frozenset[UUID]] | None = None


@dataclass
class Job:
    """One claimed row with how it is reconciled. `probing`: the cluster's circuit is open, and this is the probe.

    `told`: what its timeline is to hear and no outcome has taken along.
    """

    lease: Lease
    kind: kinds.Kind
    recipe: Recipe
    row: Any
    probing: bool = False
    told: list[Told] = field(default_factory=list)


def run(lease: Lease) -> None:
    """Reconcile one row. Raises nothing but a fault of our own, and that only after recording it."""
    for work in run_all([lease]):
        if work.fault is not None:
            raise work.fault


def run_all(leases: Sequence[Lease]) -> list[Work]:
    """Reconcile the rows of claimed items of one cluster, side by side."""
    client, failing = connections.look(leases[0].cluster_id)
    works = [Work(job.lease, job.row, _steps(job), told=job.told) for job in _jobs(leases, failing)]
    rounds.run(works, client)
    for work in works:
        if work.fenced:
            log.info("fenced off", extra={"kind": work.lease.kind, "id": str(work.lease.object_id)})
    return works


def _jobs(leases: Sequence[Lease], failing: bool) -> Iterator[Job]:
    """With their rows, read a kind at a time. The item of a row that is gone goes, too."""
    for name, group in groupby(sorted(leases, key=lambda lease: lease.kind), key=lambda lease: lease.kind):
        kind, of_kind = kinds.by_name(name), list(group)
        recipe: Recipe = import_string(kind.recipe)
        rows = {row.pk: row for row in recipe.load([lease.object_id for lease in of_kind])}
        for lease in of_kind:
            if lease.object_id in rows:
                yield Job(lease, kind, recipe, rows[lease.object_id], failing)
            else:
                queue.complete(lease)


def _steps(job: Job) -> Steps[None]:
    """From the first look to the recorded outcome, whatever happens on the way."""
    if job.row.suspended_at is not None:
        yield steps.Finish(job.lease, job.row, outcomes.suspended(job.row), suspended=True)
        return
    try:
        waiting_for = _parent_not_ready(job.kind, job.row)
        if waiting_for is not None:
            yield from _park(job, waiting_for)
            return
        if job.probing:  # an unchanged row asks the cluster nothing: this is what proves that it answers
            yield from steps.read(job.lease, lambda api: api.raw("GET", "/version"))
        outcome = yield from _reconcile(job)
        if job.probing:
            connections.healthy(job.lease.cluster_id)
    except Fenced:
        raise
    except KubeError as error:
        if error.unhealthy:
            connections.failing(job.lease.cluster_id, error)
        outcome = outcomes.failed(job.row, error)
    except Exception as error:
        yield from _finish(job, outcomes.internal_error(job.row, f"{type(error).__name__}: {error}"))
        raise
    if outcome is not None:
        yield from _finish(job, outcome)


def _parent_not_ready(kind: kinds.Kind, row: Reconciled) -> tuple[str, UUID] | None:
    """A parent that is not open holds back everything below, but not its deletion."""
    if row.deletion_requested_at is not None:
        return None
    parent = kind.parent(row)
    if parent is None:
        return None
    found = kind.above(row) if kind.above is not None else kinds.by_name(parent[0]).get(parent[1])
    return None if found is not None and kinds.is_open(found) else parent


def _park(job: Job, parent: tuple[str, UUID]) -> Steps[None]:
    message = f"The {parent[0]} it belongs to is not ready yet."
    waiting = Outcome(Phase.PENDING, (false("Ready", "Waiting", message),))
    act = yield steps.Finish(job.lease, job.row, waiting, parent=parent)
    ready = kinds.by_name(parent[0]).get(parent[1])
    if act == "park" and ready is not None and kinds.is_open(ready):
        queue.unpark(parent)  # it became ready between our look and our sleep


def _reconcile(job: Job) -> Steps[Outcome | None]:
    """Passes until nothing is left to do at once. None when the row has been dropped."""
    recipe, row = job.recipe, job.row
    deleting = row.deletion_requested_at is not None
    if deleting and (kept := (yield from _held_back(job))) is not None:
        return kept
    report, after = Report(), None
    for _pass in range(PASSES):
        situation = after or (yield from _situation(job))
        if recipe.before is not None and not deleting:
            job.row = (yield from recipe.before(situation, job.lease)) or job.row
            situation = replace(situation, row=job.row)
        report, after = yield from _pass_once(job, situation, deleting)
        if not report.again:
            break
    if deleting:
        return None if report.clean and _drop(job) else outcomes.with_problems(outcomes.deleting(report), report)
    outcome = recipe.observe(after or (yield from _situation(job, report)))
    if recipe.acknowledged is not None:
        more = recipe.acknowledged(job.row, report.acknowledged)
        outcome = replace(outcome, fields={**outcome.fields, **more})
    return outcomes.with_problems(outcome, report)


def _held_back(job: Job) -> Steps[Outcome | None]:
    """Why a row that is to be deleted must not be yet."""
    if kinds.children(job.row):
        waiting = false("Ready", "Deleting", "What is in it is deleted first.")
        return Outcome(Phase.TERMINATING, (waiting,), retry_seconds=30)
    reason = (yield from job.recipe.held_back(job.row, job.lease)) if job.recipe.held_back is not None else None
    if reason is not None:
        kept = (false("Ready", reason.reason, reason.message), reason)
        return Outcome(Phase.TERMINATING, kept, retry_seconds=outcomes.HELD_BACK_SECONDS)
    return None


def _situation(job: Job, report: Report | None = None) -> Steps[Situation]:
    lost = {ref for ref, problem in (report.problems if report else {}).items() if problem.type == "DiskLost"}
    held, view = yield from steps.look(job.lease, job.row)
    return Situation(job.row, view, held, frozenset(lost))


def situation_of(row: Any) -> Situation:
    """What inventory and cache hold of a row."""
    held = inventory.of([row])
    view = observed.views(row.cluster_pk(), held).get(row.pk)
    return Situation(row, view or View({}), held.get(row.pk, ()))


def _pass_once(job: Job, situation: Situation, deleting: bool) -> Steps[tuple[Report, Situation | None]]:
    """One look and what follows from it. Stages: what waits for uids (`Wanted.after`) is claimed once they are known.

    Also the situation afterwards, where nothing surprised us: what we changed is known from the answers, and of what
    others change meanwhile the watcher tells by requesting the row again. None: read it anew.
    """
    recipe, row = job.recipe, job.row
    wanted = [] if deleting else list(recipe.wanted(situation))
    proven = volumes.proven(wanted, situation.held, situation.view.objects)
    recorded = volumes.record(row, proven, situation.held, job.lease)
    held = inventory.judged(recorded, with_volumes(item.ref for item in wanted), recipe.destroyable)
    known = {item.ref for item in held if item.uid is not None}
    claimable = [item for item in wanted if item.has_its_turn(known)]
    have = {item.ref for item in held}
    held += yield from steps.claim(job.lease, row, [item for item in claimable if item.ref not in have])
    keep = {item.ref for item in wanted}
    changes = plan(claimable, held, situation.view.objects, keep=keep)
    lost = yield from _lost_among(changes, job)
    surprised = deleting or any(change.action in (Action.LOST, Action.REMAKE, Action.DELETE) for change in changes)
    if lost and lost - situation.lost:
        situation = replace(situation, lost=situation.lost | lost)
        claimable = [item for item in recipe.wanted(situation) if item.has_its_turn(known)]
        changes = plan(claimable, held, situation.view.objects, keep=keep)
    executor = _executor(job)
    report = yield from executor.run(changes)
    after = None if surprised or not report.clean else _after(situation, held, executor)
    report.again = report.again or _more_to_claim(wanted, claimable, report, held, executor)
    taken = [item for item in claimable if item.ref not in {have.ref for have in held}]
    for item in taken:
        report.problems[item.ref] = true("NameTaken", "NameTaken", f"{item.ref} belongs to another row of OVIM.")
    return report, after


def _executor(job: Job) -> Executor:
    overrule = job.recipe.overrule
    row = job.row
    may = (lambda item, error, live: overrule(row, item, error, live)) if overrule else None
    left = job.recipe.left(row) if job.recipe.left else frozenset()
    bare = job.recipe.bare(row) if job.recipe.bare else frozenset()
    return Executor(row, job.lease, status.installation(), left, overrule=may, bare=bare)


def _after(situation: Situation, held: Sequence[Held], executor: Executor) -> Situation:
    """As it was, with what our applies were answered."""
    answers = {item.held.pk: item for item in executor.recorded}
    if not answers and len(held) == len(situation.held):
        return situation
    known = tuple(answers[item.pk].known if item.pk in answers else item for item in held)
    stored = {item.held.ref: item.seen for item in executor.recorded if item.held.ref.type.watched}
    return replace(situation, held=known, view=View({**situation.view.objects, **stored}))


def _lost_among(changes: ChangeSet, job: Job) -> Steps[set[Ref]]:
    """Disks that a live look confirms as gone, before anything else is applied: their VM must not be started."""
    suspects = [change for change in changes if change.action is Action.LOST]
    if not suspects:
        return set()
    report = yield from Executor(job.row, job.lease, status.installation()).run(suspects)
    return {ref for ref, problem in report.problems.items() if problem.type == "DiskLost"}


def _more_to_claim(
    wanted: Sequence[Wanted], claimed: Sequence[Wanted], report: Report, held: Sequence[Held], executor: Executor
) -> bool:
    """Something waited for uids which this pass has recorded."""
    rest = [item for item in wanted if item.ref not in {have.ref for have in claimed}]
    if not rest or report.problems:
        return False
    known = {item.ref for item in held if item.uid is not None} | {item.held.ref for item in executor.recorded}
    return any(item.has_its_turn(known) for item in rest)


def _drop(job: Job) -> bool:
    """Everything is confirmed gone: the row goes, with its work item, and whoever waited for it is told."""
    row, lease, recipe = job.row, job.lease, job.recipe
    parent = job.kind.parent(row)
    with _locked_for_drop(row, lease, recipe):
        if not inventory.is_empty(row) or kinds.children(row):
            return False
        recipe.gone(row)
        status.published(row, deleted=True)
        type(row)._default_manager.filter(pk=row.pk).delete()
        queue.complete(lease)
        if parent is not None:
            above = kinds.by_name(parent[0]).get(parent[1])
            if above is not None and above.deletion_requested_at is not None:
                transaction.on_commit(lambda: queue.request(above))
    job.told.append(happenings.gone(timezone.now()))
    return True


@contextlib.contextmanager
def _locked_for_drop(row: Reconciled, lease: Lease, recipe: Recipe) -> Iterator[None]:
    with transaction.atomic():
        if recipe.lock is not None:
            recipe.lock(row)
        with inventory.fenced(row, lease):
            yield


def _finish(job: Job, outcome: Outcome) -> Steps[None]:
    """Record the outcome and complete or keep the work item; then wake the children, and mirror the status."""
    row, recipe = job.row, job.recipe
    was_open = kinds.is_open(row)
    pause = _pause(job.lease, outcome) if outcome.failed else outcome.retry_seconds
    mirrored = recipe.mirror is not None and pause is None
    act = yield steps.Finish(job.lease, row, outcome, pause, hold=mirrored)
    if not was_open and kinds.is_open(row) and job.kind.children:
        queue.unpark((job.kind.name, row.pk))
    if act == "hold" and recipe.mirror is not None:
        status.mirror(row, job.lease, recipe.mirror(row))


def _pause(lease: Lease, outcome: Outcome) -> float:
    back_off = queue.backoff(lease.attempts, lease.token)
    return max(back_off, outcome.retry_seconds or 0.0)


def changes_of(row: Reconciled) -> ChangeSet:
    """The plan as it would be carried out now, from the cache, executing nothing: the dry run that people see."""
    recipe: Recipe = import_string(kinds.of(row).recipe)
    situation = situation_of(row)
    wanted = [] if row.deletion_requested_at else list(recipe.wanted(situation))
    held = inventory.judged(situation.held, with_volumes(item.ref for item in wanted), recipe.destroyable)
    seen: Mapping[Ref, Seen] = situation.view.objects
    return plan(wanted, held, seen)
