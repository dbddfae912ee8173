"""What Celery runs: thin. A message only says "look"; what to do stands in the database."""

import logging
import time
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection
from prometheus_client import Counter, Histogram

from clusters import fleet, happenings, heal, orphans, queue, reconcile, wakeup
from clusters.models import Cluster
from core import broker

log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0  # then the slot goes back, and another wake-up is sent if work is left
AWAY_SECONDS = 45.0  # the leases end soon after by themselves
RECONCILED = Counter("ovim_reconciles", "Rows reconciled", ["kind"])
RECONCILE_SECONDS = Histogram("ovim_reconcile_seconds", "Time from a row's lease to its outcome", ["kind"])
_announced: set[UUID] = set()
# As Django calls a server that is away, a connection that broke, and a session that was ended while we were stopped.
AWAY = (OperationalError, InterfaceError, InternalError)


@shared_task(name="clusters.tasks.drain")
def drain(cluster_id: str) -> int:
    """Work off one cluster's due items. Returns how many were run.

    Who wakes workers sends one wake-up, however much it asks for: whoever finds more than his share wakes the next.
    """
    started, ran = time.monotonic(), 0
    while time.monotonic() - started < DRAIN_SECONDS:
        leases = queue.claim(UUID(cluster_id))
        if not leases:
            return ran
        if not ran and len(leases) == queue.BATCH:
            wakeup.send(UUID(cluster_id))
        ran += run_batch(leases)
    wakeup.send(UUID(cluster_id))
    return ran


def run_batch(leases: list[queue.Lease]) -> int:
    """Run a claimed batch side by side. A fault of our own is logged, and recorded on its row; the others don't suffer."""
    try:
        works = reconcile.run_all(leases)
    except AWAY:
        _give_back(leases)
        raise
    for work in works:
        RECONCILE_SECONDS.labels(work.lease.kind).observe(work.seconds)
        RECONCILED.labels(work.lease.kind).inc()
        if work.fault is not None:
            about = {"kind": work.lease.kind, "id": str(work.lease.object_id)}
            log.error("reconciling failed", exc_info=work.fault, extra=about)
    return len(leases)


def _give_back(leases: list[queue.Lease]) -> None:
    """The database went away under the batch: as soon as it is back, its items are anybody's, not only in a minute."""
    until = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < until:
        try:
            connection.close()
            queue.give_back(leases)
        except AWAY:
            time.sleep(0.5)
        else:
            return


@shared_task(name="clusters.tasks.wake")
def wake() -> None:
    """Every second: for each cluster with due items, as many drains as there are free slots, at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, (SELECT count(*) FROM (SELECT 1 FROM clusters_workitem w WHERE w.cluster_id = c.id "
            "  AND w.due_at <= statement_timestamp() "
            "  AND (w.leased_until IS NULL OR w.leased_until <= statement_timestamp()) LIMIT %s) due) "
            "FROM clusters_cluster c",
            [settings.OVIM_WORKER_SLOTS * queue.BATCH],
        )
        due = {cluster: -(-count // queue.BATCH) for cluster, count in cursor.fetchall() if count}
    for cluster_id, drains in due.items():
        if cluster_id not in _announced:
            current_app.control.add_consumer(wakeup.queue_name(cluster_id), reply=False)
            _announced.add(cluster_id)
        for _ in range(drains):
            wakeup.send(cluster_id)


@shared_task(name="clusters.tasks.look_into_all")
def look_into_all() -> None:
    """Every few minutes: what each cluster can do may have changed. Each by its own workers: one that hangs keeps no other."""
    for pk in Cluster.objects.filter(failing_since=None).values_list("pk", flat=True):
        broker.tell("clusters.tasks.look_into", [str(pk)], wakeup.queue_name(pk))
    fleet.warn_of_the_lost()


@shared_task(name="clusters.tasks.look_into")
def look_into(cluster_id: str) -> None:
    """Ask one cluster what it can do and what OVIM may do there, and store that."""
    for cluster in Cluster.objects.filter(pk=cluster_id):
        fleet.store_look(cluster, fleet.look_again(cluster))


@shared_task(name="clusters.tasks.sweep")
def sweep() -> None:
    """Every minute: what was lost is requested again, what was left behind is cleared."""
    heal.request_unsettled()
    heal.unpark_ready()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('sweep tombstones', 0))")
        if not cursor.fetchone()[0]:
            return  # the last one is still at it
    try:
        heal.sweep_tombstones()
        orphans.delete_ordered()
        happenings.sweep()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('sweep tombstones', 0))")


@shared_task(name="clusters.tasks.audit")
def audit() -> int:
    """Every few minutes, and on order: the clusters that are due are searched for what is ours and has no row."""
    return orphans.look_where_due()


@shared_task(name="clusters.tasks.delete_orphans")
def delete_orphans() -> int:
    """On order, and with each sweep: the orphans that were ordered to go. How many are gone."""
    return orphans.delete_ordered()
