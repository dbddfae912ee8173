"""The queue: nothing is lost, nothing runs twice at once, no tenant starves another."""

import uuid
from typing import Any

import pytest
from django.db import connection, connections, transaction

from clusters import heal, queue, wakeup
from clusters.errors import Fenced
from clusters.models import Cluster, WorkItem
from core import broker
from tests.engine import driver
from tests.engine.notes.models import Note, Notebook


def item(cluster: Cluster, tenant: uuid.UUID | None = None) -> queue.Key:
    return queue.Key("note", uuid.uuid4(), cluster.pk, tenant or uuid.uuid4())


def due_in() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM due_at - clock_timestamp()) FROM clusters_workitem")
        return float(cursor.fetchone()[0])


def test_a_request_during_the_run_keeps_the_item(cluster: Cluster) -> None:
    key = item(cluster)
    queue.request_keys([key])
    (lease,) = queue.claim(cluster.pk)
    queue.request_keys([key])
    assert queue.complete(lease) is False
    (second,) = queue.claim(cluster.pk)
    assert queue.complete(second) is True
    assert not WorkItem.objects.exists()


def test_failures_back_off_and_a_person_cuts_that_short(cluster: Cluster) -> None:
    key = item(cluster)
    queue.request_keys([key])
    for attempt in range(6):
        driver.hurry()
        (lease,) = queue.claim(cluster.pk)
        queue.again(lease, queue.backoff(lease.attempts, lease.token), failed=True, error="no")
        assert WorkItem.objects.get().attempts == attempt + 1
    assert due_in() > 10
    queue.request_keys([key], hint=True)
    assert due_in() > 10  # a watch event does not hammer what fails
    queue.request_keys([key])
    assert due_in() <= 0
    assert WorkItem.objects.get().attempts == 0


def test_a_lease_runs_out_and_another_worker_takes_over(cluster: Cluster) -> None:
    queue.request_keys([item(cluster)])
    (first,) = queue.claim(cluster.pk)
    assert queue.claim(cluster.pk) == []
    driver.expire_leases()
    (second,) = queue.claim(cluster.pk)
    with pytest.raises(Fenced):
        first.renew()
    second.renew()
    assert queue.complete(first) is False
    assert WorkItem.objects.exists()


def test_one_tenant_with_much_work_does_not_starve_another(cluster: Cluster) -> None:
    big, small = uuid.uuid4(), uuid.uuid4()
    queue.request_keys([item(cluster, big) for _ in range(300)])
    late = [item(cluster, small) for _ in range(4)]
    queue.request_keys(late)
    claimed = queue.claim(cluster.pk, limit=8)
    mine = [lease for lease in claimed if lease.object_id in {key.object_id for key in late}]
    assert len(mine) == 4
    assert len(claimed) == 8


def test_a_tenant_that_holds_its_share_waits_its_turn(cluster: Cluster) -> None:
    big, small = uuid.uuid4(), uuid.uuid4()
    queue.request_keys([item(cluster, big) for _ in range(50)])
    queue.claim(cluster.pk, limit=6)  # six of the big one's are running
    queue.request_keys([item(cluster, small) for _ in range(6)])
    tenants = {lease.object_id for lease in queue.claim(cluster.pk, limit=6)}
    assert WorkItem.objects.filter(tenant=small, object_id__in=tenants).count() == 6


def test_requests_that_roll_back_are_no_requests(cluster: Cluster) -> None:
    with transaction.atomic():
        queue.request_keys([item(cluster)])
        transaction.set_rollback(True)
    assert not WorkItem.objects.exists()


def test_a_lost_request_heals_by_itself(cluster: Cluster, book: Notebook) -> None:
    Note.objects.create(notebook=book, name="lost")
    assert not WorkItem.objects.exists()
    assert heal.request_unsettled() == 1
    driver.settle(cluster)
    assert Note.objects.get().phase == "Active"


def test_a_missed_unpark_heals_by_itself(cluster: Cluster, book: Notebook) -> None:
    driver.note(book, "a")
    WorkItem.objects.update(due_at=None, parked_on_kind="notebook", parked_on_id=book.pk)
    assert heal.unpark_ready() == 1
    driver.settle(cluster)
    assert Note.objects.get().phase == "Active"


def test_a_broker_that_is_down_delays_and_refuses_nothing(cluster: Cluster, settings: Any) -> None:
    settings.OVIM_REDIS_URL = "redis://127.0.0.1:1/0"
    broker._local.connection = None
    queue.request_keys([item(cluster)])  # commits at once: the wake-up is tried and lost
    assert WorkItem.objects.count() == 1
    assert wakeup.send(cluster.pk) is False
    broker._local.connection = None


def test_claiming_does_not_slow_down_with_what_is_parked(cluster: Cluster) -> None:
    """The plan of a claim uses the index; 20,000 parked items of the same tenant are not read."""
    tenant = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clusters_workitem (kind, object_id, cluster_id, tenant, requested_seq, due_at, attempts, "
            "parked_on_kind, parked_on_id, last_error) SELECT 'note', gen_random_uuid(), %s, %s, 1, NULL, 0, "
            "'notebook', gen_random_uuid(), '' FROM generate_series(1, 20000)",
            [cluster.pk, tenant],
        )
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE clusters_workitem")  # as autovacuum does, which tests switch off
    queue.request_keys([item(cluster, tenant)])
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + queue.CLAIM,
            {"cluster": cluster.pk, "limit": 8, "lease": 60},
        )
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100
