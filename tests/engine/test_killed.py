"""Killed after any single step and run again, a reconcile ends in the same place."""

import contextlib
from collections.abc import Callable

import pytest

from clusters.models import Cluster, InventoryItem, WorkItem
from tests.engine import driver
from tests.engine.death import dying_at
from tests.engine.driver import Killed
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook


def die_everywhere(cluster: Cluster, prepare: Callable[[int], Note], check: Callable[[Note], None]) -> int:
    """Runs the same work again and again, dying one step later each time, until it is not reached any more."""
    step = 0
    while True:
        row = prepare(step)
        with dying_at(step) as reaper, contextlib.suppress(Killed):
            driver.work(cluster)
        driver.expire_leases()
        driver.settle(cluster)
        check(row)
        if not reaper.reached:
            return step
        step += 1
        assert step < 80


def is_settled(cluster: Cluster, book: Notebook) -> Callable[[Note], None]:
    def check(note: Note) -> None:
        note.refresh_from_db()
        assert (note.phase, note.seen_text) == ("Active", note.text)
        names = {
            name for name in driver.live_names(cluster, driver.CONFIG_MAP, book.name) if name.startswith(note.name)
        }
        assert names == {f"{note.name}-{index}" for index in range(note.parts)}
        for item in InventoryItem.objects.filter(owner_id=note.pk, tombstoned_at__isnull=True):
            live = driver.client(cluster).get(driver.ref(item.kind, item.namespace, item.name))
            assert live is not None
            assert str(item.uid) == live["metadata"]["uid"]
        assert not WorkItem.objects.filter(object_id=note.pk).exists()

    return check


@pytest.mark.slow
def test_creating_survives_a_kill_after_every_step(cluster: Cluster, book: Notebook) -> None:
    steps = die_everywhere(
        cluster, lambda step: driver.note(book, f"n{step}", text=f"t{step}"), is_settled(cluster, book)
    )
    assert steps >= 10  # claim, three creates, records, outcome: it really was killed in between


@pytest.mark.slow
def test_changing_survives_a_kill_after_every_step(cluster: Cluster, book: Notebook) -> None:
    def prepare(step: int) -> Note:
        note = driver.note(book, f"n{step}", parts=3)
        driver.settle(cluster)
        kinds.rewrite(note, text="changed", parts=2)
        note.refresh_from_db()
        return note

    assert die_everywhere(cluster, prepare, is_settled(cluster, book)) >= 8


@pytest.mark.slow
def test_deleting_survives_a_kill_after_every_step(cluster: Cluster, book: Notebook) -> None:
    def prepare(step: int) -> Note:
        note = driver.note(book, f"n{step}")
        driver.settle(cluster)
        kinds.delete(None, note)
        return note

    def check(note: Note) -> None:
        assert not Note.objects.filter(pk=note.pk).exists()
        assert not InventoryItem.objects.filter(owner_id=note.pk, tombstoned_at__isnull=True).exists()
        left = driver.live_names(cluster, driver.CONFIG_MAP, book.name)
        left |= driver.live_names(cluster, driver.SECRET, book.name)
        assert not {name for name in left if name.startswith(note.name)}

    assert die_everywhere(cluster, prepare, check) >= 8
