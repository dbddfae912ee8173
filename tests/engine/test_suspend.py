"""A suspended row is left alone, its deletion included, says so, and goes on where it was once it is resumed (ADR 10)."""

import uuid

import pytest

from clusters import connections, heal, operations, queue, reconcile
from clusters.errors import Fenced
from clusters.models import Cluster, InventoryItem, ObservedObject, WorkItem
from core.actor import system_actor
from core.errors import Conflict
from core.models import AuditEntry
from tests.engine import driver
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook

ROOT = system_actor("root")


@pytest.fixture
def note(cluster: Cluster, book: Notebook) -> Note:
    row = driver.note(book, "a", text="old")
    driver.settle(cluster)
    row.refresh_from_db()
    return row


def types(row: Note) -> set[str]:
    row.refresh_from_db()
    return {item["type"] for item in row.conditions}


def live_text(cluster: Cluster, book: Notebook) -> str:
    live = connections.client_of(cluster.pk).get(driver.ref("ConfigMap", book.name, "a-0"))
    assert live is not None
    return str(live["data"]["text"])


def test_what_is_asked_for_meanwhile_is_carried_out_after(cluster: Cluster, book: Notebook, note: Note) -> None:
    operations.suspend(actor=ROOT, row=note, reason="a look at its disk")
    kinds.rewrite(note, text="new")
    driver.settle(cluster)
    assert live_text(cluster, book) == "old"
    assert types(note) == {"Ready", "Suspended"}
    assert "a look at its disk" in next(item["message"] for item in note.conditions if item["type"] == "Suspended")
    assert (note.generation, note.observed_generation, note.phase) == (2, 1, "Active")
    item = WorkItem.objects.get(object_id=note.pk)
    assert (item.due_at, item.lease_token, item.attempts) == (None, None, 0)
    operations.resume(actor=ROOT, row=note)
    driver.settle(cluster)
    assert live_text(cluster, book) == "new"
    assert "Suspended" not in types(note)
    assert note.observed_generation == 2
    assert not WorkItem.objects.filter(object_id=note.pk).exists()


def test_its_deletion_waits_too(cluster: Cluster, book: Notebook, note: Note) -> None:
    operations.suspend(actor=ROOT, row=note)
    kinds.delete(ROOT, note)
    driver.settle(cluster)
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == {"a-0", "a-1"}
    operations.resume(actor=ROOT, row=note)
    driver.settle(cluster)
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == set()
    assert not Note.objects.filter(pk=note.pk).exists()


def test_it_stays_parked_whatever_the_watch_and_the_sweep_say(cluster: Cluster, note: Note) -> None:
    operations.suspend(actor=ROOT, row=note)
    driver.settle(cluster)
    before = Note.objects.values().get(pk=note.pk)
    queue.request_keys([queue.key_of(note)], hint=True)
    driver.settle(cluster)
    heal.request_unsettled()
    heal.unpark_ready()
    assert WorkItem.objects.get(object_id=note.pk).due_at is None
    assert Note.objects.values().get(pk=note.pk) == before


def test_a_run_under_way_is_fenced_off(cluster: Cluster, note: Note) -> None:
    queue.request(note)
    lease = driver.claim(cluster, note)
    operations.suspend(actor=ROOT, row=note)
    with pytest.raises(Fenced):
        lease.renew()
    reconcile.run(lease)  # stops at its first write, and records nothing
    driver.settle(cluster)
    assert "Suspended" in types(note)


def test_after_a_failure_it_does_not_say_suspended_any_more(cluster: Cluster, note: Note) -> None:
    operations.suspend(actor=ROOT, row=note)
    driver.settle(cluster)
    operations.resume(actor=ROOT, row=note)
    kinds.rewrite(note, text="new")
    Cluster.objects.filter(pk=cluster.pk).update(
        server="https://127.0.0.1:1", access_generation=cluster.access_generation + 1
    )
    driver.work(cluster)
    assert types(note) == {"Ready", "Reconciled"}


def test_checking_an_object_live_says_what_is_there_and_brings_the_cache_up_to_date(
    cluster: Cluster, book: Notebook, note: Note
) -> None:
    item = InventoryItem.objects.get(name="a-0", namespace=book.name)
    assert operations.recheck(actor=ROOT, item=item) == "It is there as we left it."
    ref = driver.ref("ConfigMap", book.name, "a-0")
    connections.client_of(cluster.pk).merge(ref, {"data": {"text": "by others"}})
    assert "fields that are ours were changed" in operations.recheck(actor=ROOT, item=item)
    assert ObservedObject.objects.get(name="a-0", namespace=book.name).body["data"]["text"] == "by others"
    driver.remove(cluster, ref)
    assert operations.recheck(actor=ROOT, item=item) == "There is no such object in the cluster."
    assert not ObservedObject.objects.filter(name="a-0", namespace=book.name).exists()
    assert WorkItem.objects.get(object_id=note.pk).due_at is not None
    assert AuditEntry.objects.filter(action="inventory.recheck", object_id=note.pk).count() == 3


def test_checking_a_secret_has_the_next_run_look_and_keeps_none_of_it(
    cluster: Cluster, book: Notebook, note: Note
) -> None:
    item = InventoryItem.objects.get(name="a-secret", namespace=book.name)
    assert operations.recheck(actor=ROOT, item=item) == "It is there as we left it."
    item.refresh_from_db()
    assert item.checked_at is None
    assert not ObservedObject.objects.filter(kind="Secret").exists()


def test_another_object_of_the_name_is_told(cluster: Cluster, book: Notebook, note: Note) -> None:
    InventoryItem.objects.filter(name="a-1", namespace=book.name).update(uid=uuid.uuid4())
    item = InventoryItem.objects.get(name="a-1", namespace=book.name)
    assert "Another object has the name now" in operations.recheck(actor=ROOT, item=item)


def test_releasing_a_lease_fences_its_holder_off(cluster: Cluster, note: Note) -> None:
    queue.request(note)
    lease = driver.claim(cluster, note)
    operations.release_lease(actor=ROOT, item=WorkItem.objects.get(object_id=note.pk))
    with pytest.raises(Fenced):
        lease.renew()
    with pytest.raises(Conflict):
        operations.release_lease(actor=ROOT, item=WorkItem.objects.get(object_id=note.pk))
    driver.settle(cluster)
    assert not WorkItem.objects.filter(object_id=note.pk).exists()
