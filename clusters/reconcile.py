"""The only loop body: one row, from whatever state it and its objects are in, towards what it wants to be (ENGINE §1–§4).

It is handed a lease, reads everything again, and records an outcome on every path. Run twice it writes nothing;
killed after any step and run again it ends in the same place.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.module_loading import import_string

from clusters import connections, inventory, kinds, observed, queue, status, volumes
from clusters.apply import Action, ChangeSet, Held, Owner, Seen, Wanted, plan, with_volumes
from clusters.client import Client, Object
from clusters.conditions import Condition, Outcome, false, true
from clusters.errors import Fenced, KubeError
from clusters.execute import Executor, Report
from clusters.models import Phase, Reconciled
from clusters.observed import View
from clusters.queue import Lease
from clusters.refs import Ref

log = logging.getLogger(__name__)

PASSES = 6  # within one lease: create, then what waits for its uid, then a surprise or two
HELD_BACK_SECONDS = 300.0  # NameTaken, Replaced and Drifted keep a work item at this or less
WAITING_SECONDS = 5.0
PROBLEMS_THAT_WAIT = frozenset({"NameTaken", "Replaced", "Drifted", "DiskLost", "Refused"})


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

    `load` reads the row with all it needs, `wanted` the desired objects (pure from facts), `observe` the outcome.
    `destroyable` tells whether a row that objects are the data of is to be deleted or is gone.
    `before` runs ahead of the plan (accepting a power change); `overrule` may force past a field conflict;
    `acknowledged` runs after the applies, with what the cluster now has as wanted; `gone` runs in the transaction
    that drops the row, `lock` first in it: locks that come before the row's own (quota scopes, ENGINE §1);
    `mirror` gives the status to write into the row's custom resource; `held_back` says why a row that is to be deleted
    must not be yet; `left` are the uids of volumes that stay where they are by order.
    """

    load: Callable[[UUID], Any]
    wanted: Callable[[Situation], Sequence[Wanted]]
    observe: Callable[[Situation], Outcome]
    gone: Callable[[Any], None]
    destroyable: Callable[[Owner], bool]
    before: Callable[[Situation, Client], Any] | None = None
    overrule: Callable[[Any, Wanted, KubeError, Object], Object | None] | None = None
    acknowledged: Callable[[Any, Lease, set[Ref]], None] | None = None
    mirror: Callable[[Any], tuple[Ref, Mapping[str, Any]] | None] | None = None
    lock: Callable[[Any], None] | None = None
    held_back: Callable[[Any, Client], Condition | None] | None = None
    left: Callable[[Any], frozenset[UUID]] | None = None


def run(lease: Lease) -> None:
    """Reconcile the row of a claimed item. Raises nothing but faults of our own, and those only after recording them."""
    kind = kinds.by_name(lease.kind)
    recipe: Recipe = import_string(kind.recipe)
    row = recipe.load(lease.object_id)
    if row is None:
        queue.complete(lease)
        return
    try:
        _run(lease, kind, recipe, row)
    except Fenced:
        log.info("fenced off", extra={"kind": lease.kind, "id": str(lease.object_id)})


def _run(lease: Lease, kind: kinds.Kind, recipe: Recipe, row: Any) -> None:
    outcome = _internal_error(row, "the worker stopped in the middle")
    try:
        waiting_for = _parent_not_ready(kind, row)
        if waiting_for is not None:
            _park(row, lease, waiting_for)
            return
        plain, was_failing = connections.look(lease.cluster_id)
        with plain.fenced(lease.renew) as client:
            if was_failing:  # an unchanged row asks the cluster nothing: this is what proves that it answers
                client.raw("GET", "/version")
                connections.healthy(lease.cluster_id)
            dropped, outcome = _reconcile(lease, kind, recipe, row, client)
        if dropped:
            return
    except Fenced:
        raise
    except KubeError as error:
        if error.unhealthy:
            connections.failing(lease.cluster_id, error)
        outcome = _failed(row, error)
    except Exception as error:
        outcome = _internal_error(row, f"{type(error).__name__}: {error}")
        _finish(row, lease, recipe, outcome)
        raise
    _finish(row, lease, recipe, outcome)


def _parent_not_ready(kind: kinds.Kind, row: Reconciled) -> tuple[str, UUID] | None:
    """A parent that is not open holds back everything below, but not its deletion."""
    if row.deletion_requested_at is not None:
        return None
    parent = kind.parent(row)
    if parent is None:
        return None
    found = kind.above(row) if kind.above is not None else kinds.by_name(parent[0]).get(parent[1])
    return None if found is not None and kinds.is_open(found) else parent


def _park(row: Reconciled, lease: Lease, parent: tuple[str, UUID]) -> None:
    message = f"The {parent[0]} it belongs to is not ready yet."
    waiting = Outcome(Phase.PENDING, (false("Ready", "Waiting", message),))
    with inventory.fenced(row, lease):
        status.record(row, waiting)
        parked = queue.park(lease, parent)
        if not parked:
            queue.again(lease, 0, failed=False)
    ready = kinds.by_name(parent[0]).get(parent[1])
    if parked and ready is not None and kinds.is_open(ready):
        queue.unpark(parent)  # it became ready between our look and our sleep


def _reconcile(lease: Lease, kind: kinds.Kind, recipe: Recipe, row: Any, client: Client) -> tuple[bool, Outcome]:
    """Passes until nothing is left to do at once. (True, …) when the row has been dropped."""
    deleting = row.deletion_requested_at is not None
    if deleting and kinds.children(row):
        return False, Outcome(
            Phase.TERMINATING, (false("Ready", "Deleting", "What is in it is deleted first."),), retry_seconds=30
        )
    if deleting and recipe.held_back is not None and (reason := recipe.held_back(row, client)) is not None:
        kept = (false("Ready", reason.reason, reason.message), reason)
        return False, Outcome(Phase.TERMINATING, kept, retry_seconds=HELD_BACK_SECONDS)
    report, after = Report(), None
    for _pass in range(PASSES):
        situation = after or _situation(recipe, row)
        if recipe.before is not None and not deleting:
            row = recipe.before(situation, client) or row
            situation = replace(situation, row=row)
        report, after = _pass_once(lease, recipe, situation, client, deleting)
        if not report.again:
            break
    if recipe.acknowledged is not None and not deleting:
        recipe.acknowledged(row, lease, report.acknowledged)
    if deleting and report.clean and _drop(row, lease, recipe):
        return True, Outcome(Phase.TERMINATING)
    outcome = _deleting(report) if deleting else recipe.observe(after or _situation(recipe, row, report))
    return False, _with_problems(outcome, report)


def _situation(recipe: Recipe, row: Any, report: Report | None = None) -> Situation:
    lost = {ref for ref, problem in (report.problems if report else {}).items() if problem.type == "DiskLost"}
    return replace(situation_of(recipe, row), lost=frozenset(lost))


def situation_of(recipe: Recipe, row: Any) -> Situation:
    """What inventory and cache hold of a row."""
    held = inventory.of(row)
    view = observed.view(row.cluster_pk(), [item.ref for item in held], [item.uid for item in held if item.uid])
    return Situation(row, view, tuple(held))


def _pass_once(
    lease: Lease, recipe: Recipe, situation: Situation, client: Client, deleting: bool
) -> tuple[Report, Situation | None]:
    """One look and what follows from it. Stages: what waits for uids (`Wanted.after`) is claimed once they are known.

    Also the situation afterwards, where nothing surprised us: what we changed is known from the answers, and of what
    others change meanwhile the watcher tells by requesting the row again. None: read it anew.
    """
    row = situation.row
    wanted = [] if deleting else list(recipe.wanted(situation))
    proven = volumes.proven(wanted, situation.held, situation.view.objects)
    known_held = volumes.record(row, proven, situation.held, lease)
    held = inventory.judged(known_held, with_volumes(item.ref for item in wanted), recipe.destroyable)
    known = {item.ref for item in held if item.uid is not None}
    claimable = [item for item in wanted if known.issuperset(item.after)]
    held += inventory.claim(row, claimable, held, lease)
    keep = {item.ref for item in wanted}
    changes = plan(claimable, held, situation.view.objects, keep=keep)
    lost = _lost_among(changes, client, lease, row)
    surprised = deleting or any(change.action in (Action.LOST, Action.REMAKE, Action.DELETE) for change in changes)
    if lost and lost - situation.lost:
        situation = replace(situation, lost=situation.lost | lost)
        claimable = [item for item in recipe.wanted(situation) if known.issuperset(item.after)]
        changes = plan(claimable, held, situation.view.objects, keep=keep)
    overrule = recipe.overrule
    executor = Executor(
        row,
        lease,
        client,
        status.installation(),
        (lambda item, error, live: overrule(row, item, error, live)) if overrule else None,
        recipe.left(row) if recipe.left else frozenset(),
    )
    report = executor.run(changes)
    after = None if surprised or not report.clean else _after(situation, held, executor)
    report.again = report.again or _more_to_claim(wanted, claimable, report, held, executor)
    taken = [item for item in claimable if item.ref not in {have.ref for have in held}]
    for item in taken:
        report.problems[item.ref] = true("NameTaken", "NameTaken", f"{item.ref} belongs to another row of OVIM.")
    return report, after


def _after(situation: Situation, held: Sequence[Held], executor: Executor) -> Situation:
    """As it was, with what our applies were answered."""
    answers = {item.held.pk: item for item in executor.recorded}
    if not answers and len(held) == len(situation.held):
        return situation
    known = [answers[item.pk].known() if item.pk in answers else item for item in held]
    stored = [item.live for item in executor.recorded if item.held.ref.type.watched]
    return replace(situation, held=tuple(known), view=observed.with_answers(situation.view, stored))


def _lost_among(changes: ChangeSet, client: Client, lease: Lease, row: Any) -> set[Ref]:
    """Disks that a live look confirms as gone, before anything else is applied: their VM must not be started."""
    suspects = [change for change in changes if change.action is Action.LOST]
    if not suspects:
        return set()
    report = Executor(row, lease, client, status.installation()).run(suspects)
    return {ref for ref, problem in report.problems.items() if problem.type == "DiskLost"}


def _more_to_claim(
    wanted: Sequence[Wanted], claimed: Sequence[Wanted], report: Report, held: Sequence[Held], executor: Executor
) -> bool:
    """Something waited for uids which this pass has recorded."""
    rest = [item for item in wanted if item.ref not in {have.ref for have in claimed}]
    if not rest or report.problems:
        return False
    known = {item.ref for item in held if item.uid is not None} | {item.held.ref for item in executor.recorded}
    return any(known.issuperset(item.after) for item in rest)


def _drop(row: Reconciled, lease: Lease, recipe: Recipe) -> bool:
    """Everything is confirmed gone: the row goes, with its work item, and whoever waited for it is told."""
    parent = kinds.of(row).parent(row)
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
    return True


@contextlib.contextmanager
def _locked_for_drop(row: Reconciled, lease: Lease, recipe: Recipe) -> Iterator[None]:
    with transaction.atomic():
        if recipe.lock is not None:
            recipe.lock(row)
        with inventory.fenced(row, lease):
            yield


def _finish(row: Any, lease: Lease, recipe: Recipe, outcome: Outcome) -> None:
    """Record the outcome, then complete or keep the work item, in one fenced transaction; then wake the children."""
    was_open = kinds.is_open(row)
    with inventory.fenced(row, lease):
        newer = status.record(row, outcome)
        if outcome.failed:
            queue.again(lease, _pause(lease, outcome), failed=True, error=_first_message(outcome))
        elif newer:
            queue.again(lease, 0, failed=False)
        elif outcome.retry_seconds is not None:
            queue.again(lease, outcome.retry_seconds, failed=False)
        elif recipe.mirror is None:
            queue.complete(lease)
    if not was_open and kinds.is_open(row) and kinds.of(row).children:
        queue.unpark((kinds.of(row).name, row.pk))
    if recipe.mirror is not None and not (outcome.failed or newer or outcome.retry_seconds is not None):
        status.mirror(row, lease, recipe.mirror(row))


def _pause(lease: Lease, outcome: Outcome) -> float:
    back_off = queue.backoff(lease.attempts, lease.token)
    return max(back_off, outcome.retry_seconds or 0.0)


def _first_message(outcome: Outcome) -> str:
    return next((item.message for item in outcome.conditions if item.message), "")


def _with_problems(outcome: Outcome, report: Report) -> Outcome:
    """What the applies met joins what the app observed. A problem is never hidden behind a good phase."""
    if not report.problems:
        if report.waiting or report.again:
            return replace(outcome, retry_seconds=min(outcome.retry_seconds or WAITING_SECONDS, WAITING_SECONDS))
        return outcome
    by_type: dict[str, Condition] = {item.type: item for item in outcome.conditions}
    for problem in report.problems.values():
        by_type[problem.type] = problem
    message = next(iter(report.problems.values())).message
    by_type["Ready"] = false("Ready", next(iter(report.problems.values())).reason, message)
    permanent = all(error.permanent for error in report.errors)
    stuck = not report.errors or permanent
    phase = outcome.phase if outcome.phase == Phase.TERMINATING else (Phase.FAILED if stuck else outcome.phase)
    return replace(
        outcome,
        phase=phase,
        conditions=tuple(by_type.values()),
        settled=False,
        failed=bool(report.errors),
        retry_seconds=HELD_BACK_SECONDS if stuck else None,
    )


def _deleting(report: Report) -> Outcome:
    names = ", ".join(str(ref) for ref in report.waiting[:5])
    waiting = false("Ready", "Deleting", f"Waiting for: {names}." if names else "")
    return Outcome(Phase.TERMINATING, (waiting,), retry_seconds=WAITING_SECONDS)


def _failed(row: Reconciled, error: KubeError) -> Outcome:
    reason = "ClusterUnreachable" if error.status == 0 else error.reason or f"Http{error.status}"
    kept = [
        Condition(item["type"], item["status"], item["reason"], item["message"])
        for item in row.conditions
        if item["type"] not in ("Reconciled",)
    ]
    return Outcome(
        row.phase,
        (*kept, false("Reconciled", reason, str(error))),
        failed=True,
        permanent=error.permanent,
        retry_seconds=error.retry_after,
    )


def _internal_error(row: Reconciled, message: str) -> Outcome:
    kept = [
        Condition(item["type"], item["status"], item["reason"], item["message"])
        for item in row.conditions
        if item["type"] != "Reconciled"
    ]
    return Outcome(row.phase, (*kept, false("Reconciled", "InternalError", message)), failed=True)


def changes_of(row: Reconciled) -> ChangeSet:
    """The plan as it would be carried out now, from the cache, executing nothing: the dry run that people see."""
    recipe: Recipe = import_string(kinds.of(row).recipe)
    situation = situation_of(recipe, row)
    wanted = [] if row.deletion_requested_at else list(recipe.wanted(situation))
    held = inventory.judged(situation.held, with_volumes(item.ref for item in wanted), recipe.destroyable)
    seen: Mapping[Ref, Seen] = situation.view.objects
    return plan(wanted, held, seen)
