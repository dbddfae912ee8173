"""The loop on a ConfigMap-like row: what it makes, repairs, leaves alone and deletes."""

import pytest
from django.db import transaction

from clusters import inventory, queue, reconcile, status
from clusters.apply import stamped
from clusters.conditions import Outcome
from clusters.errors import Fenced
from clusters.models import Cluster, InventoryItem, ObservedObject, WorkItem
from clusters.reconcile import Recipe
from clusters.refs import manifest
from clusters.steps import Claim
from tests.engine import driver
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook


def condition(row: Note | Notebook, type_: str) -> dict[str, str] | None:
    row.refresh_from_db()
    return next((item for item in row.conditions if item["type"] == type_), None)


def test_a_row_becomes_its_objects_and_its_work_item_goes(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", text="hello")
    driver.settle(cluster)
    note.refresh_from_db()
    assert (note.phase, note.observed_generation, note.seen_text) == ("Active", 1, "hello")
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == {"a-0", "a-1"}
    assert not WorkItem.objects.exists()
    assert InventoryItem.objects.filter(owner_id=note.pk, uid__isnull=False).count() == 3


def test_a_settled_row_run_again_writes_nothing(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a")
    driver.settle(cluster)
    before = ObservedObject.objects.get(name="a-0", namespace=book.name).resource_version
    queue.request(note)
    driver.work(cluster)
    driver.relist(cluster)
    assert ObservedObject.objects.get(name="a-0", namespace=book.name).resource_version == before


def test_a_part_left_out_is_deleted_and_forgotten(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", parts=3)
    driver.settle(cluster)
    kinds.rewrite(note, parts=1)
    driver.settle(cluster)
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == {"a-0"}
    assert InventoryItem.objects.filter(owner_id=note.pk, tombstoned_at__isnull=False).count() == 2


def test_an_object_deleted_behind_our_back_comes_back(cluster: Cluster, book: Notebook) -> None:
    driver.note(book, "a", text="x")
    driver.settle(cluster)
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "a-0"))
    driver.settle(cluster)
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == {"a-0", "a-1"}


def test_a_foreign_object_of_the_same_name_is_not_touched(cluster: Cluster, book: Notebook) -> None:
    theirs = driver.post(cluster, manifest("v1", "ConfigMap", "a-0", namespace=book.name, data={"theirs": "yes"}))
    note = driver.note(book, "a")
    driver.settle(cluster)
    assert condition(note, "NameTaken") is not None
    assert note.phase == "Failed"
    live = driver.client(cluster).get(driver.ref("ConfigMap", book.name, "a-0"))
    assert live is not None
    assert live["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
    assert WorkItem.objects.get(object_id=note.pk).due_at is not None
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "a-0"))
    driver.settle(cluster)
    note.refresh_from_db()
    assert (note.phase, condition(note, "NameTaken")) == ("Active", None)


def test_an_object_replaced_by_hand_is_reported_and_left(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a")
    driver.settle(cluster)
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "a-0"))
    driver.post(cluster, manifest("v1", "ConfigMap", "a-0", namespace=book.name, data={"theirs": "yes"}))
    driver.settle(cluster)
    assert condition(note, "Replaced") is not None
    live = driver.client(cluster).get(driver.ref("ConfigMap", book.name, "a-0"))
    assert live is not None
    assert live["data"] == {"theirs": "yes"}


def test_a_guard_replaced_by_hand_is_made_ours_again(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", quota=True)
    driver.settle(cluster)
    guard = driver.ref("ResourceQuota", book.name, "a-guard")
    driver.remove(cluster, guard)
    driver.post(
        cluster, manifest("v1", "ResourceQuota", "a-guard", namespace=book.name, spec={"hard": {"pods": "999"}})
    )
    driver.settle(cluster)
    live = driver.client(cluster).get(guard)
    assert live is not None
    assert live["spec"]["hard"] == {"pods": "5"}
    note.refresh_from_db()
    assert note.phase == "Active"


def test_a_field_changed_by_somebody_else_is_drift_not_a_fight(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", text="ours")
    driver.settle(cluster)
    target = driver.ref("ConfigMap", book.name, "a-0")
    path = f"{target.path}?fieldManager=mara&force=true"
    driver.client(cluster)._json(
        "PATCH",
        path,
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a-0"},"data":{"text":"theirs"}}',
        "application/apply-patch+yaml",
    )
    driver.settle(cluster)
    drifted = condition(note, "Drifted")
    assert drifted is not None
    assert "mara" in drifted["message"]
    live = driver.client(cluster).get(target)
    assert live is not None
    assert live["data"]["text"] == "theirs"


def test_deleting_a_row_deletes_its_objects_then_the_row(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", quota=True)
    driver.settle(cluster)
    kinds.delete(None, note)
    driver.settle(cluster)
    assert not Note.objects.exists()
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == set()
    assert not WorkItem.objects.exists()
    assert not InventoryItem.objects.filter(owner_id=note.pk, tombstoned_at__isnull=True).exists()


def test_a_parent_that_is_deleted_waits_for_its_children(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a")
    driver.settle(cluster)
    kinds.delete(None, book)
    driver.settle(cluster)
    assert driver.client(cluster).get(driver.ref("Namespace", "", book.name)) is not None
    kinds.delete(None, note)
    driver.settle(cluster)
    driver.settle(cluster)
    assert not Notebook.objects.exists()


def test_a_child_of_an_unready_parent_is_parked_and_woken(cluster: Cluster) -> None:
    with transaction.atomic():
        book = Notebook.objects.create(cluster=cluster, name="not-yet")
    note = driver.note(book, "a")
    driver.work(cluster)
    item = WorkItem.objects.get(object_id=note.pk)
    assert (item.due_at, item.parked_on_id, item.attempts) == (None, book.pk, 0)
    waiting = condition(note, "Ready")
    assert waiting is not None
    assert waiting["reason"] == "Waiting"
    queue.request(book)
    driver.settle(cluster)
    note.refresh_from_db()
    assert note.phase == "Active"


def test_data_is_never_pruned_by_omission(cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        kinds,
        "NOTEBOOK_RECIPE",
        Recipe(
            kinds._load_notebooks,
            lambda situation: [],
            lambda s: Outcome("Active"),
            kinds._gone,
            kinds._destroyable,
        ),
    )
    queue.request(book)
    driver.settle(cluster)
    refused = condition(book, "Refused")
    assert refused is not None
    assert refused["reason"] == "WouldDestroyData"
    assert driver.client(cluster).get(driver.ref("Namespace", "", book.name)) is not None


def test_a_newer_generation_overtakes(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", text="old")
    lease = driver.claim(cluster, note)
    kinds.rewrite(note, text="new")
    reconcile.run(lease)
    note.refresh_from_db()
    assert note.observed_generation in (1, 2)
    driver.settle(cluster)
    note.refresh_from_db()
    assert (note.observed_generation, note.seen_text) == (2, "new")


def test_two_workers_never_hold_one_row(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a")
    first = driver.claim(cluster, note)
    assert queue.claim(cluster.pk) == []
    driver.expire_leases()
    second = driver.claim(cluster, note)
    with pytest.raises(Fenced):
        first.renew()
    reconcile.run(first)  # the one that lost its lease stops at its first write
    assert not InventoryItem.objects.filter(owner_id=note.pk).exists()
    reconcile.run(second)
    assert InventoryItem.objects.filter(owner_id=note.pk).count() == 3


def test_a_request_of_a_fenced_off_worker_that_lands_late_is_repaired(cluster: Cluster, book: Notebook) -> None:
    """The worker stopped after its fence and before its request; another finished; then the request went out."""
    note = driver.note(book, "a", text="old")
    lease = driver.claim(cluster, note)
    recipe = kinds.NOTE_RECIPE
    note.refresh_from_db()
    wanted = list(recipe.wanted(reconcile.situation_of(note)))
    (claimed,) = inventory.claim([Claim(lease, note, wanted)])
    assert isinstance(claimed, list)
    held = {item.ref: item for item in claimed}
    late = next(item for item in wanted if item.ref.name == "a-0")
    body = stamped(late, held[late.ref], status.installation())
    del body["metadata"]["resourceVersion"]
    driver.expire_leases()
    kinds.rewrite(note, text="new")
    driver.settle(cluster)
    driver.client(cluster).apply(late.ref, body, force=True)
    driver.settle(cluster)
    live = driver.client(cluster).get(late.ref)
    assert live is not None
    assert live["data"]["text"] == "new"
