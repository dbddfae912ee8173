"""Drift: in what a row's objects differ from what is wanted, who made it so, and what becomes of it. It writes nothing.

Computed from the desired state, the inventory and the observed cache, as the reconciler plans; live only when asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.module_loading import import_string

from clusters import connections, inventory, kinds, rivals, status
from clusters.apply import Action, Change, Held, Seen, masked, plan, stamped, with_volumes
from clusters.errors import KubeError
from clusters.models import Cluster, Phase, Placement, Reconciled
from clusters.observed import View, seen
from clusters.reconcile import Recipe, Situation, situation_of
from clusters.refs import Ref
from core import quantities
from core.errors import Unavailable

TOLD_APART = ("Drifted", "Replaced", "NameTaken", "DiskLost")  # conditions of rows whose objects are not as wanted
_MARKS = ("uid", "resourceVersion", "annotations")  # of what is sent: pins, and marks that tell nothing to people


class State(StrEnum):
    CHANGED = "changed"  # fields of ours are otherwise
    PENDING = "pending"  # what is wanted is newer than what was written
    MISSING = "missing"
    REPLACED = "replaced"  # something that is not ours has its name


@dataclass(frozen=True)
class FieldDrift:
    """One field. `changed_by`, `changed_at`: who owns it in the cluster now; empty: nobody, it was taken out."""

    path: str
    wanted: Any
    live: Any
    changed_by: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True)
class ObjectDrift:
    """One object that is not as wanted. `repaired`: OVIM makes it so by itself; `what_follows` says it in a sentence."""

    cluster: str
    ref: Ref
    state: State
    repaired: bool
    what_follows: str
    fields: tuple[FieldDrift, ...] = ()


@dataclass(frozen=True)
class Drift:
    """Of one row. `unseen`: objects that are not watched, of which only a live look can tell."""

    objects: tuple[ObjectDrift, ...] = ()
    unseen: tuple[Ref, ...] = field(default=())

    @property
    def differs(self) -> bool:
        return bool(self.objects)

    def __add__(self, other: "Drift") -> "Drift":
        return Drift(self.objects + other.objects, self.unseen + other.unseen)


def of(row: Reconciled, *, live: bool = False) -> Drift:
    """What of a row's objects is not as wanted. `live`: read from the cluster now; Unavailable if it does not answer."""
    recipe: Recipe = import_string(kinds.of(row).recipe)
    row = next(iter(recipe.load([row.pk])), row)
    if row.deletion_requested_at is not None:
        return Drift()  # it is on its way out: nothing is wanted any more
    situation = situation_of(row)
    if live:
        situation = replace(situation, view=_read(row, situation.held))
    changes = _changes(recipe, situation)
    lost = frozenset(change.ref for change in changes if change.action is Action.LOST)
    if lost:  # a VM that lacks a disk is wanted halted
        changes = _changes(recipe, replace(situation, lost=lost))
    cluster = Cluster.objects.values_list("name", flat=True).get(pk=row.cluster_pk())
    judge = _Judge(row, cluster, situation.view.objects)
    found = tuple(item for change in changes if (item := judge.of(change)) is not None)
    unseen = tuple(item.ref for item in situation.held if not item.ref.type.watched and not live)
    return Drift(found, unseen)


def of_along(row: Reconciled, *, live: bool = False) -> Drift:
    """Of what came along with a row: who is bound in its namespace, which is for those who may see that."""
    return sum((of(child, live=live) for child in kinds.children(row) if kinds.of(child).along is not None), Drift())


def of_placements(owner_kind: str, owner_id: UUID, *, live: bool = False, along: bool = False) -> Drift:
    """Of what is placed on several clusters: all of them together. `along`: with what came along, too."""
    placed = list(Placement.objects.filter(owner_kind=owner_kind, owner_id=owner_id).order_by("pk"))
    found = sum((of(placement, live=live) for placement in placed), Drift())
    return sum((of_along(placement, live=live) for placement in placed), found) if along else found


def told_apart() -> Q:
    """Rows whose conditions say that the cluster has something else. They are failed, which an index finds."""
    says = (Q(conditions__contains=[{"type": name, "status": "True"}]) for name in TOLD_APART)
    return Q(phase=Phase.FAILED) & reduce(or_, says)


def _changes(recipe: Recipe, situation: Situation) -> list[Change]:
    wanted = list(recipe.wanted(situation))
    have = {item.ref for item in situation.held}
    held = inventory.judged(situation.held, with_volumes(item.ref for item in wanted), recipe.destroyable)
    new = [Change(Action.CREATE, item.ref, item, None, "not there yet") for item in wanted if item.ref not in have]
    return [*plan(wanted, held, situation.view.objects), *new]


def _read(row: Reconciled, held: Iterable[Held]) -> View:
    client = connections.client_of(row.cluster_pk())
    found: dict[Ref, Seen] = {}
    for item in held:
        try:
            live = client.get(item.ref)
        except KubeError as error:
            raise Unavailable(f"The cluster did not answer for {item.ref}: {error}") from error
        if live is not None:
            found[item.ref] = seen(live)
    return View(found)


@dataclass(frozen=True)
class _Judge:
    """What a change that would be made says about drift."""

    row: Reconciled
    cluster: str
    seen: Mapping[Ref, Seen]

    def of(self, change: Change) -> ObjectDrift | None:
        live = self.seen.get(change.ref)
        unwatched = not change.ref.type.watched
        if change.action is Action.LOST:
            return self._found(change, State.MISSING, repaired=False, follows=_LOST)
        if change.action is Action.DELETE:
            return self._found(change, State.PENDING, repaired=True, follows="It is no longer wanted and is deleted.")
        if change.action in (Action.CREATE, Action.REMAKE) or change.held is None or change.held.uid is None:
            return self._not_made(change, live) if change.action is not Action.UNCHANGED else None
        if change.wanted is None or change.action is Action.REFUSED or (unwatched and live is None):
            return None
        if not unwatched and change.action is Action.UNCHANGED:
            return None
        if live is None:
            return self._found(change, State.MISSING, repaired=True, follows="It is made again.")
        if live.uid != change.held.uid:
            return self._replaced(change)
        return self._changed(change, live)

    def _found(
        self, change: Change, state: State, *, repaired: bool, follows: str, fields: tuple[FieldDrift, ...] = ()
    ) -> ObjectDrift:
        if self.row.suspended_at is not None:
            repaired, follows = False, "Its reconciling is suspended: nothing is done until it is resumed."
        return ObjectDrift(self.cluster, change.ref, state, repaired, follows, fields)

    def _not_made(self, change: Change, live: Seen | None) -> ObjectDrift:
        if live is None:
            return self._found(change, State.PENDING, repaired=True, follows="It is not there yet and is made.")
        if live.owned_hash and not change.ref.type.guard:
            follows = (
                "OVIM has applied it and has not proven it to be its own: its conditions say what is to be decided."
            )
            return self._found(change, State.REPLACED, repaired=False, follows=follows)
        return self._replaced(change)

    def _replaced(self, change: Change) -> ObjectDrift:
        guard = change.ref.type.guard
        follows = (
            "Its name in this namespace is OVIM's: what has it is deleted, and ours is made."
            if guard
            else "Something that OVIM did not make has its name: it is left alone, and a person has to decide."
        )
        return self._found(change, State.REPLACED, repaired=guard, follows=follows)

    def _changed(self, change: Change, live: Seen) -> ObjectDrift | None:
        assert change.wanted is not None
        assert change.held is not None
        entries = live.body["metadata"].get("managedFields") or ()
        body = stamped(change.wanted, change.held, status.installation())
        body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _MARKS}
        fields = tuple(_field(change.ref, path, new, old, entries) for path, new, old in _unlike(body, live.body))
        pending = change.wanted.digest != change.held.applied_hash
        if not fields and not pending and live.owned_hash == change.held.owned_hash:
            return None
        if pending and not any(item.changed_by for item in fields):
            return self._found(change, State.PENDING, repaired=True, follows="It is being written.", fields=fields)
        repaired, follows = self._policy(change.held, fields)
        return self._found(change, State.CHANGED, repaired=repaired, follows=follows, fields=fields)

    def _policy(self, held: Held, fields: tuple[FieldDrift, ...]) -> tuple[bool, str]:
        if held.ref.type.forced:
            if rivals.pause(held):
                return True, "OVIM writes it anew after a pause: somebody else writes it again and again."
            return True, "OVIM writes it anew by itself."
        if any(item.changed_by for item in fields):
            return False, "OVIM takes nothing from others here by itself: an order decides."
        return True, "OVIM writes it anew: nobody else has taken these fields."


_LOST = "It may have held data, so it is not made again by itself: an order decides."


def _unlike(wanted: Any, live: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Fields of `wanted` that `live` has otherwise, by path."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key, value in wanted.items():
            yield from _unlike(value, live.get(key), (*path, key))
    elif wanted != live and not _same_amount(path, wanted, live):
        yield path, wanted, live


def _same_amount(path: tuple[str, ...], wanted: Any, live: Any) -> bool:
    """A quantity written in another way: KubeVirt makes `1024Mi` a `1Gi`."""
    if path[:1] != ("spec",) or not (isinstance(wanted, str) and isinstance(live, str)):
        return False
    try:
        return quantities.parse(wanted) == quantities.parse(live)
    except quantities.NotExact:
        return False


def _field(ref: Ref, path: tuple[str, ...], wanted: Any, live: Any, entries: Iterable[Mapping[str, Any]]) -> FieldDrift:
    name = ".".join(path)
    owners = [entry for entry in entries if _owns(entry.get("fieldsV1") or {}, path)]
    last = max(owners, key=lambda entry: str(entry.get("time", "")), default=None)
    return FieldDrift(
        name,
        masked(ref, name, wanted),
        masked(ref, name, live),
        str(last["manager"]) if last else "",
        parse_datetime(str(last["time"])) if last and last.get("time") else None,
    )


def _owns(fields: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether an entry of `managedFields` has this path, or something above it as a whole."""
    for key in path:
        inner = fields.get(f"f:{key}")
        if inner is None:
            return False
        if not inner:
            return True
        fields = inner
    return True
