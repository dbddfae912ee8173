"""The minute sweep: a lost request, a missed wake-up of children and a late request of a dead worker heal by themselves."""

import logging
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.utils import timezone

from clusters import connections, kinds, queue
from clusters.apply import token_of
from clusters.errors import KubeError
from clusters.models import InventoryItem
from clusters.refs import Ref

log = logging.getLogger(__name__)

TOMBSTONE_DAYS = 1
AT_ONCE = 500


def request_unsettled() -> int:
    """Rows whose intent is newer than what was observed, or that are to be deleted, and that no work item stands for."""
    count = 0
    for kind in kinds.registry().values():
        placed = kind.name.removeprefix("placed-") if kind.name.startswith("placed-") else None
        query = _UNSETTLED.format(table=_quoted(kind), placed="AND r.owner_kind = %s" if placed else "")
        rows = kind.rows()._default_manager.raw(query, [kind.name, *([placed] if placed else []), AT_ONCE])
        found = list(rows)
        queue.request_all(found)
        count += len(found)
    if count:
        log.warning("the sweep requested %s rows that no work item stood for", count)
    return count


_UNSETTLED = """
SELECT r.* FROM {table} r
WHERE (r.generation <> r.observed_generation OR r.deletion_requested_at IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM clusters_workitem w WHERE w.kind = %s AND w.object_id = r.id) {placed}
LIMIT %s
"""


def _quoted(kind: kinds.Kind) -> str:
    return connection.ops.quote_name(kind.rows()._meta.db_table)


def unpark_ready() -> int:
    """Items that still wait for a parent which is ready, or gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT parked_on_kind, parked_on_id FROM clusters_workitem WHERE parked_on_id IS NOT NULL"
        )
        parents = cursor.fetchall()
    woken = 0
    for name, pk in parents:
        parent = kinds.by_name(name).get(pk)
        if parent is None or kinds.is_open(parent):
            woken += queue.unpark((name, pk))
    return woken


def sweep_tombstones() -> int:
    """What a dead worker's late request made after we had forgotten it is deleted, by the uid it has (ENGINE §2).

    Read live: Secrets are not in the cache. A tombstone lasts a day, longer than any request can be under way. Those
    looked at longest ago come first; a cluster that can't be reached is left alone.
    """
    InventoryItem.objects.filter(tombstoned_at__lt=timezone.now() - timedelta(days=TOMBSTONE_DAYS)).delete()
    found = InventoryItem.objects.filter(tombstoned_at__isnull=False, cluster__failing_since__isnull=True)
    deleted, away = 0, set()
    for item in found.order_by(F("checked_at").asc(nulls_first=True))[:AT_ONCE]:
        if item.cluster_id in away:
            continue
        try:
            deleted += _sweep(item)
        except KubeError as error:
            log.info("the tombstone of %s could not be looked at: %s", item, error)
            if error.status == 0 or error.unhealthy:
                away.add(item.cluster_id)
            continue
        InventoryItem.objects.filter(pk=item.pk).update(checked_at=timezone.now())
    return deleted


def _sweep(item: InventoryItem) -> int:
    ref = Ref(item.group, item.kind, item.namespace, item.name)
    client = connections.client_of(item.cluster_id)
    live = client.get(ref)
    if live is None or token_of(live) not in item.tokens:
        return 0
    log.warning("%s was made by a late request of ours after it was forgotten: deleting it", ref)
    return int(client.delete(ref, live["metadata"]["uid"]))
