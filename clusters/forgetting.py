"""Letting go of a cluster that is lost for good: its rows go here, what is in it stays behind there (ENGINE §5).

The only verb that drops rows whose objects were not confirmed gone. So it wants a cluster that does not answer, that
takes nothing new, and its name typed; and it says what it leaves behind.
"""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from clusters import connections, kinds, status
from clusters.fleet import check_not_default
from clusters.models import Cluster, InventoryItem, NamespaceAllotment, Placement, Reconciled, WorkItem
from core import access, audit, rows
from core.actor import Actor
from core.errors import Busy, Conflict, Invalid
from core.rights import Right

MOST_NAMED = 100


def left_behind(cluster: Cluster) -> dict[str, Any]:
    """What OVIM knows to be in a cluster: how many objects of each kind, and the namespaces by name."""
    counts: dict[str, int] = {}
    held = InventoryItem.objects.filter(cluster=cluster, tombstoned_at=None, uid__isnull=False)
    for kind in held.order_by("kind").values_list("kind", flat=True):
        counts[kind] = counts.get(kind, 0) + 1
    names = NamespaceAllotment.objects.filter(cluster=cluster).order_by("name").values_list("name", flat=True)
    return {"objects": counts, "namespaces": list(names[:MOST_NAMED]), "rows": _counted(_below(cluster))}


def _counted(found: list[Reconciled]) -> dict[str, int]:
    """Without what only came along with others."""
    counts: dict[str, int] = {}
    for kind in (kinds.of(row) for row in found):
        if kind.along is None:
            counts[kind.name] = counts.get(kind.name, 0) + 1
    return counts


def _below(cluster: Cluster) -> list[Reconciled]:
    """Every row that lives there, what is inside before what it is in."""
    return [
        row for placement in Placement.objects.filter(cluster=cluster).order_by("id") for row in _deepest(placement)
    ]


def _deepest(row: Reconciled) -> Iterator[Reconciled]:
    for child in kinds.children(row):
        yield from _deepest(child)
    yield row


@transaction.atomic
def forget_cluster(*, actor: Actor, cluster: Cluster, confirm: str) -> dict[str, Any]:
    """Drop a lost cluster with every row that lives there. Returns what stays behind in it; the audit log keeps that.

    Locks: quota scopes, the cluster, then all rows by (kind, id), as everywhere (ENGINE §1).
    """
    access.require_system(actor, Right.CLUSTER_EDIT)
    if confirm != cluster.name:
        raise Invalid.field("confirm", "name", f"Type the cluster's name, {cluster.name}, to be sure.")
    found = _below(cluster)
    for row in reversed(found):  # an organization's scopes come before one VDC's
        lock = import_string(kinds.of(row).recipe).lock
        if lock is not None:
            lock(row)
    cluster = rows.lock(cluster)
    _check(cluster)
    if {row.pk for row in _below(cluster)} != {row.pk for row in found}:
        raise Busy("Something was just made there: try again.")
    for row in sorted(found, key=lambda row: (kinds.of(row).name, str(row.pk))):
        rows.lock(row)
    left = left_behind(cluster)
    WorkItem.objects.filter(cluster=cluster).delete()
    for row in found:
        _drop(row)
    audit.record(actor, "cluster.forget", cluster, before={"server": cluster.server, "left_behind": left})
    connections.forget(cluster.pk)
    cluster.delete()
    return left


def _check(cluster: Cluster) -> None:
    if cluster.failing_since is None:
        raise Conflict(f"{cluster} answers: delete what is on it, then remove it. Only a lost cluster is forgotten.")
    if cluster.schedulable:
        raise Conflict(f"{cluster} still takes new VDCs: set schedulable to false first.")
    check_not_default(cluster)


def _drop(row: Reconciled) -> None:
    """As the reconciler drops a row whose objects are gone, but for that proof."""
    import_string(kinds.of(row).recipe).gone(row)
    status.published(row, deleted=True)
    type(row)._default_manager.filter(pk=row.pk).delete()
