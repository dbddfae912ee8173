"""Driving the engine by hand, deterministically: what workers, beat and the watcher do, one step at a time."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from clusters import connections, observed, queue, reconcile
from clusters.client import Client
from clusters.errors import KubeError
from clusters.events import EVENTS
from clusters.models import Cluster, WorkItem
from clusters.queue import Lease
from clusters.refs import KINDS, ObjectKind, Ref, ref_of
from clusters.watch import Batch, Listed, Watcher
from tests.engine.notes.models import Note, Notebook

__all__ = ["connection", "now", "observed", "queue", "reconcile"]

WATCHED = tuple(KINDS[key] for key in (("", "Namespace"), ("", "ConfigMap"), ("", "ResourceQuota")))
CONFIG_MAP, SECRET = KINDS["", "ConfigMap"], KINDS["", "Secret"]


class Killed(BaseException):
    """The worker died here: nothing that follows is run, open transactions roll back."""


def notebook(cluster: Cluster, name: str, **fields: Any) -> Notebook:
    with transaction.atomic():
        row = Notebook.objects.create(cluster=cluster, name=name, **fields)
        queue.request(row)
    return row


def note(book: Notebook, name: str, **fields: Any) -> Note:
    with transaction.atomic():
        row = Note.objects.create(notebook=book, name=name, **fields)
        queue.request(row)
    return row


def relist(cluster: Cluster, watched: Sequence[ObjectKind] = WATCHED) -> None:
    """What the watcher does after it lost its watch: list everything, bring the cache up to date."""
    watcher = Watcher(cluster.pk, watched)
    for kind in watched:
        objects, version = watcher.client.list(kind)
        batch = Batch()
        typed = [{"apiVersion": kind.api_version, "kind": kind.kind, **live} for live in objects]
        for live in typed:
            batch.add((False, live))
        if kind == EVENTS:
            watcher.flush(batch)
            continue
        batch.add(Listed(kind, frozenset(map(ref_of, typed)), int(version)))
        watcher.flush(batch)


def hurry() -> None:
    """Let back-offs and circuits be over: what is due later is due now. Parked items stay parked."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_workitem SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")
        cursor.execute("UPDATE clusters_cluster SET probe_at = clock_timestamp() WHERE failing_since IS NOT NULL")


def hours_pass() -> None:
    """What is not watched (Secrets) is looked at live every few hours: let them be over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_inventoryitem SET checked_at = checked_at - interval '5 hours'")


def expire_leases() -> None:
    """Time passes: whoever holds a lease has lost it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_workitem SET leased_until = clock_timestamp() - interval '1 second' "
            "WHERE lease_token IS NOT NULL"
        )


def claim(cluster: Cluster, row: Any | None = None) -> Lease:
    """Claim one item: any, or this row's."""
    leases = queue.claim(cluster.pk, limit=100)
    wanted = next(lease for lease in leases if row is None or lease.object_id == row.pk)
    queue.give_back([lease for lease in leases if lease is not wanted])
    return wanted


def work(cluster: Cluster) -> int:
    """One round: everything that is due now. Faults of the cluster are the engine's to handle, not ours."""
    return run(queue.claim(cluster.pk, limit=50))


def run(leases: Sequence[Lease]) -> int:
    """Side by side, as a worker does. How many were ours to the end; a fault of the engine's own is raised."""
    works = reconcile.run_all(leases) if leases else []
    for fault in (work.fault for work in works if work.fault is not None):
        raise fault
    return sum(not work.fenced for work in works)


def settle(cluster: Cluster, rounds: int = 25) -> None:
    """Until nothing is left to do but what waits for a person (which keeps its item at five minutes)."""
    for _ in range(rounds):
        relist(cluster)
        hurry()
        if not work(cluster):
            return
        if not WorkItem.objects.filter(due_at__isnull=False).exists():
            return


def client(cluster: Cluster) -> Client:
    return connections.client_of(cluster.pk)


def ref(kind: str, namespace: str, name: str) -> Ref:
    return Ref("", kind, namespace, name)


def live_names(cluster: Cluster, kind: Any, namespace: str) -> set[str]:
    objects, _ = client(cluster).list(kind, namespace=namespace)
    return {item["metadata"]["name"] for item in objects} - {"kube-root-ca.crt"}


def post(cluster: Cluster, body: dict[str, Any]) -> Any:
    """An object made by somebody else."""
    target = ref_of(body)
    return client(cluster).raw("POST", target.type.path(target.namespace), body)


def remove(cluster: Cluster, target: Ref) -> None:
    """Somebody deletes an object by hand."""
    try:
        client(cluster).raw("DELETE", target.path)
    except KubeError as error:
        if error.status != 404:
            raise


def pk_of(value: Any) -> UUID:
    return UUID(str(value.pk))
