"""Somebody who rewrites what is ours: answered at once, twice; then after a pause, and his name is told."""

from datetime import timedelta

from django.db.models import F

from clusters.models import Cluster, InventoryItem, WorkItem
from tests.engine import driver
from tests.engine.notes.models import Notebook
from tests.engine.test_loop import condition


def pods(cluster: Cluster, book: Notebook) -> str:
    live = driver.client(cluster).get(driver.ref("ResourceQuota", book.name, "a-guard"))
    assert live is not None
    return str(live["spec"]["hard"]["pods"])


def rewritten(cluster: Cluster, book: Notebook) -> None:
    ref = driver.ref("ResourceQuota", book.name, "a-guard")
    live = driver.client(cluster).get(ref)
    assert live is not None
    del live["metadata"]["resourceVersion"]  # whatever the quota controller has written meanwhile
    live["spec"]["hard"]["pods"] = "99"
    driver.client(cluster).raw("PUT", f"{ref.path}?fieldManager=busybody", live)
    driver.relist(cluster)
    driver.hurry()
    driver.work(cluster)


def test_a_rival_is_answered_twice_and_then_after_a_pause(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", quota=True)
    driver.settle(cluster)
    for _ in range(2):
        rewritten(cluster, book)
        assert pods(cluster, book) == "5"
    assert condition(note, "Drifted") is None
    rewritten(cluster, book)
    assert pods(cluster, book) == "99"
    told = condition(note, "Drifted")
    assert told is not None
    assert "by busybody again and again" in told["message"]
    item = WorkItem.objects.extra(select={"pause": "EXTRACT(EPOCH FROM due_at - clock_timestamp())"}).get()
    assert 0 < item.pause <= 300
    InventoryItem.objects.filter(name="a-guard").update(rewritten_at=F("rewritten_at") - timedelta(seconds=31))
    driver.hurry()
    driver.work(cluster)
    assert pods(cluster, book) == "5"
    assert condition(note, "Drifted") is None


def test_a_change_of_our_own_is_no_fight(cluster: Cluster, book: Notebook) -> None:
    driver.note(book, "a", quota=True)
    driver.settle(cluster)
    rewritten(cluster, book)
    assert InventoryItem.objects.get(name="a-guard").rewrites == 1
    InventoryItem.objects.update(rewritten_at=F("rewritten_at") - timedelta(seconds=601))
    rewritten(cluster, book)
    assert InventoryItem.objects.get(name="a-guard").rewrites == 1, "long ago is forgiven"
