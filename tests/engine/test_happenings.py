"""What the engine tells of a row: once, in order, in no statement of its own, and no more of it than anybody reads."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters import happenings, queue, reconcile
from clusters.apply import MASK, Difference
from clusters.conditions import Outcome, false
from clusters.errors import KubeError
from clusters.happenings import Told, What, Written, written
from clusters.models import Cluster, Happening, WorkItem
from clusters.reconcile import Situation
from clusters.refs import Ref
from core.ids import uuid7
from tests.engine import driver
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.sandbox import Sandbox


def told(note: Note) -> list[tuple[str, str, bool, int]]:
    rows = Happening.objects.filter(owner_kind="note", owner_id=note.pk).order_by("pk")
    return [(row.what, row.said.get("kind") or row.code, row.ok, row.count) for row in rows]


def test_writes_and_outcome_are_told_with_the_outcomes_own_statement(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "n", text="x", parts=1)
    lease = driver.claim(cluster, note)
    with CaptureQueriesContext(connection) as captured:
        reconcile.run(lease)
    assert told(note) == [
        ("write", "ConfigMap", True, 1),
        ("write", "Secret", True, 1),
        ("outcome", "Active", True, 1),
    ]
    assert sum("clusters_happening" in query["sql"] for query in captured) == 1
    assert all("x" not in str(row.raw.values()) for row in Happening.objects.filter(said__kind="Secret"))


def test_a_row_that_is_gone_has_told_of_its_end(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "n", text="x", parts=1)
    driver.settle(cluster)
    kinds.delete(None, note)
    driver.settle(cluster)
    assert not Note.objects.filter(pk=note.pk).exists()
    assert {("write", "ConfigMap", True, 1), ("outcome", "Gone", True, 1)} <= set(told(note))
    assert told(note)[-1] == ("outcome", "Gone", True, 1)


def test_a_thousand_refusals_are_two_lines(cluster: Cluster, book: Notebook, sandbox: Sandbox) -> None:
    """Refused as often as a back-off allows in a day: one line of the write that counts, one of what it came to."""
    sandbox.fault("status", code=422, method="PATCH", path=f"/namespaces/{book.name}/configmaps", count=10_000)
    note = driver.note(book, "n", text="x", parts=1)
    tries = 60  # through the whole engine; the rest below, by hand
    for _ in range(tries):
        driver.hurry()
        driver.work(cluster)
    refused = Happening.objects.get(owner_id=note.pk, what="write", ok=False)
    assert refused.count == tries
    again = written(
        Written("create", Ref("", "ConfigMap", book.name, "n-0"), "not there yet"), _error(refused), 1, 2, 1
    )
    assert Happening.objects.filter(owner_id=note.pk).count() <= 4
    for _ in range(940):
        happenings.record(happenings.lines("note", note, [again]))
    assert Happening.objects.filter(owner_id=note.pk).count() <= 5


def _always(outcome: Outcome) -> Callable[[Situation], Outcome]:
    return lambda _situation: outcome


def _error(refused: Happening) -> KubeError:
    return KubeError(422, refused.said["reason"], refused.said["message"])


def test_a_new_text_of_a_failure_is_told_and_how_far_it_is_not(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = driver.note(book, "n", text="x", parts=1)
    for message in ("root: 1.50%", "root: 12.10%", "root: N/A", "root: 404 Not Found", "root: 503 Unavailable"):
        outcome = Outcome("Failed", (false("Ready", "ImportFailed", message),))
        monkeypatch.setattr(kinds, "NOTE_RECIPE", kinds.recipe_of_notes(observe=_always(outcome)))
        queue.request(note)
        driver.work(cluster)
    texts = [row.said["changes"][0]["message"] for row in Happening.objects.filter(what="outcome", owner_id=note.pk)]
    assert sorted(texts) == ["root: 1.50%", "root: 404 Not Found", "root: 503 Unavailable"]


def test_an_outcome_of_an_older_generation_is_not_told(cluster: Cluster, book: Notebook) -> None:
    note = driver.note(book, "n", text="x", parts=1)
    driver.settle(cluster)
    before = Happening.objects.filter(owner_id=note.pk, what="outcome").count()
    queue.request(note)
    lease = driver.claim(cluster, note)
    WorkItem.objects.filter(object_id=note.pk).update(lease_token=None)  # fenced off
    reconcile.run_all([lease])
    assert Happening.objects.filter(owner_id=note.pk, what="outcome").count() == before


def test_logins_and_values_of_secrets_stay_out() -> None:
    error = KubeError(422, "Invalid", "Get https://ann:hush@images.example.org/a.qcow2: 404\0")
    about = Written("update", Ref("", "Secret", "ns", "s"), "why", [Difference("stringData.userdata", "old", "new")])
    line = written(about, error, 1.0, 1.5, 3)
    assert "hush" not in str(line)
    assert MASK in line.said["message"]
    assert "old" not in str(line.raw)
    assert line.said["fields"] == ["stringData.userdata"]
    assert (line.ok, line.duration_ms) == (False, 500)


def test_what_is_old_or_too_much_is_forgotten(cluster: Cluster, book: Notebook, monkeypatch: Any) -> None:
    note = driver.note(book, "n", text="x")
    monkeypatch.setattr(happenings, "MOST_OF_A_ROW", 10)
    now = timezone.now()
    lines = [Told(What.EVENT, f"e{number}", now, {}) for number in range(25)]
    happenings.record(happenings.lines("note", note, lines))
    old = happenings.lines("notebook", book, [Told(What.EVENT, "old", now - timedelta(days=91), {})])
    happenings.record(old)
    assert Happening.objects.filter(pk=old[0]["id"]).exists()
    assert happenings.sweep() == 16
    kept = Happening.objects.filter(owner_id=note.pk).order_by("pk").values_list("code", flat=True)
    assert list(kept) == [f"e{number}" for number in range(15, 25)]
    assert not Happening.objects.filter(pk=old[0]["id"]).exists()


def test_ids_keep_the_order_of_telling(cluster: Cluster, book: Notebook) -> None:
    now = timezone.now()
    lines = happenings.lines("notebook", book, [Told(What.WRITE, str(n), now, {}) for n in range(50)])
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert uuid7(0) < uuid7(1) < lines[0]["id"]
