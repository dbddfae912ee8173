"""Whose volume is it: a PersistentVolumeClaim's uid is recorded once a chain of owner references has proven it (ENGINE §2).

OVIM writes no claims: CDI makes them out of our DataVolumes. From the record on, only that uid is the disk's volume.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import orjson

from clusters import fence, kinds, observed, sql
from clusters.apply import Held, Owner, Seen, Wanted
from clusters.errors import Fenced
from clusters.models import InventoryItem, ObservedObject, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref, volume_of

RECORD = """, made AS (
  INSERT INTO clusters_inventoryitem AS i (owner_kind, owner_id, data_of_kind, data_of_id, cluster_id, "group", kind,
    namespace, name, claim_token, past_tokens, uid, applied_hash, owned_hash)
  SELECT %(owner_kind)s::text, held.object_id, r.data_kind, r.data_id, %(cluster)s::uuid, '', 'PersistentVolumeClaim',
    r.namespace, r.name, r.token, '{}', r.uid, '', ''
  FROM held, unnest(%(data_kinds)s::text[], %(data_ids)s::uuid[], %(namespaces)s::text[], %(names)s::text[],
    %(tokens)s::uuid[], %(uids)s::uuid[]) AS r(data_kind, data_id, namespace, name, token, uid)
  ORDER BY r.namespace, r.name
  ON CONFLICT (cluster_id, "group", kind, namespace, name) WHERE tombstoned_at IS NULL DO UPDATE SET uid = excluded.uid
    WHERE i.owner_kind = excluded.owner_kind AND i.owner_id = excluded.owner_id
  RETURNING i.id, i.name, i.claim_token)
SELECT (SELECT count(*) FROM held), made.* FROM (SELECT 1) AS one LEFT JOIN made ON true
"""


def proven(wanted: Iterable[Wanted], held: Sequence[Held], seen: Mapping[Ref, Seen]) -> list[tuple[Held, Seen]]:
    """Disks with their volumes where the chain proves one that is not recorded. Pure.

    One that is recorded stands, but for a disk that no VM has had yet: it may be made anew with another volume.
    """
    known = {item.ref: item for item in held}
    fresh = {item.ref for item in wanted if item.before is not None and item.before not in known}
    found = []
    for disk in held:
        claim = seen.get(volume_of(disk.ref)) if disk.ref.kind == "DataVolume" and disk.uid is not None else None
        if claim is None or observed.controller_of(claim.body) != str(disk.uid):
            continue
        volume = known.get(volume_of(disk.ref))
        if volume is None or (volume.uid != claim.uid and disk.ref in fresh):
            found.append((disk, claim))
    return found


def record(row: Reconciled, found: Sequence[tuple[Held, Seen]], held: Sequence[Held], lease: Lease) -> list[Held]:
    """The inventory with these volumes in it."""
    if not found:
        return list(held)
    owner = Owner(kinds.of(row).name, row.pk)
    made = fence.stroke(
        row._meta.db_table,
        [row.pk],
        [lease.token],
        RECORD,
        {
            "owner_kind": owner.kind,
            "cluster": lease.cluster_id,
            "data_kinds": [disk.data_of.kind for disk, _ in found],
            "data_ids": [disk.data_of.id for disk, _ in found],
            "namespaces": [disk.ref.namespace for disk, _ in found],
            "names": [disk.ref.name for disk, _ in found],
            "tokens": [uuid.uuid4() for _ in found],
            "uids": [claim.uid for _, claim in found],
        },
    )
    if not made[0][0]:
        raise Fenced
    keys = {name: (pk, token) for _, pk, name, token in made if pk is not None}
    volumes = [
        Held(keys[disk.ref.name][0], volume_of(disk.ref), disk.data_of, keys[disk.ref.name][1], uid=claim.uid)
        for disk, claim in found
        if disk.ref.name in keys
    ]
    new = {item.ref for item in volumes}
    return [*(item for item in held if item.ref not in new), *volumes]


def uid_of(cluster_id: uuid.UUID, ref: Ref) -> uuid.UUID | None:
    """The uid that the inventory has of an object."""
    return (
        InventoryItem.objects.filter(cluster_id=cluster_id, **asdict(ref), tombstoned_at__isnull=True)
        .values_list("uid", flat=True)
        .first()
    )


def cached(cluster_id: uuid.UUID, ref: Ref) -> ObservedObject | None:
    """An object as the cache has it, ours or not."""
    return ObservedObject.objects.filter(cluster_id=cluster_id, **asdict(ref)).first()


# Of one namespace's pods, by the index of the cache's keys.
USERS = """
SELECT name FROM clusters_observedobject WHERE cluster_id = %(cluster)s::uuid AND "group" = '' AND kind = 'Pod'
  AND namespace = %(namespace)s AND body @> %(mounting)s::jsonb AND body #>> '{spec,nodeName}' <> ''
ORDER BY name LIMIT %(most)s
"""


def users(cluster_id: uuid.UUID, claim: Ref, most: int = 3) -> list[Ref]:
    """Pods that keep a claim: they mount it and are on a node, whoever made them, as the cache has them."""
    mounting = {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": claim.name}}]}}
    found = sql.run(
        USERS,
        {
            "cluster": cluster_id,
            "namespace": claim.namespace,
            "mounting": orjson.dumps(mounting).decode(),
            "most": most,
        },
        prepare=False,
    )
    return [Ref("", "Pod", claim.namespace, name) for (name,) in found]
