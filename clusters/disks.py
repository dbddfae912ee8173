"""A disk is what it holds: it is never made anew by itself, and it is gone when its volume is (ENGINE §2, §3)."""

from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters import inventory, observed, volumes
from clusters.apply import Held, Wanted, is_filled, owns
from clusters.client import Object
from clusters.hand import Hand
from clusters.refs import Ref, disk_of, volume_of
from clusters.steps import Steps

USED_SECONDS = 30.0


def lost(hand: Hand, wanted: Wanted, held: Held, volume: Held | None) -> Steps[None]:
    """A disk or its volume is not in the cache although its VM exists: only a live look can tell (ENGINE §3)."""
    live = yield from hand.get(wanted.ref)
    claim = yield from hand.get(volume_of(wanted.ref))
    ours = live is not None and owns(held, live)
    if claim is not None and _is_volume(claim, held, volume):
        observed.store(hand.lease.cluster_id, [claim])
    elif not ours or volume is not None or (claim is None and live is not None and is_filled(live)):
        _say_lost(hand, wanted.ref, claim)
        return
    if live is not None and ours:
        hand.done(wanted, held, live)
    else:
        hand.report.acknowledged.add(wanted.ref)


def remake(hand: Hand, wanted: Wanted, held: Held, volume: Held | None) -> Steps[None]:
    """By order: what is left of a lost disk goes, then it is claimed anew, under a new token, to be created."""
    yield from lost(hand, wanted, held, volume)
    if hand.report.problems.pop(wanted.ref, None) is None:
        return  # it is there after all: nothing to be made
    live = yield from hand.get(wanted.ref)
    if live is not None and owns(held, live):
        yield from hand.delete_uid(wanted.ref, live["metadata"]["uid"])
        hand.report.waiting.append(wanted.ref)
        return
    claim = yield from hand.get(volume_of(wanted.ref))
    if claim is None:
        if volume is not None:
            inventory.forget(hand.row, volume, hand.lease)
        inventory.reset(hand.row, held, hand.lease)
        hand.report.again = True
    elif "deletionTimestamp" in claim["metadata"] or observed.controller_of(claim) == str(held.uid):
        hand.report.waiting.append(wanted.ref)
    else:
        message = f"{volume_of(wanted.ref)} is there and not this disk's: it has to go before one is made anew."
        hand.problem(wanted.ref, "NameTaken", "NameTaken", message)


def volume_is_gone(hand: Hand, held: Held, volume: Held | None) -> Steps[bool]:
    """A disk is gone when its volume is: until then its quota is held and its name is taken."""
    claim = yield from hand.get(volume_of(held.ref))
    if claim is None:
        return True
    if "deletionTimestamp" in claim["metadata"] or observed.controller_of(claim) == str(held.uid):
        _wait_for(hand, volume_of(held.ref), claim)
        return False
    uid = claim["metadata"]["uid"]
    if UUID(uid) in hand.left:
        return True
    observed.store(hand.lease.cluster_id, [claim])
    why = "that OVIM can't prove to be this disk's"
    if volume is not None and str(volume.uid) == uid:
        why = "that was this disk's and no longer goes with it"
    hand.problem(
        held.ref,
        "Unproven",
        "VolumeLeft",
        f"A PersistentVolumeClaim {held.ref.name} (uid {uid}) is there {why}: "
        "remove it by hand if it is not needed, and the disk goes, too.",
    )
    return False


def _wait_for(hand: Hand, volume: Ref, claim: Object) -> None:
    """A volume that is in use does not go. If that takes longer than a machine takes to stop, say who uses it."""
    since = parse_datetime(str(claim["metadata"].get("deletionTimestamp", "")))
    if since is not None and (timezone.now() - since).total_seconds() > USED_SECONDS:
        pods = volumes.users(hand.lease.cluster_id, volume)
        hand.report.used_by += [f"{volume} is used by {pod}." for pod in pods]
    hand.report.waiting.append(volume)


def let_go(hand: Hand, volume: Held) -> Steps[None]:
    """A volume goes with its disk, never by our own hand: it is forgotten when a live look finds its uid gone."""
    if {volume.ref, disk_of(volume.ref)} & {*hand.report.problems, *hand.report.waiting}:
        return
    claim = yield from hand.get(volume.ref)
    if claim is not None and claim["metadata"]["uid"] == str(volume.uid) and volume.uid not in hand.left:
        hand.report.waiting.append(volume.ref)
        return
    inventory.forget(hand.row, volume, hand.lease)
    if volume.uid is not None:
        observed.drop(hand.lease.cluster_id, [(volume.ref, volume.uid)])


def _say_lost(hand: Hand, ref: Ref, claim: Object | None) -> None:
    other = (
        f" The PersistentVolumeClaim that has its name (uid {claim['metadata']['uid']}) is another." if claim else ""
    )
    hand.problem(
        ref,
        "DiskLost",
        "Replaced" if claim else "Gone",
        f"{ref} is gone. It may have held data, so it is not made again by itself; the VM is held.{other}",
    )


def _is_volume(claim: Object, disk: Held, volume: Held | None) -> bool:
    """Whether a claim is the disk's: by its uid once that was proven, before that by its controller (ENGINE §2)."""
    if volume is not None:
        return bool(claim["metadata"]["uid"] == str(volume.uid))
    return disk.uid is not None and observed.controller_of(claim) == str(disk.uid)
