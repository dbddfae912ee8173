"""Clients of clusters, one per cluster and process, and each cluster's circuit (ENGINE §1, Fairness)."""

import os
import threading
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from clusters import credentials, sql
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import Cluster, WorkItem

_clients: dict[tuple[int, UUID, int], Client] = {}
_lock = threading.Lock()


def client_of(cluster_id: UUID) -> Client:
    """The client for this cluster as it is configured now. Made after a fork, kept while the configuration stands."""
    return look(cluster_id)[0]


def look(cluster_id: UUID) -> tuple[Client, bool]:
    """The client, and whether the cluster's circuit is open now."""
    found = sql.run(
        "SELECT access_generation, failing_since IS NOT NULL FROM clusters_cluster WHERE id = %s::uuid", [cluster_id]
    )
    if not found:
        raise Cluster.DoesNotExist
    generation, failing_now = found[0]
    client = _clients.get((os.getpid(), cluster_id, generation))
    return client or _connect(cluster_id), failing_now


def _connect(cluster_id: UUID) -> Client:
    cluster = Cluster.objects.only("id", "access_generation", *credentials.COLUMNS).get(pk=cluster_id)
    key = (os.getpid(), cluster.pk, cluster.access_generation)
    with _lock:
        if key not in _clients:
            _drop(cluster.pk)
            _clients[key] = Client.by(credentials.access_to(cluster))
        return _clients[key]


def forget(cluster_id: UUID) -> None:
    """Once the transaction has committed that removes the cluster: its client is of no use any more."""
    transaction.on_commit(lambda: _forget(cluster_id), robust=True)


def _forget(cluster_id: UUID) -> None:
    with _lock:
        _drop(cluster_id)


def _drop(cluster_id: UUID) -> None:
    for old in [old for old in _clients if old[1] == cluster_id]:
        _clients.pop(old)


def failing(cluster_id: UUID, error: KubeError) -> None:
    """Open the circuit: the cluster's items wait, one probe goes every 10 s."""
    Cluster.objects.filter(pk=cluster_id, failing_since__isnull=True).update(failing_since=Now(), probe_at=Now())
    Cluster.objects.filter(pk=cluster_id).update(last_error=str(error)[:1000])


def healthy(cluster_id: UUID) -> None:
    """Close the circuit, and let what backed off while it was open be tried now."""
    closed = Cluster.objects.filter(pk=cluster_id, failing_since__isnull=False).update(
        failing_since=None, probe_at=None, last_error=""
    )
    if closed:
        waiting = WorkItem.objects.filter(cluster_id=cluster_id, attempts__gt=0, lease_token__isnull=True)
        with transaction.atomic():
            locked = waiting.order_by("kind", "object_id").select_for_update(skip_locked=True)
            WorkItem.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).update(attempts=0, due_at=Now())
