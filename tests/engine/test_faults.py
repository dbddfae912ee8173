"""What a cluster can answer, and what comes of it: nothing lost, nothing done twice, the cause on the row."""

import pytest

from clusters.models import Cluster, InventoryItem, WorkItem
from clusters.refs import manifest
from tests.engine import driver
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.engine.test_loop import condition
from tests.sandbox import Sandbox


def settled(cluster: Cluster, note: Note) -> None:
    driver.settle(cluster)
    note.refresh_from_db()
    assert (note.phase, note.seen_text) == ("Active", note.text)
    assert not WorkItem.objects.filter(object_id=note.pk).exists()


@pytest.mark.parametrize("code", [403, 409, 429, 500, 503])
def test_a_refusal_for_a_moment_is_tried_again(cluster: Cluster, book: Notebook, sandbox: Sandbox, code: int) -> None:
    note = driver.note(book, "a", text="x")
    sandbox.fault("status", code=code, method="PATCH", resource="configmaps", count=2)
    driver.work(cluster)
    settled(cluster, note)


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_a_write_whose_answer_is_lost_is_found_again(
    cluster: Cluster, book: Notebook, sandbox: Sandbox, resource: str
) -> None:
    note = driver.note(book, "a", text="x")
    sandbox.fault("lost", method="PATCH", resource=resource, count=1)
    driver.work(cluster)
    settled(cluster, note)
    assert InventoryItem.objects.filter(owner_id=note.pk, tombstoned_at__isnull=True).count() == 3


def test_a_broken_connection_keeps_the_row_and_says_so(cluster: Cluster, book: Notebook, sandbox: Sandbox) -> None:
    note = driver.note(book, "a", text="x")
    sandbox.fault("reset", count=-1)
    driver.work(cluster)
    failed = condition(note, "Reconciled")
    assert failed is not None
    assert failed["reason"] == "ClusterUnreachable"
    assert Cluster.objects.filter(pk=cluster.pk, failing_since__isnull=False).exists()
    sandbox.clear()
    settled(cluster, note)
    assert Cluster.objects.filter(pk=cluster.pk, failing_since__isnull=True).exists()
    assert condition(note, "Reconciled") is None


def test_an_open_circuit_lets_one_probe_through(cluster: Cluster, book: Notebook, sandbox: Sandbox) -> None:
    notes = [driver.note(book, f"n{index}") for index in range(5)]
    sandbox.fault("reset", count=-1)
    lease = driver.claim(cluster, notes[0])
    driver.reconcile.run(lease)
    with driver.connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_cluster SET probe_at = clock_timestamp()")
    assert len(driver.queue.claim(cluster.pk)) == 1
    assert driver.queue.claim(cluster.pk) == []  # the next probe is ten seconds away


def test_a_refusal_for_good_is_a_condition_with_its_cause(cluster: Cluster, book: Notebook, sandbox: Sandbox) -> None:
    """An immutable field, say: 422 is permanent. The row says why, and nothing hammers the server."""
    note = driver.note(book, "a", text="x")
    driver.settle(cluster)
    sandbox.fault("status", code=422, method="PATCH", resource="configmaps", count=-1, message="field is immutable")
    kinds.rewrite(note, text="other")
    driver.work(cluster)
    applied = condition(note, "Applied")
    assert applied is not None
    assert "immutable" in applied["message"]
    assert note.phase == "Failed"
    assert note.observed_generation < note.generation
    item = WorkItem.objects.extra(select={"pause": "EXTRACT(EPOCH FROM due_at - clock_timestamp())"}).get()
    assert 60 < item.pause <= 300
    sandbox.clear()
    settled(cluster, note)


def test_a_full_namespace_refuses_only_what_does_not_fit(cluster: Cluster, book: Notebook) -> None:
    driver.post(
        cluster, manifest("v1", "ResourceQuota", "tight", namespace=book.name, spec={"hard": {"count/configmaps": "2"}})
    )
    note = driver.note(book, "a", parts=3)
    driver.settle(cluster, rounds=4)
    applied = condition(note, "Applied")
    assert applied is not None
    assert "exceeded quota" in applied["message"]
    driver.remove(cluster, driver.ref("ResourceQuota", book.name, "tight"))
    settled(cluster, note)


def test_a_namespace_deleted_by_hand_is_made_again(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "a", text="x")
    driver.settle(cluster)
    driver.remove(cluster, driver.ref("Namespace", "", book.name))
    driver.settle(cluster, rounds=60)
    driver.queue.request(note)
    settled(cluster, note)


def test_a_circuit_closes_only_on_an_answer(cluster: Cluster, book: Notebook, sandbox: Sandbox) -> None:
    """A settled row asks the cluster nothing, so that it went well proves nothing."""
    Cluster.objects.filter(pk=cluster.pk).update(failing_since=driver.now(), probe_at=driver.now())
    sandbox.fault("reset", count=-1)
    driver.queue.request(book)
    driver.work(cluster)
    assert Cluster.objects.filter(pk=cluster.pk, failing_since__isnull=False).exists()
    sandbox.clear()
    driver.hurry()
    driver.work(cluster)
    assert Cluster.objects.filter(pk=cluster.pk, failing_since__isnull=True).exists()
