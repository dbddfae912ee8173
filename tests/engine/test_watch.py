"""The watcher: the cache follows the cluster, owners are requested, lost watches and expired versions heal."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from clusters.models import Cluster, ObservedObject, WorkItem
from clusters.refs import manifest
from clusters.watch import Watcher
from tests.engine import driver
from tests.engine.notes.models import Note, Notebook
from tests.sandbox import Sandbox


def eventually(check: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


@pytest.fixture
def watching(cluster: Cluster, book: Notebook) -> Iterator[Watcher]:
    watcher = Watcher(cluster.pk, driver.WATCHED)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    yield watcher
    watcher.stopping.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


def cached(book: Notebook, name: str) -> ObservedObject | None:
    return ObservedObject.objects.filter(namespace=book.name, name=name).first()


def test_a_change_by_hand_is_seen_and_its_owner_requested(cluster: Cluster, book: Notebook, watching: Watcher) -> None:
    note = driver.note(book, "a", text="x")
    driver.work(cluster)
    eventually(lambda: cached(book, "a-0") is not None)
    driver.work(cluster)
    WorkItem.objects.all().delete()
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "a-0"))
    eventually(lambda: WorkItem.objects.filter(object_id=note.pk).exists())
    assert cached(book, "a-0") is None


def test_our_own_applies_cause_no_further_work(cluster: Cluster, book: Notebook, watching: Watcher) -> None:
    note = driver.note(book, "a", text="x")
    driver.work(cluster)
    stranger = manifest("v1", "ConfigMap", "later", namespace=book.name)
    driver.post(cluster, stranger)
    eventually(lambda: cached(book, "later") is not None)  # so the watch is past our own events
    assert not WorkItem.objects.filter(object_id=note.pk).exists()
    note.refresh_from_db()
    assert note.phase == "Active"


@pytest.mark.parametrize("harm", ["dropped", "expired", "refused"])
def test_what_happened_while_the_watch_was_away_is_seen(
    cluster: Cluster, book: Notebook, watching: Watcher, sandbox: Sandbox, harm: str
) -> None:
    driver.post(cluster, manifest("v1", "ConfigMap", "old", namespace=book.name))
    eventually(lambda: cached(book, "old") is not None)
    if harm == "refused":
        sandbox.fault("status", code=503, method="GET", resource="configmaps", count=3)
    sandbox.control("watches/drop")
    if harm == "expired":
        sandbox.control("compact")
    driver.post(cluster, manifest("v1", "ConfigMap", "new", namespace=book.name))
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "old"))
    eventually(lambda: cached(book, "new") is not None and cached(book, "old") is None, 25)


def test_only_one_watcher_leads(cluster: Cluster, book: Notebook, watching: Watcher) -> None:
    driver.post(cluster, manifest("v1", "ConfigMap", "there", namespace=book.name))
    eventually(lambda: cached(book, "there") is not None)
    assert Watcher(cluster.pk)._lead() is False


def test_an_old_version_never_replaces_a_newer_one(cluster: Cluster, book: Notebook) -> None:
    driver.post(cluster, manifest("v1", "ConfigMap", "x", namespace=book.name, data={"v": "1"}))
    target = driver.ref("ConfigMap", book.name, "x")
    old = driver.client(cluster).get(target)
    assert old is not None
    new = driver.client(cluster).merge(target, {"data": {"v": "2"}})
    driver.observed.store(cluster.pk, [{**new, "apiVersion": "v1", "kind": "ConfigMap"}])
    driver.observed.store(cluster.pk, [{**old, "apiVersion": "v1", "kind": "ConfigMap"}])
    row = cached(book, "x")
    assert row is not None
    assert row.body["data"] == {"v": "2"}


def test_a_child_of_a_child_finds_its_owner(cluster: Cluster, book: Notebook) -> None:
    """As a pod does: pod → VMI → VM. Here by controller references between ConfigMaps."""
    note = driver.note(book, "a", text="x")
    driver.settle(cluster)
    parent = driver.client(cluster).get(driver.ref("ConfigMap", book.name, "a-0"))
    assert parent is not None
    for name in ("child", "grandchild"):
        reference = {
            "apiVersion": "v1", "kind": "ConfigMap", "name": parent["metadata"]["name"],
            "uid": parent["metadata"]["uid"], "controller": True,
        }  # fmt: skip
        body = manifest("v1", "ConfigMap", name, namespace=book.name)
        body["metadata"]["ownerReferences"] = [reference]
        parent = driver.post(cluster, body)
        driver.relist(cluster)
        assert WorkItem.objects.filter(object_id=note.pk).exists(), name
        driver.settle(cluster)
    assert Note.objects.get().phase == "Active"
    connection.close()
