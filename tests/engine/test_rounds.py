"""A batch goes through its reconciles together, and each row still answers for itself alone."""

import logging
import math
import os
import threading
import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from clusters import fence, queue, reconcile, rounds, tasks, wakeup
from clusters.client import Client
from clusters.models import Cluster, WorkItem
from tests.engine import driver
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.sandbox import Sandbox


def make_notes(book: Notebook, count: int) -> list[Note]:
    return [driver.note(book, f"n{number}", text="x") for number in range(count)]


def phases(notes: list[Note]) -> list[str]:
    return [Note.objects.get(pk=note.pk).phase for note in notes]


def statements(cluster: Cluster, book: Notebook, count: int) -> int:
    notes = make_notes(book, count)
    leases = queue.claim(cluster.pk, limit=count)
    with CaptureQueriesContext(connection) as captured:
        reconcile.run_all(leases)
    assert phases(notes) == ["Active"] * count
    for note in notes:
        kinds.delete(None, note)
    driver.settle(cluster)
    return len(captured)


def test_a_batch_takes_no_more_statements_than_one_row(cluster: Cluster, book: Notebook) -> None:
    assert statements(cluster, book, 12) <= statements(cluster, book, 1)


def test_a_row_whose_lease_is_gone_stops_and_the_others_go_on(cluster: Cluster, book: Notebook) -> None:
    notes = make_notes(book, 3)
    leases = queue.claim(cluster.pk, limit=3)
    WorkItem.objects.filter(object_id=notes[1].pk).update(lease_token=None, leased_until=None)
    works = reconcile.run_all(leases)
    assert [work.lease.object_id for work in works if work.fenced] == [notes[1].pk]
    assert phases(notes) == ["Active", "Pending", "Active"]


def test_what_the_database_refuses_of_one_row_does_not_stop_the_others(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notes = make_notes(book, 3)
    observe = kinds._observe

    def too_long(situation: Any) -> Any:
        outcome = observe(situation)
        if situation.row.pk == notes[1].pk:
            outcome.fields["phase"] = "a phase that is longer than the column"
        return outcome

    monkeypatch.setattr(kinds, "NOTE_RECIPE", kinds.recipe_of_notes(observe=too_long))
    with caplog.at_level(logging.ERROR, logger="clusters.tasks"):
        tasks.run_batch(queue.claim(cluster.pk, limit=3))
    assert phases(notes) == ["Active", "Pending", "Active"]
    assert [record.id for record in caplog.records] == [str(notes[1].pk)]  # type: ignore[attr-defined]
    item = WorkItem.objects.get(object_id=notes[1].pk)
    assert item.lease_token is not None  # its outcome could not be written: tried again when the lease ends


def test_a_cluster_in_trouble_is_asked_once_and_all_rows_are_told(
    cluster: Cluster, book: Notebook, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = make_notes(book, 3)
    monkeypatch.setattr(rounds, "CALLS_AT_ONCE", 1)
    sandbox.fault("status", code=503, method="PATCH", path=f"/namespaces/{book.name}", count=1)
    reconcile.run_all(queue.claim(cluster.pk, limit=3))
    reasons = [{item["reason"] for item in Note.objects.get(pk=note.pk).conditions} for note in notes]
    assert all("ServiceUnavailable" in found for found in reasons), reasons
    sandbox.clear()
    driver.settle(cluster)
    driver.settle(cluster)
    assert phases(notes) == ["Active"] * 3


def test_requests_of_a_batch_go_out_side_by_side(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_notes(book, 4)
    together = threading.Barrier(4)
    write, first = Client._write, threading.Event()

    def meeting(self: Client, *args: Any) -> Any:
        if not first.is_set():
            together.wait(5)  # broken, and so an error, unless four are under way at once
            first.set()
        return write(self, *args)

    monkeypatch.setattr(Client, "_write", meeting)
    works = reconcile.run_all(queue.claim(cluster.pk, limit=4))
    assert [work.fault for work in works] == [None] * 4


def test_while_half_of_a_large_batch_waits_for_the_cluster_the_other_half_is_with_the_database(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = make_notes(book, queue.BATCH)
    claim, write = rounds.DATABASE["Claim"], Client._write
    claimed: list[int] = []
    both = threading.Event()

    def counted(asked: Any) -> Any:
        claimed.append(len(asked))
        if len(claimed) == 2:
            both.set()
        return claim(asked)

    def waiting(self: Client, *args: Any) -> Any:
        assert both.wait(5), "the other half has not claimed its inventory"
        return write(self, *args)

    monkeypatch.setitem(rounds.DATABASE, "Claim", counted)
    monkeypatch.setattr(Client, "_write", waiting)
    works = reconcile.run_all(queue.claim(cluster.pk))
    assert [work.fault for work in works] == [None] * queue.BATCH
    assert claimed[:2] == [queue.BATCH // 2] * 2
    assert phases(notes) == ["Active"] * queue.BATCH


def test_a_batch_that_breaks_off_leaves_no_request_under_way(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows go to somebody else: nothing of ours may land after that."""
    make_notes(book, queue.BATCH)
    claim, write = rounds.DATABASE["Claim"], Client._write
    claimed: list[int] = []
    begun: list[None] = []
    ended: list[None] = []

    def breaking(asked: Any) -> Any:
        claimed.append(len(asked))
        if len(claimed) == 2:
            end_session(connection.connection.info.backend_pid)
        return claim(asked)

    def slowly(self: Client, *args: Any) -> Any:
        begun.append(None)
        time.sleep(0.3)
        answer = write(self, *args)
        ended.append(None)
        return answer

    monkeypatch.setitem(rounds.DATABASE, "Claim", breaking)
    monkeypatch.setattr(Client, "_write", slowly)
    with pytest.raises(OperationalError):
        reconcile.run_all(queue.claim(cluster.pk))
    assert 0 < len(begun) == len(ended) <= rounds.CALLS_AT_ONCE  # what was being sent, and none of those that waited
    time.sleep(0.5)
    assert len(begun) == len(ended) <= rounds.CALLS_AT_ONCE


def end_session(backend: int) -> None:
    with psycopg.connect(os.environ["OVIM_DATABASE_URL"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])


def test_a_cluster_that_throttles_one_request_fails_no_more_than_those_that_were_to_follow_it(
    cluster: Cluster, book: Notebook, sandbox: Sandbox
) -> None:
    notes = make_notes(book, queue.BATCH)
    sandbox.fault("status", code=429, method="PATCH", path=f"/namespaces/{book.name}", count=1)
    reconcile.run_all(queue.claim(cluster.pk))
    done = phases(notes).count("Active")
    assert queue.BATCH // 2 <= done < queue.BATCH  # the other half has not heard of it


def test_a_fault_of_our_own_is_one_rows_alone(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without a uid, say: it must not take the batch along, nor be claimed with it again and again."""
    notes = make_notes(book, 3)
    record = rounds.DATABASE["Record"]

    def odd(asked: Any) -> Any:
        if any(step.row.pk == notes[1].pk for step in asked):
            raise KeyError("uid")
        return record(asked)

    monkeypatch.setitem(rounds.DATABASE, "Record", odd)
    works = reconcile.run_all(queue.claim(cluster.pk, limit=3))
    assert [work.lease.object_id for work in works if work.fault] == [notes[1].pk]
    told = {item["reason"] for item in Note.objects.get(pk=notes[1].pk).conditions}
    assert "InternalError" in told
    assert [phase == "Active" for phase in phases(notes)] == [True, False, True]


def test_leases_of_rows_that_have_not_begun_are_kept_as_well(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second half begins when the first is with the cluster, which may be long after the claim."""
    make_notes(book, queue.BATCH)
    leases = queue.claim(cluster.pk)
    renewed: list[set[Any]] = []
    renew = fence.renew

    def counted(tokens: Any) -> Any:
        renewed.append(set(tokens))
        return renew(tokens)

    monkeypatch.setattr(fence, "renew", counted)
    monkeypatch.setattr(rounds, "SLOW_SECONDS", -1.0)
    reconcile.run_all(leases)
    assert len(renewed[0]) == queue.BATCH


def test_who_finds_more_than_his_share_wakes_the_next(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wake-up is sent, however much becomes due: the other slots must not wait for beat."""
    woken: list[Any] = []
    monkeypatch.setattr(wakeup, "send", woken.append)
    few = make_notes(book, 2)
    assert tasks.drain(str(cluster.pk)) >= len(few)
    woken.clear()
    make_notes(book, 2 * queue.BATCH + 1)
    woken.clear()
    ran = tasks.drain(str(cluster.pk))
    assert ran >= 2 * queue.BATCH + 1
    assert woken.count(cluster.pk) == 1


def test_a_write_long_after_its_renewal_is_renewed_for_anew(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was stopped between renewing and sending: it must ask again, and stop if another has the row."""
    (note,) = make_notes(book, 1)
    lease = replace(driver.claim(cluster, note), renewed_at=-math.inf)
    monkeypatch.setattr(fence, "PROVEN_SECONDS", 0.05)
    renew, stopped = fence.renew, list[bool]()

    def stopping(tokens: Any) -> Any:
        ours = renew(tokens)
        if not stopped:
            stopped.append(True)
            time.sleep(0.1)
            driver.expire_leases()
        return ours

    monkeypatch.setattr(fence, "renew", stopping)
    (work,) = reconcile.run_all([lease])
    assert work.fenced
    assert stopped
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == set()


def test_a_write_long_after_the_proof_of_its_lease_is_renewed_for_anew(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claiming the inventory proves the lease, for a moment: the worker was stopped for longer than that."""
    (note,) = make_notes(book, 1)
    monkeypatch.setattr(fence, "PROVEN_SECONDS", 0.05)
    claim = rounds.DATABASE["Claim"]

    def stopping(asked: Any) -> Any:
        answers = claim(asked)
        time.sleep(0.1)
        driver.expire_leases()
        return answers

    monkeypatch.setitem(rounds.DATABASE, "Claim", stopping)
    (work,) = reconcile.run_all([driver.claim(cluster, note)])
    assert work.fenced
    assert driver.live_names(cluster, driver.CONFIG_MAP, book.name) == set()


def test_what_is_proven_a_moment_ago_is_not_asked_again(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new lease and the claim of its inventory prove enough; a lease that is old is prolonged however often it is proven."""
    first, second = make_notes(book, 2)
    renewed: list[Any] = []
    renew = fence.renew

    def counted(tokens: Any) -> Any:
        renewed.append(set(tokens))
        return renew(tokens)

    monkeypatch.setattr(fence, "renew", counted)
    reconcile.run_all([driver.claim(cluster, first)])
    assert renewed == []
    old = driver.claim(cluster, second)
    reconcile.run_all([replace(old, renewed_at=old.renewed_at - fence.RENEWED_SECONDS)])
    assert renewed == [{old.token}]
    assert phases([first, second]) == ["Active", "Active"]


def test_a_batch_whose_database_went_away_is_anybodys_as_soon_as_it_is_back(
    cluster: Cluster, book: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = make_notes(book, 2)
    leases = queue.claim(cluster.pk, limit=2)
    write = Client._write

    def cutting(self: Client, *args: Any) -> Any:
        end_session(backend)
        monkeypatch.setattr(Client, "_write", write)
        return write(self, *args)

    backend = connection.connection.info.backend_pid
    monkeypatch.setattr(Client, "_write", cutting)
    with pytest.raises(OperationalError):
        tasks.run_batch(leases)
    assert {lease.object_id for lease in queue.claim(cluster.pk, limit=2)} == {note.pk for note in notes}
