"""Doing a ChangeSet: one object at a time, every write fenced, errors collected and not short-circuited (ENGINE §2, §3).

What an answer means for ownership is decided here and nowhere else; the tables in ENGINE.md §2 are `_exists` and
`_pinned_away` below; what is of disks alone is in `disks`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from uuid import UUID

from clusters import disks, doubts, inventory, observed, rivals, steps
from clusters.apply import Action, Change, ChangeSet, Held, Wanted, owned_digest, owns, stamped, token_of
from clusters.client import Object
from clusters.conditions import Condition
from clusters.errors import KubeError
from clusters.hand import Hand, Report
from clusters.refs import Ref
from clusters.steps import Applied, Steps

# What of an apply that conflicts on fields goes through all the same. `{}`: all of it, by force; some fields: those
# alone, by a merge patch, and the rest is drift; None: nothing.
Overrule = Callable[[Wanted, KubeError, Object], Object | None]


@dataclass
class Executor(Hand):
    """Carries out a ChangeSet."""

    overrule: Overrule | None = None
    bare: Collection[UUID] = ()  # adopted claims that no DataVolume takes along: deleted by our own hand
    recorded: list[Applied] = field(default_factory=list)

    def run(self, changes: ChangeSet) -> Steps[Report]:
        """Do all changes, then record what was applied and put it into the cache."""
        for change in changes:
            if self._waits(change):
                continue
            try:
                yield from self._do(change)
            except KubeError as error:
                if error.unhealthy:
                    yield from self._flush()
                    raise  # the cluster itself is in trouble: no use in asking it for the next object
                self._failed(change.ref, error)
        yield from self._flush()
        return self.report

    def _waits(self, change: Change) -> bool:
        if change.wanted is None or change.held is None:
            return False
        return any(self._is_barred(ref) for ref in change.wanted.needs(made=change.held.uid is not None))

    def _is_barred(self, ref: Ref) -> bool:
        """A namespace that is not ours is never written into. A lost disk bars nothing: its VM is told to halt."""
        return ref in self.report.problems and not ref.type.keeps_data

    def _failed(self, ref: Ref, error: KubeError) -> None:
        self.report.errors.append(error)
        self.report.problems.setdefault(ref, Condition("Applied", "False", error.reason or "Refused", str(error)))

    def _do(self, change: Change) -> Steps[None]:
        self._doing = change
        if change.action is Action.UNCHANGED:
            self.report.acknowledged.add(change.ref)
        elif change.action is Action.REFUSED:
            self.problem(change.ref, "Refused", "WouldDestroyData", f"{change.ref} is kept: {change.why}.")
        elif change.action is Action.DELETE:
            assert change.held is not None
            if change.ref.type.grown and change.held.uid not in self.bare:
                yield from disks.let_go(self, change.held)
            else:
                yield from self._delete(change.held, change.volume)
        elif change.action in (Action.LOST, Action.REMAKE):
            assert change.wanted is not None
            assert change.held is not None
            look = disks.lost if change.action is Action.LOST else disks.remake
            yield from look(self, change.wanted, change.held, change.volume)
        else:
            assert change.wanted is not None
            assert change.held is not None
            verb = {
                Action.CREATE: self._create,
                Action.UPDATE: self._update,
                Action.CHECK: self._check,
            }[change.action]
            yield from verb(change.wanted, change.held)

    def _flush(self) -> Steps[None]:
        applied, self._applied = self._applied, []
        yield from steps.record(self.lease, self.row, applied)
        self.recorded += applied

    # --- creating -----------------------------------------------------------------------------------------------

    def _create(self, wanted: Wanted, held: Held) -> Steps[None]:
        """Create-only: what exists already is not touched, whoever made it."""
        try:
            live = yield from self.apply(wanted.ref, stamped(wanted, held, self.installation))
        except KubeError as error:
            if error.status != 409:
                raise
            yield from self._exists(wanted, held)
        else:
            self.done(wanted, held, live)

    def _exists(self, wanted: Wanted, held: Held) -> Steps[None]:
        live = yield from self.get(wanted.ref)
        if live is None:
            self.report.again = True
        elif token_of(live) == held.token:
            self._adopt(held, live)
        elif token_of(live) in held.past_tokens:
            yield from self._late(held, live)
        elif "deletionTimestamp" in live["metadata"]:
            self.report.waiting.append(wanted.ref)
        elif wanted.ref.type.guard:
            yield from self._replace_stranger(wanted.ref, live)
        elif self._is_in_doubt(held, live):
            self.problem(wanted.ref, "NameTaken", doubts.REASON, doubts.told(wanted.ref, live["metadata"]["uid"]))
        else:
            self.problem(wanted.ref, "NameTaken", "NameTaken", f"{wanted.ref} exists and is not ours.")

    def _adopt(self, held: Held, live: Object) -> None:
        """We made it and died before we could say so: record the uid, and look again with it."""
        if "deletionTimestamp" in live["metadata"]:
            self.report.waiting.append(held.ref)
            return
        self._applied.append(Applied(held, live, None))
        self.report.again = True

    def _late(self, held: Held, live: Object) -> Steps[None]:
        """A request that we sent for an earlier claim has landed late. Data is left to a person."""
        if held.ref.type.data:
            self.problem(held.ref, "Replaced", "LateRequest", f"{held.ref} was made by an earlier request of ours.")
            return
        yield from self.remove(held.ref, live["metadata"]["uid"])
        self.report.again = True

    def _replace_stranger(self, ref: Ref, live: Object) -> Steps[None]:
        """A guard's name in our own namespace is ours: whatever has it goes, by its own uid."""
        yield from self.remove(ref, live["metadata"]["uid"])
        self.report.again = True

    # --- changing -----------------------------------------------------------------------------------------------

    def _update(self, wanted: Wanted, held: Held) -> Steps[None]:
        body = stamped(wanted, held, self.installation)
        forced = wanted.ref.type.forced
        rewriting = forced and held.applied_hash == wanted.digest  # what we want is what we wrote last
        if rewriting and rivals.pause(held) and self._is_fought_over(wanted, held, (yield from self.get(wanted.ref))):
            return
        try:
            live = yield from self.apply(wanted.ref, body, force=forced)
        except KubeError as error:
            if error.field_conflict:
                yield from self._conflicts(wanted, held, error)
            elif error.status in (409, 422):
                yield from self._pinned_away(wanted, held, error)
            else:
                raise
        else:
            self.done(wanted, held, live)
            if rewriting:
                rivals.note(self.row, held, self.lease)

    def _is_fought_over(self, wanted: Wanted, held: Held, live: Object | None) -> bool:
        """Somebody writes it as often as we do: wait a while, and say who. What is gone or another's is no such fight."""
        if live is None or live["metadata"]["uid"] != str(held.uid):
            return False
        who = rivals.latest(live)
        self.problem(
            wanted.ref,
            "Drifted",
            "Rival",
            f"{wanted.ref} is written by {who} again and again: OVIM writes it anew after a pause of up to 5 minutes.",
        )
        return True

    def _conflicts(self, wanted: Wanted, held: Held, error: KubeError) -> Steps[None]:
        live = yield from self.get(wanted.ref)
        if live is None or live["metadata"]["uid"] != str(held.uid):
            yield from self._pinned_away(wanted, held, error)
            return
        exact = yield from self._exactly(wanted, held, live)
        if exact is None:
            self.report.again = True
            return
        forced = self.overrule(wanted, exact, live) if self.overrule else None
        if forced and not (yield from self._merged(wanted, held, live, forced)):
            return
        if forced is None or forced:
            who = "; ".join(sorted({f"{cause.field} by {cause.message}" for cause in exact.causes}))
            self.problem(wanted.ref, "Drifted", "FieldConflict", f"{wanted.ref} was changed by others: {who}.")
            return
        try:
            answer = yield from self.apply(wanted.ref, self._pinned(wanted, held, live), force=True)
            self.done(wanted, held, answer)
        except KubeError as stale:
            if stale.status != 409:
                raise
            self.report.again = True

    def _pinned(self, wanted: Wanted, held: Held, live: Object) -> Object:
        """The body for just the object that was read: by uid, and by version."""
        body = stamped(wanted, held, self.installation)
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        return body

    def _exactly(self, wanted: Wanted, held: Held, live: Object) -> Steps[KubeError | None]:
        """What force would take from whom, of the very version that was read: a dry run. None: it has changed since.

        The first refusal may be older than the look: what somebody took in between would be forced unseen.
        """
        try:
            yield from self.apply(wanted.ref, self._pinned(wanted, held, live), dry_run=True)
        except KubeError as error:
            if error.field_conflict:
                return error
            if error.status != 409:
                raise
        return None

    def _merged(self, wanted: Wanted, held: Held, live: Object, fields: Object) -> Steps[bool]:
        """Write these fields alone to what was just read. False: it has changed since, so look again."""
        pins = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            answer = yield from steps.write(
                self.lease,
                lambda client: client.merge(wanted.ref, {**fields, "metadata": pins}),
                self.written("update", wanted.ref),
            )
        except KubeError as stale:
            if stale.status != 409:
                raise
            self.report.again = True
            return False
        self._applied.append(Applied(held, answer, None))
        self.report.acknowledged.add(wanted.ref)
        return True

    def _pinned_away(self, wanted: Wanted, held: Held, error: KubeError) -> Steps[None]:
        """The uid that we pinned is not there: gone, replaced, or a late request of ours under another uid."""
        live = yield from self.get(wanted.ref)
        if live is None:
            if wanted.ref.type.keeps_data and wanted.before is None:
                self.problem(wanted.ref, "DiskLost", "Gone", f"{wanted.ref} is gone and may have held data.")
                return
            inventory.reset(self.row, held, self.lease)
            self.report.again = True
        elif live["metadata"]["uid"] == str(held.uid):
            if error.status == 422:
                raise error  # the object itself is invalid: nothing to do with the pin
            self.report.again = True  # a plain 409: somebody wrote in between
        elif token_of(live) == held.token:
            self._adopt(held, live)
        elif token_of(live) in held.past_tokens and not wanted.ref.type.data:
            yield from self._late(held, live)
        elif wanted.ref.type.guard:
            yield from self._replace_stranger(wanted.ref, live)
        else:
            self.problem(
                wanted.ref, "Replaced", "Replaced", f"{wanted.ref} was deleted and made anew by somebody else."
            )

    def _check(self, wanted: Wanted, held: Held) -> Steps[None]:
        """Look live whether what is not watched is still as we left it."""
        live = yield from self.get(wanted.ref)
        if live is None or live["metadata"]["uid"] != str(held.uid) or owned_digest(live) != held.owned_hash:
            yield from self._update(wanted, held)
        else:
            self.done(wanted, held, live)

    # --- deleting -----------------------------------------------------------------------------------------------

    def _delete(self, held: Held, volume: Held | None) -> Steps[None]:
        """Delete by recorded uid; forget only when a live GET says gone.

        What carries our token under another uid was made by a request of ours whose answer, or whose sender, was lost:
        it goes, too.
        """
        if held.uid is not None:
            yield from self.delete_uid(held.ref, str(held.uid))
        live = yield from self.get(held.ref)
        if live is not None and live["metadata"]["uid"] != str(held.uid) and owns(held, live):
            yield from self.delete_uid(held.ref, live["metadata"]["uid"])
            live = yield from self.get(held.ref)
        if live is not None and owns(held, live):
            observed.store(self.lease.cluster_id, [live] if held.ref.type.watched else [])
            self.report.waiting.append(held.ref)
            return
        if live is not None and self._is_in_doubt(held, live):
            yield from self._leave_or_remove(held.ref, live)
            return
        if held.ref.kind == "DataVolume" and not (yield from disks.volume_is_gone(self, held, volume)):
            return
        inventory.forget(self.row, held, self.lease)
        if held.uid is not None:
            observed.drop(self.lease.cluster_id, [(held.ref, held.uid)])

    def _is_in_doubt(self, held: Held, live: Object) -> bool:
        return held.uid is None and doubts.may_be_ours(live, held.ref, held.tokens, self.installation)

    def _leave_or_remove(self, ref: Ref, live: Object) -> Steps[None]:
        """What is to go and can't be proven to be ours: only a guard goes, which is ours by its name (ADR 28)."""
        if "deletionTimestamp" in live["metadata"]:
            self.report.waiting.append(ref)
        elif ref.type.guard:
            yield from self._replace_stranger(ref, live)
        else:
            self.problem(ref, "Unproven", doubts.REASON, doubts.told(ref, live["metadata"]["uid"]))
