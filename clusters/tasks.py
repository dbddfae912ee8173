"""What Celery runs: thin. A message only says "look"; what to do stands in the database."""

import logging
import time
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db import connection
from prometheus_client import Counter, Histogram

from clusters import heal, queue, reconcile, wakeup
from clusters.errors import Fenced

log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0  # then the slot goes back, and another wake-up is sent if work is left
RECONCILED = Counter("ovim_reconciles", "Rows reconciled", ["kind"])
RECONCILE_SECONDS = Histogram("ovim_reconcile_seconds", "Time from a row's lease to its outcome", ["kind"])
_announced: set[UUID] = set()


@shared_task(name="clusters.tasks.drain")
def drain(cluster_id: str) -> int:
    """Work off one cluster's due items. Returns how many were run."""
    started, ran = time.monotonic(), 0
    while time.monotonic() - started < DRAIN_SECONDS:
        leases = queue.claim(UUID(cluster_id))
        if not leases:
            return ran
        ran += run_batch(leases)
    wakeup.send(UUID(cluster_id))
    return ran


def run_batch(leases: list[queue.Lease]) -> int:
    """Run a claimed batch, one item after another. What is not started within 20 s goes back to the others."""
    started = time.monotonic()
    for index, lease in enumerate(leases):
        if time.monotonic() - started > queue.BATCH_SECONDS:
            queue.give_back(leases[index:])
            return index
        run_one(lease)
    return len(leases)


def run_one(lease: queue.Lease) -> None:
    """One item. A fault of our own is logged and recorded on the row; the next item must not suffer."""
    with RECONCILE_SECONDS.labels(lease.kind).time():
        try:
            lease.renew()
            reconcile.run(lease)
        except Fenced:
            return  # taken over before we started
        except Exception:
            log.exception("reconciling failed", extra={"kind": lease.kind, "id": str(lease.object_id)})
    RECONCILED.labels(lease.kind).inc()


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
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('sweep tombstones', 0))")
