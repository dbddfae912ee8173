"""Verbs of system admins on the engine's own rows, for when something is stuck (ADR 10). Services, like `clusters.services`.

They change rows and ask for work; what is done in a cluster is still done by reconcilers alone. Each says in a sentence
what came of it. Locks: the row, then its work item (ENGINE §1).
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clusters import connections, doubts, kinds, observed, queue, status
from clusters.apply import owned_digest, token_of
from clusters.errors import KubeError
from clusters.models import InventoryItem, Reconciled, WorkItem
from clusters.queue import Key
from clusters.refs import Ref
from core import access, audit, rows
from core.actor import Actor
from core.errors import Conflict, NotFound, Unavailable
from core.rights import Right

# Longer than a lease and a request's timeouts together: what a fenced-off worker sent has landed by then.
TOMBSTONE_SECONDS = 600


@transaction.atomic
def retry(*, actor: Actor, item: WorkItem) -> str:
    """Due now, as if it had never failed."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    row = _locked_row(item.kind, item.object_id)
    item = rows.lock(item)
    if row is not None and row.suspended_at is not None:
        raise Conflict("Its row is suspended: resume it first.")
    if _leased(item):
        raise Conflict("A worker has it at this moment. If that worker is dead, release the lease.")
    queue.request_keys([Key(item.kind, item.object_id, item.cluster_id, item.tenant)])
    before = {"attempts": item.attempts, "due_at": item.due_at, "last_error": item.last_error}
    audit.record(
        actor, "work.retry", _about(item.kind, item.object_id, row), organization_id=item.tenant, before=_plain(before)
    )
    return "It is due now."


@transaction.atomic
def release_lease(*, actor: Actor, item: WorkItem) -> str:
    """Take the item from the worker that has it. That worker is fenced off before its next write."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    row = _locked_row(item.kind, item.object_id)
    item = rows.lock(item)
    if item.lease_token is None:
        raise Conflict("No worker has it.")
    before = {"lease_token": item.lease_token, "leased_until": item.leased_until}
    WorkItem.objects.filter(pk=item.pk).update(lease_token=None, leased_until=None)
    queue.request_keys([Key(item.kind, item.object_id, item.cluster_id, item.tenant)])
    audit.record(
        actor,
        "work.release_lease",
        _about(item.kind, item.object_id, row),
        organization_id=item.tenant,
        before=_plain(before),
    )
    return "The lease is released; the item is due now."


@transaction.atomic
def reconcile_now(*, actor: Actor, row: Reconciled) -> str:
    """Have the row looked at now, changed or not."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    row = rows.lock(row)
    if row.suspended_at is not None:
        raise Conflict("It is suspended: resume it first.")
    queue.request(row)
    audit.record(actor, "row.reconcile", row, organization_id=row.tenant_pk())
    return "It is requested."


@transaction.atomic
def suspend(*, actor: Actor, row: Reconciled, reason: str = "") -> str:
    """Leave the row alone, its deletion included, until it is resumed. A run under way is fenced off."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    row = rows.lock(row)
    if row.suspended_at is not None:
        raise Conflict("It is suspended already.")
    name, reason = kinds.of(row).name, " ".join(reason.split())[:255]
    type(row)._default_manager.filter(pk=row.pk).update(suspended_at=timezone.now(), suspended_because=reason)
    WorkItem.objects.filter(kind=name, object_id=row.pk).update(lease_token=None, leased_until=None)
    queue.request(row)  # so that its conditions say so
    audit.record(actor, "row.suspend", row, organization_id=row.tenant_pk(), after={"reason": reason})
    return "It is suspended."


@transaction.atomic
def resume(*, actor: Actor, row: Reconciled) -> str:
    """Reconcile the row again, from now on."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    row = rows.lock(row)
    if row.suspended_at is None:
        raise Conflict("It is not suspended.")
    type(row)._default_manager.filter(pk=row.pk).update(suspended_at=None, suspended_because="")
    queue.request(row)
    before = {"since": row.suspended_at, "reason": row.suspended_because}
    audit.record(actor, "row.resume", row, organization_id=row.tenant_pk(), before=_plain(before))
    return "It is resumed and requested."


@transaction.atomic
def forget_tombstone(*, actor: Actor, item: InventoryItem) -> str:
    """Drop the memory of an object that is gone. What a late request of ours still makes of it would stay."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    item = rows.lock(item)
    if item.tombstoned_at is None:
        raise Conflict("It is no tombstone: the object is still in the inventory.")
    if timezone.now() - item.tombstoned_at < timedelta(seconds=TOMBSTONE_SECONDS):
        raise Conflict(f"It is younger than {TOMBSTONE_SECONDS // 60} minutes: a request may still be under way.")
    row = _row(item.owner_kind, item.owner_id)
    before = _plain({"object": item, "cluster": item.cluster_id, "tombstoned_at": item.tombstoned_at})
    audit.record(
        actor,
        "inventory.forget",
        _about(item.owner_kind, item.owner_id, row),
        organization_id=_tenant(row),
        before=before,
    )
    item.delete()
    return "It is forgotten."


def recheck(*, actor: Actor, item: InventoryItem) -> str:
    """Read the object live, bring the cache up to date and have its owner reconciled. Writes nothing to the cluster."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    ref = Ref(item.group, item.kind, item.namespace, item.name)
    try:
        live = connections.client_of(item.cluster_id).get(ref)
    except KubeError as error:
        raise Unavailable(f"The cluster did not answer for {ref}: {error}") from error
    found = _verdict(item, ref, live)
    with transaction.atomic():
        row = _locked_row(item.owner_kind, item.owner_id)
        if not ref.type.watched:
            InventoryItem.objects.filter(pk=item.pk).update(checked_at=None)  # the next run looks itself
        elif live is not None:
            observed.store(item.cluster_id, [live])
        elif item.uid is not None:
            observed.drop(item.cluster_id, [(ref, item.uid)])
        if row is not None:
            queue.request(row)
        audit.record(
            actor,
            "inventory.recheck",
            _about(item.owner_kind, item.owner_id, row),
            organization_id=_tenant(row),
            after={str(ref): found},
        )
    return found


def _verdict(item: InventoryItem, ref: Ref, live: Any) -> str:
    if live is None:
        return "There is no such object in the cluster."
    uid = live["metadata"]["uid"]
    if item.uid is None:
        if token_of(live) in item.tokens:
            return "It is there and ours; its uid was not recorded yet."
        if doubts.may_be_ours(live, ref, item.tokens, status.installation()):
            return doubts.told(ref, uid)
        return "Something that is not ours has the name."
    if str(item.uid) != uid:
        return f"Another object has the name now: its uid is {uid}, ours was {item.uid}."
    if item.owned_hash and owned_digest(live) != item.owned_hash:
        return "It is there, but fields that are ours were changed."
    return "It is there as we left it."


def _row(kind: str, pk: UUID) -> Reconciled | None:
    known = kinds.registry().get(kind)
    return known.get(pk) if known is not None else None


def _locked_row(kind: str, pk: UUID) -> Reconciled | None:
    """The row that a work item or an object is about, locked; None when it is gone."""
    row = _row(kind, pk)
    if row is None:
        return None
    try:
        return rows.lock(row)
    except NotFound:
        return None


def _leased(item: WorkItem) -> bool:
    return item.leased_until is not None and item.leased_until > timezone.now()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As the audit log keeps it: JSON."""
    return {key: value if value is None or isinstance(value, int) else str(value) for key, value in values.items()}


def _about(kind: str, pk: UUID, row: Reconciled | None) -> Reconciled:
    """Whom the audit log tells it of: the row, or a stand-in with its id where it is gone."""
    return row if row is not None else kinds.by_name(kind).rows()(id=pk)


def _tenant(row: Reconciled | None) -> UUID | None:
    return row.tenant_pk() if row is not None else None
