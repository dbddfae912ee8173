"""Whose object is it: rows that are committed before the first write and forgotten only when a live GET says gone.

Every function that writes does so fenced: the owner's row is locked, then the lease is proven, then it writes, in one
transaction (ENGINE §1, §2).
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Func
from django.db.models.functions import Now

from clusters import kinds
from clusters.apply import Held, Owner, Wanted, digest, owned_digest
from clusters.errors import Fenced
from clusters.models import InventoryItem, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref


@dataclass(frozen=True)
class Applied:
    """An answer of an apply, to be recorded: the uid it proved and the hashes that say it is as we left it."""

    held: Held
    live: dict[str, Any]
    wanted: Wanted | None  # None: only the uid is proven (found by its claim token), not what it holds


@contextmanager
def fenced(row: Reconciled, lease: Lease) -> Iterator[None]:
    """A transaction in which the owner's row is locked and the lease is ours until it commits."""
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update(no_key=True, of=("self",)).filter(pk=row.pk)
        if locked.values_list("pk").first() is None:
            raise Fenced
        lease.hold()
        yield


def of(row: Reconciled, destroyable: Callable[[Owner], bool]) -> list[Held]:
    """Everything this row's reconciler has written and not yet confirmed gone."""
    age = Func(F("checked_at"), template="EXTRACT(EPOCH FROM clock_timestamp() - %(expressions)s)")
    items = InventoryItem.objects.filter(
        owner_kind=kinds.of(row).name, owner_id=row.pk, tombstoned_at__isnull=True
    ).annotate(age=age)
    return [_held(item, destroyable) for item in items]


def _held(item: Any, destroyable: Callable[[Owner], bool]) -> Held:
    data_of = Owner(item.data_of_kind, item.data_of_id)
    ref = Ref(item.group, item.kind, item.namespace, item.name)
    return Held(
        pk=item.pk,
        ref=ref,
        data_of=data_of,
        token=item.claim_token,
        past_tokens=tuple(item.past_tokens),
        uid=item.uid,
        applied_hash=item.applied_hash,
        owned_hash=item.owned_hash,
        checked_seconds_ago=float(item.age) if item.age is not None else None,
        destroyable=ref.type.data and destroyable(data_of),
    )


CLAIM = """
INSERT INTO clusters_inventoryitem (owner_kind, owner_id, data_of_kind, data_of_id, cluster_id, "group", kind,
  namespace, name, claim_token, past_tokens, applied_hash, owned_hash)
SELECT %(owner_kind)s, %(owner_id)s, r.*, '{}', '', '' FROM unnest(%(data_kinds)s::text[], %(data_ids)s::uuid[],
  %(clusters)s::uuid[], %(groups)s::text[], %(kinds)s::text[], %(namespaces)s::text[], %(names)s::text[],
  %(tokens)s::uuid[]) AS r
ON CONFLICT (cluster_id, "group", kind, namespace, name) WHERE tombstoned_at IS NULL DO NOTHING
"""


def claim(row: Reconciled, wanted: Iterable[Wanted], held: Sequence[Held], lease: Lease) -> bool:
    """Record what is about to be created. What another row holds is not claimed. True: something was inserted."""
    have = {item.ref for item in held}
    new = sorted((item for item in wanted if item.ref not in have), key=lambda item: item.ref)
    if not new:
        return False
    owner = Owner(kinds.of(row).name, row.pk)
    data_of = [item.data_of or owner for item in new]
    with fenced(row, lease), connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "owner_kind": owner.kind,
                "owner_id": owner.id,
                "data_kinds": [item.kind for item in data_of],
                "data_ids": [item.id for item in data_of],
                "clusters": [lease.cluster_id] * len(new),
                "groups": [item.ref.group for item in new],
                "kinds": [item.ref.kind for item in new],
                "namespaces": [item.ref.namespace for item in new],
                "names": [item.ref.name for item in new],
                "tokens": [uuid.uuid4() for _ in new],
            },
        )
    return True


RECORD = """
UPDATE clusters_inventoryitem i SET uid = r.uid, checked_at = clock_timestamp(),
  applied_hash = CASE WHEN r.applied = '-' THEN i.applied_hash ELSE r.applied END,
  owned_hash = CASE WHEN r.applied = '-' THEN i.owned_hash ELSE r.owned END
FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[]) AS r(id, uid, applied, owned)
WHERE i.id = r.id AND i.tombstoned_at IS NULL
"""


def record(row: Reconciled, applied: Sequence[Applied], lease: Lease) -> None:
    """Record uids and hashes of what was applied."""
    if not applied:
        return
    with fenced(row, lease), connection.cursor() as cursor:
        cursor.execute(
            RECORD,
            [
                [item.held.pk for item in applied],
                [item.live["metadata"]["uid"] for item in applied],
                [digest(item.wanted.manifest) if item.wanted else "-" for item in applied],
                [owned_digest(item.live) for item in applied],
            ],
        )


def reset(row: Reconciled, held: Held, lease: Lease) -> None:
    """Our object is confirmed gone but still wanted: no uid, and a new claim token for the next creation."""
    with fenced(row, lease):
        InventoryItem.objects.filter(pk=held.pk).update(
            uid=None,
            claim_token=uuid.uuid4(),
            past_tokens=Func(
                F("past_tokens"), held.token, function="array_append", template="%(function)s(%(expressions)s::uuid)"
            ),
            applied_hash="",
            owned_hash="",
        )


def forget(row: Reconciled, held: Held, lease: Lease) -> None:
    """Confirmed gone and no longer wanted. The tombstone keeps all its tokens for a day: a late request may still land."""
    with fenced(row, lease):
        InventoryItem.objects.filter(pk=held.pk).update(tombstoned_at=Now())


def is_empty(row: Reconciled) -> bool:
    return not InventoryItem.objects.filter(
        owner_kind=kinds.of(row).name, owner_id=row.pk, tombstoned_at__isnull=True
    ).exists()


def owners_of(cluster_id: UUID, refs: Sequence[Ref]) -> dict[Ref, Owner]:
    """The rows whose objects these are, by key. What is in no inventory is nobody's."""
    if not refs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT i."group", i.kind, i.namespace, i.name, i.owner_kind, i.owner_id FROM clusters_inventoryitem i '
            "JOIN unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS r(g, k, ns, n) "
            'ON i."group" = r.g AND i.kind = r.k AND i.namespace = r.ns AND i.name = r.n '
            "WHERE i.cluster_id = %s AND i.tombstoned_at IS NULL",
            [
                [ref.group for ref in refs],
                [ref.kind for ref in refs],
                [ref.namespace for ref in refs],
                [ref.name for ref in refs],
                cluster_id,
            ],
        )
        return {Ref(*found[:4]): Owner(found[4], found[5]) for found in cursor.fetchall()}
