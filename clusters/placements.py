"""Placements: an organization or catalog on a cluster is a row of its own, which is what gets reconciled (ENGINE §5)."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from clusters import along, queue
from clusters.models import Cluster, Placement
from core.errors import Conflict, Unavailable


def default_cluster() -> Cluster:
    """The cluster that new organizations are placed on."""
    cluster = Cluster.objects.filter(is_default=True).first()
    if cluster is None:
        raise Unavailable("No cluster is connected yet: a system admin has to connect one first.")
    return cluster


def opened(cluster: Cluster) -> Cluster:
    """The cluster as it is now, kept from being closed until the transaction ends; Conflict if it takes nothing new.

    A shared lock: many may put something there at once, while closing and removing it wait for all of them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT schedulable FROM clusters_cluster WHERE id = %s FOR SHARE", [cluster.pk])
        found = cursor.fetchone()
    if found is None:
        raise Conflict(f"The cluster {cluster} has just been removed.")
    if not found[0]:
        raise Conflict(f"The cluster {cluster} takes nothing new now: a system admin has cordoned it.")
    return cluster


def place(owner_kind: str, owner_id: UUID, tenant_id: UUID, *, cluster: Cluster | None = None) -> Placement:
    """The owner's placement on this cluster (default: the default cluster), made if there is none, and requested."""
    placement, made = Placement.objects.get_or_create(
        owner_kind=owner_kind,
        owner_id=owner_id,
        cluster=cluster or default_cluster(),
        defaults={"tenant_id": tenant_id},
    )
    if placement.deletion_requested_at is not None:
        raise Conflict(f"It is just leaving the cluster {placement.cluster}: try again once it is gone from there.")
    if made:
        queue.request(placement)
        along.bring(placement)
    return placement


def bump(owner_kind: str, owner_id: UUID) -> int:
    """The owner's intent has changed: raise the generation of each of its placements and request them all."""
    rows = Placement.objects.filter(owner_kind=owner_kind, owner_id=owner_id).order_by("id")
    locked = list(rows.select_for_update())
    rows.update(generation=F("generation") + 1, updated_at=Now())
    queue.request_all(locked)
    return len(locked)


def end(owner_kind: str, owner_id: UUID) -> int:
    """The owner is to go: ask for the deletion of each placement. Returns how many there are."""
    rows = Placement.objects.filter(owner_kind=owner_kind, owner_id=owner_id).order_by("id")
    locked = list(rows.select_for_update())
    leave(locked)
    return len(locked)


def leave(locked: Sequence[Placement]) -> None:
    """Ask for the deletion of these placements, whose rows the caller has locked."""
    rows = Placement.objects.filter(pk__in=[item.pk for item in locked])
    rows.filter(deletion_requested_at__isnull=True).update(
        deletion_requested_at=Now(), generation=F("generation") + 1, updated_at=Now()
    )
    along.take(locked)
    queue.request_all(locked)
