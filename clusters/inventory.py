"""Whose object is it: rows that are committed before the first write and forgotten only when a live GET says gone.

Every function that writes does so fenced: the owner's row is locked, then the lease is proven, then it writes, in one
transaction (ENGINE §1, §2). What a round of rows asks for alike is one statement.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Func
from django.db.models.functions import Now

from clusters import fence, kinds, sql
from clusters.apply import Held, Owner
from clusters.errors import Fenced
from clusters.models import InventoryItem, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref, keys_of
from clusters.steps import Claim, Record


@contextmanager
def fenced(row: Reconciled, lease: Lease) -> Iterator[None]:
    """A transaction in which the owner's row is locked and the lease is ours until it commits."""
    with transaction.atomic():
        table = row._meta.db_table
        if not fence.stroke(table, [row.pk], [lease.token], "SELECT object_id FROM held", {}):
            raise Fenced
        yield


OF = """
SELECT owner_id, id, "group", kind, namespace, name, data_of_kind, data_of_id, claim_token, past_tokens, uid,
  applied_hash, owned_hash, extract(epoch FROM clock_timestamp() - checked_at)::float8
FROM clusters_inventoryitem
WHERE owner_kind = %s AND owner_id = ANY(%s::uuid[]) AND tombstoned_at IS NULL ORDER BY owner_id
"""


def of(rows: Sequence[Reconciled]) -> dict[UUID, tuple[Held, ...]]:
    """Everything that the reconcilers of these rows, all of one kind, have written and not yet confirmed gone."""
    found = sql.run(OF, [kinds.of(rows[0]).name, [row.pk for row in rows]])
    return {owner: tuple(map(_held, lines)) for owner, lines in groupby(found, key=lambda line: UUID(str(line[0])))}


def _held(line: sql.Row) -> Held:
    _owner, pk, group, kind, namespace, name, data_kind, data_id, token, past, uid, applied, owned, age = line
    return Held(
        pk=pk,
        ref=Ref(group, kind, namespace, name),
        data_of=Owner(data_kind, data_id),
        token=token,
        past_tokens=tuple(past),
        uid=uid,
        applied_hash=applied,
        owned_hash=owned,
        checked_seconds_ago=age,
    )


def judged(held: Iterable[Held], wanted: Collection[Ref], destroyable: Callable[[Owner], bool]) -> list[Held]:
    """Whether what is no longer wanted may be destroyed. Asked only for that: each answer is a look at a row."""
    return [
        replace(item, destroyable=destroyable(item.data_of)) if item.ref.type.data and item.ref not in wanted else item
        for item in held
    ]


CLAIM = """, made AS (
  INSERT INTO clusters_inventoryitem (owner_kind, owner_id, data_of_kind, data_of_id, cluster_id, "group", kind,
    namespace, name, claim_token, past_tokens, applied_hash, owned_hash)
  SELECT %(owner_kind)s::text, r.owner, r.data_kind, r.data_id, %(cluster)s::uuid, r.grp, r.kind, r.namespace,
    r.name, r.token, '{}', '', ''
  FROM unnest(%(of)s::uuid[], %(data_kinds)s::text[], %(data_ids)s::uuid[], %(groups)s::text[], %(kinds)s::text[],
    %(namespaces)s::text[], %(names)s::text[], %(tokens)s::uuid[])
    WITH ORDINALITY AS r(owner, data_kind, data_id, grp, kind, namespace, name, token, place)
  JOIN held ON held.object_id = r.owner ORDER BY r.place
  ON CONFLICT (cluster_id, "group", kind, namespace, name) WHERE tombstoned_at IS NULL DO NOTHING
  RETURNING id, claim_token)
SELECT object_id, NULL::bigint, NULL::uuid FROM held UNION ALL SELECT NULL, id, claim_token FROM made
"""


def claim(asked: Sequence[Claim]) -> list[list[Held] | Fenced]:
    """Record what is about to be created, for rows of one kind. What another row holds is not claimed."""
    first = asked[0]
    owner_kind = kinds.of(first.row).name
    new = [
        (item, step, item.data_of or Owner(owner_kind, step.row.pk), uuid.uuid4())
        for step in asked
        for item in step.new
    ]
    new.sort(key=lambda line: line[0].ref)
    found = fence.stroke(
        first.row._meta.db_table,
        [step.row.pk for step in asked],
        [step.lease.token for step in asked],
        CLAIM,
        {
            "owner_kind": owner_kind,
            "cluster": first.lease.cluster_id,
            "of": [step.row.pk for _, step, _, _ in new],
            "data_kinds": [data.kind for _, _, data, _ in new],
            "data_ids": [data.id for _, _, data, _ in new],
            **keys_of(item.ref for item, _, _, _ in new),
            "tokens": [token for _, _, _, token in new],
        },
    )
    ours = {owner for owner, _, _ in found}
    keys = {token: pk for _, pk, token in found}
    made: dict[UUID, list[Held]] = {}
    for item, step, data, token in new:
        if token in keys:
            made.setdefault(step.row.pk, []).append(Held(keys[token], item.ref, data, token))
    return [made.get(step.row.pk, []) if step.row.pk in ours else Fenced() for step in asked]


# Its commit waits for the disk: of a uid that a crash undid the claim token is the only proof left, and anybody can take
# that off.
# By primary key and nothing else: to a planner whose statistics are older than the table has grown, an index that covers
# all of it looks as good.
RECORD = """, done AS (
  UPDATE clusters_inventoryitem i SET uid = r.uid, checked_at = clock_timestamp(),
    applied_hash = CASE WHEN r.applied = '-' THEN i.applied_hash ELSE r.applied END,
    owned_hash = CASE WHEN r.applied = '-' THEN i.owned_hash ELSE r.owned END
  FROM held, unnest(%(of)s::uuid[], %(ids)s::bigint[], %(uids)s::uuid[], %(applied)s::text[], %(owned)s::text[])
    AS r(owner, id, uid, applied, owned)
  WHERE i.id = r.id AND i.id = ANY(%(ids)s::bigint[]) AND held.object_id = r.owner
    AND coalesce(i.tombstoned_at, 'infinity') = 'infinity')
SELECT object_id FROM held
"""


def record(asked: Sequence[Record]) -> list[Fenced | None]:
    """Record uids and hashes of what was applied, for rows of one kind."""
    applied = [(step.row.pk, item, item.known) for step in asked for item in step.applied]
    found = fence.stroke(
        asked[0].row._meta.db_table,
        [step.row.pk for step in asked],
        [step.lease.token for step in asked],
        RECORD,
        {
            "of": [owner for owner, _, _ in applied],
            "ids": [item.held.pk for _, item, _ in applied],
            "uids": [after.uid for _, _, after in applied],
            "applied": [after.applied_hash if item.wanted else "-" for _, item, after in applied],
            "owned": [after.owned_hash for _, _, after in applied],
        },
        prepare=False,  # a plan from when the table was small reads all of it, until somebody analyzes it
    )
    ours = {owner for (owner,) in found}
    return [None if step.row.pk in ours else Fenced() for step in asked]


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
            "JOIN unnest(%(groups)s::text[], %(kinds)s::text[], %(namespaces)s::text[], %(names)s::text[]) "
            'AS r(g, k, ns, n) ON i."group" = r.g AND i.kind = r.k AND i.namespace = r.ns AND i.name = r.n '
            "WHERE i.cluster_id = %(cluster)s AND i.tombstoned_at IS NULL",
            {"cluster": cluster_id, **keys_of(refs)},
        )
        return {Ref(*found[:4]): Owner(found[4], found[5]) for found in cursor.fetchall()}
