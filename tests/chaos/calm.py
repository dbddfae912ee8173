"""The faults are over: time passes, work is done, until nothing changes any more."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Q

from clusters import queue
from clusters.models import Placement, WorkItem
from tests.chaos.kubectl import Kubectl
from vdcs.models import Vdc
from vms.models import VirtualMachine

LOOK_SECONDS = 0.25
STILL_LOOKS = 4  # so many looks in a row at which nothing moved
BUSY = """
SELECT count(*) FROM clusters_workitem WHERE tenant = ANY(%s::uuid[])
  AND (due_at <= clock_timestamp() + interval '0.5 seconds' OR leased_until > clock_timestamp())
"""
# Back-offs, circuits and pauses between rivals: minutes that nobody wants to wait for. Locks are taken in the product's
# own order: what we do here must not make its transactions fail.
DUE = """
WITH w AS (SELECT id FROM clusters_workitem WHERE due_at IS NOT NULL ORDER BY kind, object_id FOR UPDATE)
UPDATE clusters_workitem i SET due_at = clock_timestamp() FROM w WHERE i.id = w.id
"""
PROBE = "UPDATE clusters_cluster SET probe_at = clock_timestamp() WHERE failing_since IS NOT NULL"
AGE = """
WITH w AS (SELECT id FROM clusters_inventoryitem WHERE {column} IS NOT NULL ORDER BY id FOR UPDATE)
UPDATE clusters_inventoryitem i SET {column} = {column} - interval '5 hours' FROM w WHERE i.id = w.id
"""


def minutes_pass() -> None:
    _execute(DUE, PROBE, AGE.format(column="rewritten_at"))


def hours_pass(organizations: Sequence[str]) -> None:
    """What is not watched (Secrets) is looked at live every few hours, when its row is next looked at."""
    _execute(AGE.format(column="checked_at"))
    queue.request_all(Placement.objects.filter(tenant_id__in=organizations))
    queue.request_all(Vdc.objects.filter(organization_id__in=organizations))
    queue.request_all(VirtualMachine.objects.select_related("vdc").filter(organization_id__in=organizations))


def _execute(*statements: str) -> None:
    """Each by itself; once more where somebody was in the way."""
    for statement in statements:
        for last in (False, False, True):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
            except DatabaseError:
                connection.close()
                if last:
                    raise
                time.sleep(0.5)
            else:
                break


def until_still(kubectl: Kubectl, organizations: Sequence[str], seconds: float, tend: Callable[[], None]) -> bool:
    """Wait until no work is due and the cluster does not change. False: it never became still."""
    end, still, before = time.monotonic() + seconds, 0, None
    while time.monotonic() < end:
        tend()
        now = _state(kubectl, organizations)
        still = still + 1 if now is not None and now == before else 0
        if still >= STILL_LOOKS:
            return True
        before = now
        time.sleep(LOOK_SECONDS)
    return False


def due(organizations: Sequence[str], most: int = 5) -> list[str]:
    """Work that is under way or about to be, as `kind id`."""
    items = WorkItem.objects.filter(tenant__in=organizations).filter(
        Q(due_at__isnull=False) | Q(lease_token__isnull=False)
    )
    return [f"{item.kind} {item.object_id}" for item in items.order_by("due_at")[:most]]


def _state(kubectl: Kubectl, organizations: Sequence[str]) -> int | None:
    """The cluster's version; None while there is work, or while somebody does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(BUSY, [[UUID(pk) for pk in organizations]])
            (busy,) = cursor.fetchone()
    except DatabaseError:
        connection.close()
        return None
    version = kubectl.control("show").get("resourceVersion")
    return None if busy or version is None else int(version)
