"""What every change of a ChangeSet is done with: looks, fenced writes, and the report that they go into."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from clusters import steps
from clusters.apply import Change, Held, Wanted
from clusters.client import Object
from clusters.conditions import Condition
from clusters.errors import KubeError
from clusters.happenings import Written
from clusters.models import Reconciled
from clusters.queue import Lease
from clusters.refs import Manifest, Ref
from clusters.steps import Applied, Steps


@dataclass
class Report:
    """What came of a ChangeSet. `problems` become conditions; `errors` decide about the next try."""

    problems: dict[Ref, Condition] = field(default_factory=dict)
    errors: list[KubeError] = field(default_factory=list)
    waiting: list[Ref] = field(default_factory=list)  # being deleted, or in somebody's hands for the moment
    used_by: list[str] = field(default_factory=list)  # why what is waited for does not go, in words
    acknowledged: set[Ref] = field(default_factory=set)  # applied now, or known to be as wanted
    again: bool = False  # something changed under us: another pass at once

    @property
    def clean(self) -> bool:
        return not (self.problems or self.errors or self.waiting or self.again)


@dataclass
class Hand:
    """One run for one row under one lease. `left`: volumes that somebody has let go of: they stay, nothing waits for them."""

    row: Reconciled
    lease: Lease
    installation: UUID
    left: Collection[UUID] = ()
    report: Report = field(default_factory=Report)
    _applied: list[Applied] = field(default_factory=list)
    _doing: Change | None = None

    def problem(self, ref: Ref, type_: str, reason: str, message: str) -> None:
        self.report.problems[ref] = Condition(type_, "True", reason, message)

    def get(self, ref: Ref) -> Steps[Object | None]:
        return steps.read(self.lease, lambda client: client.get(ref))

    def apply(self, ref: Ref, body: Manifest, *, force: bool = False, dry_run: bool = False) -> Steps[Object]:
        verb = "update" if "uid" in body["metadata"] else "create"
        about = None if dry_run else self.written(verb, ref)
        return steps.write(self.lease, lambda client: client.apply(ref, body, force=force, dry_run=dry_run), about)

    def remove(self, ref: Ref, uid: str) -> Steps[bool]:
        return steps.write(self.lease, lambda client: client.delete(ref, uid), self.written("delete", ref))

    def written(self, verb: str, ref: Ref) -> Written:
        """What a timeline tells of a write that is about to be sent."""
        change = self._doing
        return Written(verb, ref, change.why, change.differences) if change is not None else Written(verb, ref)

    def done(self, wanted: Wanted, held: Held, live: Object) -> None:
        self._applied.append(Applied(held, live, wanted))
        self.report.acknowledged.add(wanted.ref)

    def delete_uid(self, ref: Ref, uid: str) -> Steps[None]:
        """A conflict means that the name is another object's by now; the live look that follows tells whose."""
        try:
            yield from self.remove(ref, uid)
        except KubeError as error:
            if error.status != 409:
                raise
