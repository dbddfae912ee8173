"""The observed cache: objects as the cluster last showed them. It decides nothing (ENGINE §4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Q

from clusters.apply import Seen, owned_digest
from clusters.models import ObservedObject
from clusters.refs import Ref, ref_of

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
    """What is kept of an object: no managedFields, no foreign annotations."""
    metadata = live["metadata"]
    kept = {key: metadata[key] for key in _METADATA if key in metadata}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(_KEPT_ANNOTATIONS)
    }
    if annotations:
        kept["annotations"] = annotations
    return {**{key: value for key, value in live.items() if key != "metadata"}, "metadata": kept}


def controller_of(live: Mapping[str, Any]) -> str | None:
    """The uid of the controller owner reference: the only proof of descent (ENGINE §2)."""
    for reference in live["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"])
    return None


UPSERT = """
INSERT INTO clusters_observedobject AS o
  (cluster_id, "group", kind, namespace, name, uid, resource_version, controller_uid, body, owned_hash)
SELECT %(cluster)s, r.* FROM unnest(%(groups)s::text[], %(kinds)s::text[], %(namespaces)s::text[], %(names)s::text[],
  %(uids)s::uuid[], %(versions)s::bigint[], %(controllers)s::uuid[], %(bodies)s::jsonb[],
  %(hashes)s::text[]) AS r
ON CONFLICT (cluster_id, "group", kind, namespace, name) DO UPDATE SET uid = excluded.uid,
  resource_version = excluded.resource_version, controller_uid = excluded.controller_uid,
  body = excluded.body, owned_hash = excluded.owned_hash
WHERE o.uid <> excluded.uid OR o.resource_version < excluded.resource_version
"""


def store(cluster_id: UUID, objects: Iterable[Mapping[str, Any]]) -> None:
    """Upsert objects, sorted by key; an older version of the same uid changes nothing."""
    latest = {ref_of(live): live for live in objects}
    ordered = sorted(latest.items())
    if not ordered:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            UPSERT,
            {
                "cluster": cluster_id,
                "groups": [ref.group for ref, _ in ordered],
                "kinds": [ref.kind for ref, _ in ordered],
                "namespaces": [ref.namespace for ref, _ in ordered],
                "names": [ref.name for ref, _ in ordered],
                "uids": [live["metadata"]["uid"] for _, live in ordered],
                "versions": [int(live["metadata"]["resourceVersion"]) for _, live in ordered],
                "controllers": [controller_of(live) for _, live in ordered],
                "bodies": [orjson.dumps(trimmed(live)).decode() for _, live in ordered],
                "hashes": [owned_digest(live) for _, live in ordered],
            },
        )


def drop(cluster_id: UUID, gone: Sequence[tuple[Ref, UUID]]) -> None:
    """Remove objects that are gone, each only if the cache still has that very uid."""
    ordered = sorted(gone, key=lambda pair: pair[0])
    if ordered:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM clusters_observedobject o USING unnest(%s::text[], %s::text[], %s::text[], %s::text[], "
                '%s::uuid[]) AS r(g, k, ns, n, uid) WHERE o.cluster_id = %s AND o."group" = r.g AND o.kind = r.k '
                "AND o.namespace = r.ns AND o.name = r.n AND o.uid = r.uid",
                [
                    [ref.group for ref, _ in ordered],
                    [ref.kind for ref, _ in ordered],
                    [ref.namespace for ref, _ in ordered],
                    [ref.name for ref, _ in ordered],
                    [uid for _, uid in ordered],
                    cluster_id,
                ],
            )


def view(cluster_id: UUID, refs: Sequence[Ref], uids: Sequence[UUID]) -> View:
    """The cache's rows for these objects, and for what descends from them (VM → VMI → pod, DataVolume → PVC)."""
    if not refs:
        return View({})
    keys = Q()
    for ref in refs:
        keys |= Q(group=ref.group, kind=ref.kind, namespace=ref.namespace, name=ref.name)
    rows = ObservedObject.objects.filter(cluster_id=cluster_id)
    children = rows.filter(controller_uid__in=uids)
    grandchildren = rows.filter(controller_uid__in=children.values("uid"))
    found = list(rows.filter(keys)) + (list(children.union(grandchildren, all=True)) if uids else [])
    return View({_ref(row): Seen(row.uid, row.resource_version, row.body, row.owned_hash) for row in found})


def _ref(row: ObservedObject) -> Ref:
    return Ref(row.group, row.kind, row.namespace, row.name)
