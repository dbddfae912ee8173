"""Desired state, inventory and the observed cache give a ChangeSet: data, the same for doing and for showing.

Pure: no Django, no I/O. The rules are ENGINE.md §2 and §3.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from clusters.refs import Manifest, Ref, ref_of, volume_of

MANAGER = "ovim"
CLAIM = "ovim.io/claim"
APPLIED = "ovim.io/applied"
INSTALLATION = "ovim.io/installation"
RECHECK_SECONDS = 4 * 3600.0  # of what is not watched (Secrets)
FRESH_SECONDS = 30.0  # and of what something is about to begin with
MASK = "•••"


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    CHECK = "check"  # not watched: look live whether it is still as we left it
    DELETE = "delete"
    REFUSED = "refused"
    LOST = "lost"  # a disk that held data is gone: never replaced by an empty one
    REMAKE = "remake"  # unless somebody has ordered just that


@dataclass(frozen=True)
class Owner:
    """A row, by kind and id."""

    kind: str
    id: UUID


@dataclass(frozen=True)
class Wanted:
    """One object of the desired state.

    `data_of`: the row whose deletion alone destroys it (default: the reconciled row).
    `after`: claimed only once the uids of these are recorded. `before`: created only while this is not in the
    inventory. Together they keep a disk from being made again after its VM could have written to it (ENGINE §3).
    `first`: as `after`, until it has been made: what it reads when it begins. Later it goes on without them.
    `remake`: the uid of a lost disk that is to be made anew by order; of any other uid the order says nothing.
    """

    manifest: Manifest
    data_of: Owner | None = None
    after: tuple[Ref, ...] = ()
    before: Ref | None = None
    first: tuple[Ref, ...] = ()
    remake: UUID | None = None

    def needs(self, *, made: bool) -> tuple[Ref, ...]:
        """What has to be in order before it is applied. `made`: its uid is on record."""
        return self.after if made else (*self.after, *self.first)

    def has_its_turn(self, known: Collection[Ref]) -> bool:
        """Whether it may be claimed and applied. `known`: what has a uid on record."""
        return all(ref in known for ref in self.needs(made=self.ref in known))

    @cached_property
    def ref(self) -> Ref:
        return ref_of(self.manifest)

    @cached_property
    def digest(self) -> str:
        return digest(self.manifest)


@dataclass(frozen=True)
class Held:
    """An inventory row as a value. `destroyable`: its `data_of` row is to be deleted, or is gone."""

    pk: int
    ref: Ref
    data_of: Owner
    token: UUID
    past_tokens: tuple[UUID, ...] = ()
    uid: UUID | None = None
    applied_hash: str = ""
    owned_hash: str = ""
    checked_seconds_ago: float | None = None
    destroyable: bool = False

    @property
    def tokens(self) -> tuple[UUID, ...]:
        """All that it was ever claimed by."""
        return (self.token, *self.past_tokens)


@dataclass(frozen=True)
class Seen:
    """An object as the cache has it."""

    uid: UUID
    resource_version: int
    body: Mapping[str, Any]
    owned_hash: str = ""


@dataclass(frozen=True)
class Difference:
    """One field that an update changes. `old` or `new` None: not there."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    """What is to be done to one object, and why. `volume`: of a disk, what the inventory has of its claim."""

    action: Action
    ref: Ref
    wanted: Wanted | None = None
    held: Held | None = None
    why: str = ""
    differences: tuple[Difference, ...] = field(default=())
    volume: Held | None = None


ChangeSet = list[Change]


def digest(value: Any) -> str:
    """A hash that is the same for equal JSON, whatever the order of keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def owned_digest(live: Mapping[str, Any]) -> str:
    """The hash of our own entry in `managedFields`; empty when we own nothing."""
    entry = our_entry(live)
    return digest(entry["fieldsV1"]) if entry else ""


def our_entry(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for entry in live["metadata"].get("managedFields") or ():
        if entry["manager"] == MANAGER and entry["operation"] == "Apply" and not entry.get("subresource"):
            return entry  # type: ignore[no-any-return]
    return None


def still_ours(live: Mapping[str, Any], paths: Iterable[str]) -> bool:
    """Whether our own apply still owns all these fields (as conflicts name them: `.spec.a.b`).

    Whoever changes a field takes it from our entry. So of one that is ours and another's, nobody has changed the value
    since we wrote it: the other merely wrote the same, before us or after.
    """
    entry = our_entry(live)
    owned = set(_leaf_paths(entry["fieldsV1"], "")) if entry else set()
    return all(path in owned for path in paths)


def _leaf_paths(fields: Mapping[str, Any], path: str) -> Iterable[str]:
    for key, inner in fields.items():
        name = key.removeprefix("f:")
        if inner:
            yield from _leaf_paths(inner, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def others_entries(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who else writes an object of ours, status aside: the entries of `managedFields` that drift is explained by.

    Of a virtual machine that is not ours: who made it, without the fields.
    """
    ours, machine = our_entry(live) is not None, live["kind"] == "VirtualMachine"
    if not (ours or machine):
        return []
    kept = ("manager", "operation", "time", "fieldsV1") if ours else ("manager", "operation", "time")
    return [
        {key: entry[key] for key in kept if key in entry}
        for entry in live["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and not (entry["manager"] == MANAGER and entry["operation"] == "Apply")
    ]


def token_of(live: Mapping[str, Any]) -> UUID | None:
    """The claim token of an object that our own apply put there. An annotation that was copied proves nothing."""
    entry = our_entry(live)
    if entry is None:
        return None
    owned = entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})
    token = (live["metadata"].get("annotations") or {}).get(CLAIM, "")
    try:
        return UUID(token) if f"f:{CLAIM}" in owned else None
    except ValueError:
        return None


def owns(held: Held, live: Mapping[str, Any]) -> bool:
    """By its uid, or by a claim of ours whose answer, or whose sender, was lost."""
    return live["metadata"]["uid"] == str(held.uid) or token_of(live) in held.tokens


def stamped(wanted: Wanted, held: Held, installation: UUID) -> Manifest:
    """The body to apply: the manifest with our marks. The uid pins it; without one it is create-only (ENGINE §2)."""
    metadata = dict(wanted.manifest["metadata"])
    metadata["labels"] = {
        **metadata.get("labels", {}),
        "app.kubernetes.io/managed-by": MANAGER,
        INSTALLATION: str(installation),
    }
    metadata["annotations"] = {
        **metadata.get("annotations", {}),
        CLAIM: str(held.token),
        APPLIED: wanted.digest,
    }
    if held.uid is None:
        metadata["resourceVersion"] = "1"
    else:
        metadata["uid"] = str(held.uid)
    return {**wanted.manifest, "metadata": metadata}


def plan(
    wanted: Iterable[Wanted], held: Sequence[Held], seen: Mapping[Ref, Seen], *, keep: Collection[Ref] = ()
) -> ChangeSet:
    """Creates and updates in kind order, then deletes in reverse. What is unchanged is in it, too: nothing is implied.

    `keep`: wanted as well, but its turn has not come (`Wanted.after`): neither made nor deleted.
    """
    by_ref = {item.ref: item for item in held}
    desired = sorted(wanted, key=lambda item: (item.ref.type.rank, item.ref))
    begun_with = {ref for item in desired if item.ref in by_ref and not by_ref[item.ref].uid for ref in item.first}
    changes = [_change(item, by_ref[item.ref], by_ref, seen, begun_with) for item in desired if item.ref in by_ref]
    kept = with_volumes({item.ref for item in desired} | set(keep))
    changes += [Change(Action.UNCHANGED, ref, None, item) for ref, item in by_ref.items() if _grows(ref, kept)]
    dropped = sorted((item for item in held if item.ref not in kept), key=_removal_order)
    return changes + [_removal(item, by_ref) for item in dropped]


def with_volumes(refs: Iterable[Ref]) -> set[Ref]:
    """These, and the claims that the disks among them become: those are kept as long as their disks are."""
    named = set(refs)
    return named | {volume_of(ref) for ref in named if ref.kind == "DataVolume"}


def _grows(ref: Ref, kept: Collection[Ref]) -> bool:
    return ref.type.grown and ref in kept


def _removal_order(item: Held) -> tuple[int, bool, Ref]:
    """Kinds in reverse; what grew out of another goes by itself, so it is looked at after that."""
    return -item.ref.type.rank, item.ref.type.grown, item.ref


def _change(
    wanted: Wanted, held: Held, inventory: Mapping[Ref, Held], seen: Mapping[Ref, Seen], begun_with: Collection[Ref]
) -> Change:
    live = seen.get(wanted.ref)
    if wanted.ref.type.keeps_data:
        return _disk_change(wanted, held, inventory, seen)
    if held.uid is None:
        return Change(Action.CREATE, wanted.ref, wanted, held, "not there yet")
    if not wanted.ref.type.watched:
        return _unwatched_change(wanted, held, FRESH_SECONDS if wanted.ref in begun_with else RECHECK_SECONDS)
    if live is None or live.uid != held.uid:
        return Change(Action.UPDATE, wanted.ref, wanted, held, "the cache does not have it")
    why = _why_apply(wanted, held, live)
    if not why:
        return Change(Action.UNCHANGED, wanted.ref, wanted, held)
    return Change(Action.UPDATE, wanted.ref, wanted, held, why, tuple(differences(wanted.manifest, live.body)))


def _why_apply(wanted: Wanted, held: Held, live: Seen) -> str:
    """Empty iff unchanged: hash of the desired = the live annotation = what we recorded, and we own what we owned.

    The annotation catches a late request of a fenced-off worker, which field ownership alone does not show.
    """
    desired = wanted.digest
    annotation = (live.body["metadata"].get("annotations") or {}).get(APPLIED)
    if desired != held.applied_hash:
        return "the desired state changed"
    if annotation != desired:
        return "someone applied another desired state"
    if live.owned_hash != held.owned_hash:
        return "the fields that are ours were changed"
    return ""


def _unwatched_change(wanted: Wanted, held: Held, seconds: float) -> Change:
    if wanted.digest != held.applied_hash:
        return Change(Action.UPDATE, wanted.ref, wanted, held, "the desired state changed")
    if held.checked_seconds_ago is None or held.checked_seconds_ago > seconds:
        return Change(Action.CHECK, wanted.ref, wanted, held, "not looked at for long")
    return Change(Action.UNCHANGED, wanted.ref, wanted, held)


def _disk_change(wanted: Wanted, held: Held, inventory: Mapping[Ref, Held], seen: Mapping[Ref, Seen]) -> Change:
    """A disk is created once, before its VM is claimed, and never again; its spec is frozen then (ENGINE §3).

    The bytes are in its volume: once that is known by uid, another of its name is not it.
    """
    may_hold_data = wanted.before is not None and wanted.before in inventory
    live = seen.get(wanted.ref)
    there = held.uid is not None and live is not None and live.uid == held.uid
    volume = inventory.get(volume_of(wanted.ref))
    if not may_hold_data:
        if there:
            return Change(Action.UNCHANGED, wanted.ref, wanted, held)
        if held.uid is None:
            return Change(Action.CREATE, wanted.ref, wanted, held, "not there yet")
        return Change(Action.UPDATE, wanted.ref, wanted, held, "the cache does not have it")
    if held.uid is None and wanted.remake is not None:
        return Change(Action.CREATE, wanted.ref, wanted, held, "made anew by order")
    if _is_intact(wanted.ref, volume, seen, there=there):
        return Change(Action.UNCHANGED, wanted.ref, wanted, held, "" if there else "its volume is there")
    action = Action.REMAKE if wanted.remake is not None and wanted.remake == held.uid else Action.LOST
    return Change(action, wanted.ref, wanted, held, "it may have held data", volume=volume)


def is_filled(disk: Mapping[str, Any]) -> bool:
    """A DataVolume whose volume has its data: from then on the volume is the disk, and CDI makes no other."""
    return bool((disk.get("status") or {}).get("phase") == "Succeeded")


def _is_intact(disk: Ref, volume: Held | None, seen: Mapping[Ref, Seen], *, there: bool) -> bool:
    """As far as the cache tells: the volume that was recorded is there; while none was, the DataVolume is.

    One that is filled and has no volume, recorded or not, is worth a live look: somebody may have been quicker than we.
    """
    claim = seen.get(volume_of(disk))
    if volume is None:
        return there and (claim is not None or not is_filled(seen[disk].body))
    return (
        claim is not None and claim.uid == volume.uid and (there or "deletionTimestamp" not in claim.body["metadata"])
    )


def _removal(held: Held, inventory: Mapping[Ref, Held]) -> Change:
    if held.ref.type.data and not held.destroyable:
        return Change(Action.REFUSED, held.ref, None, held, "would destroy data")
    volume = inventory.get(volume_of(held.ref)) if held.ref.kind == "DataVolume" else None
    return Change(Action.DELETE, held.ref, None, held, "no longer wanted", volume=volume)


def differences(wanted: Any, live: Any, path: str = "") -> Iterable[Difference]:
    """Fields of `wanted` that `live` has otherwise. What only `live` has is not ours to compare."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key, value in wanted.items():
            yield from differences(value, live.get(key), f"{path}.{key}" if path else key)
    elif wanted != live:
        yield Difference(path, live, wanted)


def shown(changes: ChangeSet) -> list[dict[str, Any]]:
    """The ChangeSet as people and the API see it: Secrets and cloud-init masked."""
    return [
        {
            "action": str(change.action),
            "kind": change.ref.kind,
            "namespace": change.ref.namespace,
            "name": change.ref.name,
            "why": change.why,
            "differences": [{"path": item.path, **_masked(change.ref, item)} for item in change.differences],
        }
        for change in changes
    ]


def _masked(ref: Ref, item: Difference) -> dict[str, Any]:
    return {"old": masked(ref, item.path, item.old), "new": masked(ref, item.path, item.new)}


# Texts inside a cloud-init volume; what refers to a Secret by name is none.
_SECRET_TEXTS = frozenset({"userData", "userDataBase64", "networkData", "networkDataBase64"})


def masked(ref: Ref, path: str, value: Any) -> Any:
    """A value as it may be shown: Secrets and cloud-init hidden, at any depth of a list that is compared as a whole."""
    if ref.kind == "Secret" or "cloudInit" in path or "userData" in path:
        return MASK
    return _without_secrets(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: MASK if key in _SECRET_TEXTS else _without_secrets(inner) for key, inner in value.items()}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value
