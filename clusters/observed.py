"""The observed cache: objects as the cluster last showed them. It decides nothing (ENGINE §4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from clusters import sql
from clusters.apply import Held, Seen, others_entries, owned_digest
from clusters.refs import Ref, keys_of, ref_of

# Of annotations only ours and CDI's are read; the rest can be as large as a person likes.
_KEPT_ANNOTATIONS = ("ovim.io/", "cdi.kubevirt.io/")
_METADATA = (
    "name", "namespace", "uid", "resourceVersion", "generation", "labels", "ownerReferences", "finalizers",
    "creationTimestamp", "deletionTimestamp",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What the cache has of one row's objects and of what grew out of them, read in one go."""

    objects: Mapping[Ref, Seen]

    def get(self, ref: Ref) -> Mapping[str, Any] | None:
        seen = self.objects.get(ref)
        return seen.body if seen else None

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        return [seen.body for ref, seen in sorted(self.objects.items(), key=lambda pair: pair[0]) if ref.kind == kind]


def trimmed(live: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an object: of managedFields who else writes what is ours, and no foreign annotations."""
    metadata = live["metadata"]
    kept = {key: metadata[key] for key in _METADATA if key in metadata}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(_KEPT_ANNOTATIONS)
    }
    if annotations:
        kept["annotations"] = annotations
    if others := others_entries(live):
        kept["managedFields"] = others
    return {**{key: value for key, value in live.items() if key != "metadata"}, "metadata": kept}


def controller_of(live: Mapping[str, Any]) -> str | None:
    """The uid of the controller owner reference: the only proof of descent (ENGINE §2)."""
    for reference in live["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"])
    return None


# One JSON document and not an array a column: a body in an array is escaped, quote by quote.
UPSERT = """
{quick}INSERT INTO clusters_observedobject AS o
  (cluster_id, "group", kind, namespace, name, uid, resource_version, controller_uid, body, owned_hash)
SELECT %(cluster)s::uuid, r.* FROM {from_quick}jsonb_to_recordset(%(rows)s::jsonb) AS r("group" text, kind text, namespace text,
  name text, uid uuid, resource_version bigint, controller_uid uuid, body jsonb, owned_hash text)
ON CONFLICT (cluster_id, "group", kind, namespace, name) DO UPDATE SET uid = excluded.uid,
  resource_version = excluded.resource_version, controller_uid = excluded.controller_uid,
  body = excluded.body, owned_hash = excluded.owned_hash
WHERE o.uid <> excluded.uid OR o.resource_version < excluded.resource_version
"""
STORE = UPSERT.format(quick="", from_quick="")
KEEP = UPSERT.format(quick=f"WITH {sql.QUICK} ", from_quick="quick, ")


def seen(live: Mapping[str, Any]) -> Seen:
    """A live object as the cache keeps it."""
    metadata = live["metadata"]
    return Seen(UUID(metadata["uid"]), int(metadata["resourceVersion"]), trimmed(live), owned_digest(live))


def store(cluster_id: UUID, objects: Iterable[Mapping[str, Any]]) -> None:
    """Upsert live objects; an older version of the same uid changes nothing."""
    keep(cluster_id, {ref_of(live): seen(live) for live in objects})


def keep(cluster_id: UUID, objects: Mapping[Ref, Seen]) -> None:
    """The same of what is known already, sorted by key."""
    rows = [
        {
            "group": ref.group,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": item.uid,
            "resource_version": item.resource_version,
            "controller_uid": controller_of(item.body),
            "body": item.body,
            "owned_hash": item.owned_hash,
        }
        for ref, item in sorted(objects.items())
    ]
    if rows:
        # The watcher's transactions also request work: they wait for the disk.
        statement = STORE if connection.in_atomic_block else KEEP
        sql.run(statement, {"cluster": cluster_id, "rows": orjson.dumps(rows).decode()})


def lock(cluster_id: UUID, refs: Sequence[Ref]) -> None:
    """Lock the cache's rows of these objects in the order of their keys, before some are stored and others dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM unnest(%(groups)s::text[], %(kinds)s::text[], %(namespaces)s::text[], %(names)s::text[]) "
            "WITH ORDINALITY AS r(g, k, ns, n, at) JOIN clusters_observedobject o ON o.cluster_id = %(cluster)s "
            'AND o."group" = r.g AND o.kind = r.k AND o.namespace = r.ns AND o.name = r.n ORDER BY r.at FOR UPDATE OF o',
            {"cluster": cluster_id, **keys_of(sorted(set(refs)))},
        )


def drop(cluster_id: UUID, gone: Sequence[tuple[Ref, UUID]]) -> None:
    """Remove objects that are gone, each only if the cache still has that very uid."""
    ordered = sorted(gone, key=lambda pair: pair[0])
    if ordered:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM clusters_observedobject o USING unnest(%(groups)s::text[], %(kinds)s::text[], "
                "%(namespaces)s::text[], %(names)s::text[], %(uids)s::uuid[]) AS r(g, k, ns, n, uid) "
                'WHERE o.cluster_id = %(cluster)s AND o."group" = r.g AND o.kind = r.k AND o.namespace = r.ns '
                "AND o.name = r.n AND o.uid = r.uid",
                {
                    "cluster": cluster_id,
                    **keys_of(ref for ref, _ in ordered),
                    "uids": [uid for _, uid in ordered],
                },
            )


VIEW = """
WITH mine AS (
  SELECT o.* FROM unnest(%(groups)s::text[], %(kinds)s::text[], %(namespaces)s::text[], %(names)s::text[])
    AS r(grp, kind, namespace, name)
  JOIN clusters_observedobject o ON o.cluster_id = %(cluster)s::uuid AND o."group" = r.grp AND o.kind = r.kind
    AND o.namespace = r.namespace AND o.name = r.name
), children AS (
  SELECT * FROM clusters_observedobject WHERE cluster_id = %(cluster)s::uuid AND controller_uid = ANY(%(uids)s::uuid[])
), found AS (
  SELECT * FROM mine UNION ALL SELECT * FROM children UNION ALL
  SELECT o.* FROM clusters_observedobject o JOIN children ON o.controller_uid = children.uid
  WHERE o.cluster_id = %(cluster)s::uuid
)
SELECT "group", kind, namespace, name, uid, resource_version, body::text, owned_hash, controller_uid FROM found
"""


def views(cluster_id: UUID, held: Mapping[UUID, Sequence[Held]]) -> dict[UUID, View]:
    """By row: its objects as the cache has them, and what descends from them (VM → VMI → pod, DataVolume → PVC)."""
    owner_of = {item.ref: owner for owner, items in held.items() for item in items}
    if not owner_of:
        return {}
    uid_of = {item.uid: owner for owner, items in held.items() for item in items if item.uid}
    found = sql.run(
        VIEW,
        {"cluster": cluster_id, **keys_of(owner_of), "uids": list(uid_of)},
        prepare=False,  # its best plan depends on how large the table has grown
    )
    seen: dict[UUID, dict[Ref, Seen]] = {}
    for *key, uid, version, body, owned, controller in found:  # parents come before what they control
        ref = Ref(*key)
        owner = owner_of.get(ref) or uid_of.get(controller)
        if owner is None:
            continue
        uid_of.setdefault(uid, owner)
        seen.setdefault(owner, {})[ref] = Seen(uid, version, orjson.loads(body), owned)
    return {owner: View(objects) for owner, objects in seen.items()}
