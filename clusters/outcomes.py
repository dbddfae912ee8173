"""What one run comes to, beside what an app observed: problems, errors, waiting, suspension. Pure."""

from dataclasses import replace

from clusters.conditions import Condition, Outcome, false, true
from clusters.errors import KubeError
from clusters.hand import Report
from clusters.models import Phase, Reconciled

HELD_BACK_SECONDS = 300.0  # NameTaken, Replaced and Drifted keep a work item at this or less
WAITING_SECONDS = 5.0


def with_problems(outcome: Outcome, report: Report) -> Outcome:
    """What the applies met joins what the app observed. A problem is never hidden behind a good phase."""
    if not report.problems:
        if report.waiting or report.again:
            return replace(outcome, retry_seconds=min(outcome.retry_seconds or WAITING_SECONDS, WAITING_SECONDS))
        return outcome
    by_type: dict[str, Condition] = {item.type: item for item in outcome.conditions}
    for problem in reversed(report.problems.values()):  # the first of a type stands, as it does in Ready
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


def deleting(report: Report) -> Outcome:
    names = ", ".join(str(ref) for ref in report.waiting[:5])
    message = " ".join([f"Waiting for: {names}.", *report.used_by[:5]]) if names else ""
    waiting = false("Ready", "Deleting", message)
    return Outcome(Phase.TERMINATING, (waiting,), retry_seconds=WAITING_SECONDS)


def suspended(row: Reconciled) -> Outcome:
    """As it was last seen: nothing is read or written, its deletion included, until a person resumes it (ADR 10)."""
    why = f": {row.suspended_because}" if row.suspended_because else ""
    message = f"A system admin suspended its reconciling{why}. Nothing is done until it is resumed, not even deletion."
    return Outcome(row.phase, (*_kept(row), true("Suspended", "Suspended", message)))


def _kept(row: Reconciled) -> list[Condition]:
    """The conditions of the last look, without what only this loop says."""
    return [
        Condition(item["type"], item["status"], item["reason"], item["message"])
        for item in row.conditions
        if item["type"] not in ("Reconciled", "Suspended")
    ]


def failed(row: Reconciled, error: KubeError) -> Outcome:
    reason = "ClusterUnreachable" if error.status == 0 else error.reason or f"Http{error.status}"
    return Outcome(
        row.phase,
        (*_kept(row), false("Reconciled", reason, str(error))),
        failed=True,
        permanent=error.permanent,
        retry_seconds=error.retry_after,
    )


def internal_error(row: Reconciled, message: str) -> Outcome:
    return Outcome(row.phase, (*_kept(row), false("Reconciled", "InternalError", message)), failed=True)
