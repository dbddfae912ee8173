"""Whose object is it: rows that are committed before the first write and forgotten only when a live GET says gone.

Every function that writes does so fenced: the owner's row is locked, then the lease is proven, then it writes, in one
transaction (ENGINE §1, §2).
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Func
from django.db.models.functions import Now

from clusters import kinds, sql
from clusters.apply import Held, Owner, Wanted, digest, owned_digest
from clusters.models import InventoryItem, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref


@dataclass(frozen=True)
class Applied:
    """An answer of an apply, to be recorded: the uid it proved and the hashes that say it is as we left it."""

    held: Held
    live: dict[str, Any]
    wanted: Wanted | None  # None: only the uid is proven (found by its claim token), not what it holds

    def known(self) -> Held:
        """The inventory's row once this is recorded."""
        uid = UUID(self.live["metadata"]["uid"])
        if self.wanted is None:
            return replace(self.held, uid=uid, checked_seconds_ago=0.0)
        applied, owned = digest(self.wanted.manifest), owned_digest(self.live)
        return replace(self.held, uid=uid, applied_hash=applied, owned_hash=owned, checked_seconds_ago=0.0)


@contextmanager
def fenced(row: Reconciled, lease: Lease) -> Iterator[None]:
    """A transaction in which the owner's row is locked and the lease is ours until it commits."""
    with transaction.atomic():
        stroke(row, lease, "SELECT count(*) FROM held", {})
        yield


def stroke(row: Reconciled, lease: Lease, statement: str, params: Mapping[str, Any]) -> list[sql.Row]:
    """A fenced transaction that is one statement, in one round trip."""
    return lease.stroke(row, statement, params)


OF = """
SELECT id, "group", kind, namespace, name, data_of_kind, data_of_id, claim_token, past_tokens, uid, applied_hash,
  owned_hash, extract(epoch FROM clock_timestamp() - checked_at)::float8
FROM clusters_inventoryitem WHERE owner_kind = %s AND owner_id = %s::uuid AND tombstoned_at IS NULL
"""


def of(row: Reconciled, destroyable: Callable[[Owner], bool] | None = None) -> list[Held]:
    """Everything this row's reconciler has written and not yet confirmed gone."""
    items = [
        Held(
            pk=pk,
            ref=Ref(*ref),
            data_of=Owner(data_kind, data_id),
            token=token,
            past_tokens=tuple(past),
            uid=uid,
            applied_hash=applied,
            owned_hash=owned,
            checked_seconds_ago=age,
        )
        for pk, *ref, data_kind, data_id, token, past, uid, applied, owned, age in sql.run(
            OF, [kinds.of(row).name, row.pk]
        )
    ]
    return items if destroyable is None else judged(items, frozenset(), destroyable)


def judged(held: Iterable[Held], wanted: Collection[Ref], destroyable: Callable[[Owner], bool]) -> list[Held]:
    """Whether what is no longer wanted may be destroyed. Asked only for that: each answer is a look at a row."""
    return [
        replace(item, destroyable=destroyable(item.data_of)) if item.ref.type.data and item.ref not in wanted else item
        for item in held
    ]


CLAIM = """, made AS (
  INSERT INTO clusters_inventoryitem (owner_kind, owner_id, data_of_kind, data_of_id, cluster_id, "group", kind,
    namespace, name, claim_token, past_tokens, applied_hash, owned_hash)
  SELECT %(owner_kind)s::text, %(owner)s::uuid, r.data_kind, r.data_id, %(cluster)s::uuid, r.grp, r.kind, r.namespace,
    r.name, r.token, '{}', '', ''
  FROM held, unnest(%(data_kinds)s::text[], %(data_ids)s::uuid[], %(groups)s::text[], %(kinds)s::text[],
    %(namespaces)s::text[], %(names)s::text[], %(tokens)s::uuid[])
    WITH ORDINALITY AS r(data_kind, data_id, grp, kind, namespace, name, token, place) ORDER BY r.place
  ON CONFLICT (cluster_id, "group", kind, namespace, name) WHERE tombstoned_at IS NULL DO NOTHING
  RETURNING id, claim_token)
SELECT (SELECT count(*) FROM held), made.id, made.claim_token FROM (SELECT 1) AS one LEFT JOIN made ON true
"""


def claim(row: Reconciled, wanted: Iterable[Wanted], held: Sequence[Held], lease: Lease) -> list[Held]:
    """Record what is about to be created, and answer that. What another row holds is not claimed."""
    have = {item.ref for item in held}
    new = sorted((item for item in wanted if item.ref not in have), key=lambda item: item.ref)
    if not new:
        return []
    owner = Owner(kinds.of(row).name, row.pk)
    data_of = [item.data_of or owner for item in new]
    tokens = [uuid.uuid4() for _ in new]
    made = stroke(
        row,
        lease,
        CLAIM,
        {
            "owner_kind": owner.kind,
            "cluster": lease.cluster_id,
            "data_kinds": [item.kind for item in data_of],
            "data_ids": [item.id for item in data_of],
            "groups": [item.ref.group for item in new],
            "kinds": [item.ref.kind for item in new],
            "namespaces": [item.ref.namespace for item in new],
            "names": [item.ref.name for item in new],
            "tokens": tokens,
        },
    )
    keys = {token: pk for _, pk, token in made}
    found = zip(new, data_of, tokens, strict=True)
    return [Held(keys[token], item.ref, data, token) for item, data, token in found if token in keys]


RECORD = """, done AS (
  UPDATE clusters_inventoryitem i SET uid = r.uid, checked_at = clock_timestamp(),
    applied_hash = CASE WHEN r.applied = '-' THEN i.applied_hash ELSE r.applied END,
    owned_hash = CASE WHEN r.applied = '-' THEN i.owned_hash ELSE r.owned END
  FROM held, unnest(%(ids)s::bigint[], %(uids)s::uuid[], %(applied)s::text[], %(owned)s::text[])
    AS r(id, uid, applied, owned)
  WHERE i.id = r.id AND i.tombstoned_at IS NULL RETURNING 1)
SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM done)
"""


def record(row: Reconciled, applied: Sequence[Applied], lease: Lease) -> None:
    """Record uids and hashes of what was applied."""
    if not applied:
        return
    stroke(
        row,
        lease,
        RECORD,
        {
            "ids": [item.held.pk for item in applied],
            "uids": [item.live["metadata"]["uid"] for item in applied],
            "applied": [digest(item.wanted.manifest) if item.wanted else "-" for item in applied],
            "owned": [owned_digest(item.live) for item in applied],
        },
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
