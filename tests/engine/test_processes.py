"""The engine as it is deployed: a Celery worker, beat and the watcher as processes, killed, stopped, without a broker."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from clusters.models import Cluster, WorkItem
from core import broker
from ovim_site.supervisor.valkey import Valkey
from tests.engine import driver, processes
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.engine.test_watch import eventually
from tests.sandbox import Sandbox

pytestmark = pytest.mark.slow
OUTAGE_SECONDS = float(os.environ.get("OVIM_TEST_OUTAGE_SECONDS", "180"))
CATCH_UP_SECONDS = 10.0  # Promise 3


def active(note: Note) -> bool:
    note.refresh_from_db()
    return note.phase == "Active" and note.observed_generation == note.generation and note.seen_text == note.text


@pytest.fixture
def deployed(cluster: Cluster, tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    with (
        processes.worker(tmp_path / "worker.log") as worker,
        processes.beat(tmp_path / "beat.log") as beat,
        processes.watcher(tmp_path / "watcher.log") as watcher,
    ):
        yield {"worker": worker, "beat": beat, "watcher": watcher}


def ready_book(cluster: Cluster) -> Notebook:
    book = driver.notebook(cluster, f"p{time.time_ns():x}")
    eventually(lambda: Notebook.objects.filter(pk=book.pk, ready_at__isnull=False).exists(), 40)
    return book


def test_nothing_is_logged_while_nothing_is_to_be_done(
    cluster: Cluster, deployed: dict[str, Any], tmp_path: Path
) -> None:
    """Beat wakes a worker every second all the while."""

    def logs() -> dict[str, str]:
        return {log.name: log.read_text() for log in tmp_path.glob("*.log")}

    book = ready_book(cluster)
    time.sleep(5)
    before = logs()
    assert " ready." in before["worker.log"]
    time.sleep(8)
    assert logs() == before
    note = driver.note(book, "a", text="x")  # they are at work all the same
    eventually(lambda: active(note), 40)


def test_a_row_is_reconciled_and_repaired_without_anyone_driving(
    cluster: Cluster, deployed: dict[str, Any], sandbox: Sandbox
) -> None:
    book = ready_book(cluster)
    note = driver.note(book, "a", text="x")
    eventually(lambda: active(note))
    driver.remove(cluster, driver.ref("ConfigMap", book.name, "a-0"))
    eventually(lambda: "a-0" in driver.live_names(cluster, driver.CONFIG_MAP, book.name))
    kinds.delete(None, note)
    eventually(lambda: not Note.objects.exists())


def sessions() -> set[int]:
    """Of everybody else with this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = session_user "
            "AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_a_worker_keeps_its_session_with_the_database_and_opens_another_when_it_is_ended(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Beat wakes it every second: a session for each task would cost more than the task."""
    others = sessions()
    log = tmp_path / "worker.log"
    with processes.worker(log), processes.beat(tmp_path / "beat.log"):
        book = ready_book(cluster)
        mine = sessions() - others
        assert len(mine) == 1
        time.sleep(4)
        assert sessions() - others == mine
        with psycopg.connect(os.environ["OVIM_DATABASE_URL"], autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", list(mine))
        note = driver.note(book, "a", text="x")
        eventually(lambda: active(note), 40)
        assert mine.isdisjoint(sessions())
        assert "Error" not in log.read_text()


def test_a_worker_killed_in_the_middle_costs_seconds(
    cluster: Cluster, deployed: dict[str, Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    book = ready_book(cluster)
    sandbox.fault("latency", delay_ms=1500, method="PATCH", resource="configmaps", count=1)
    note = driver.note(book, "a", text="x")
    eventually(lambda: WorkItem.objects.filter(object_id=note.pk, lease_token__isnull=False).exists())
    os.killpg(deployed["worker"].pid, signal.SIGKILL)
    with processes.worker(tmp_path / "second.log"):
        driver.expire_leases()  # a minute passes
        eventually(lambda: active(note), 30)


def test_a_worker_stopped_past_its_lease_and_continued_does_no_harm(
    cluster: Cluster, deployed: dict[str, Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    book = ready_book(cluster)
    sandbox.fault("latency", delay_ms=1500, method="PATCH", resource="configmaps", count=1)
    note = driver.note(book, "a", text="old")
    eventually(lambda: WorkItem.objects.filter(object_id=note.pk, lease_token__isnull=False).exists())
    time.sleep(0.3)
    os.killpg(deployed["worker"].pid, signal.SIGSTOP)
    driver.expire_leases()
    with processes.worker(tmp_path / "second.log"):
        kinds.rewrite(note, text="new")
        eventually(lambda: active(note), 30)
        os.killpg(deployed["worker"].pid, signal.SIGCONT)
        time.sleep(2)
        assert active(note)
        live = driver.client(cluster).get(driver.ref("ConfigMap", book.name, "a-0"))
        assert live is not None
        assert live["data"]["text"] == "new"


@pytest.mark.timeout(400)
def test_work_catches_up_within_ten_seconds_of_the_brokers_return(
    cluster: Cluster, tmp_path: Path, settings: Any
) -> None:
    """The broker is away for three minutes; rows are accepted all the same, at the usual speed."""
    valkey = Valkey(tmp_path / "broker", password="test")
    valkey.start()
    port = int(valkey.url.rpartition(":")[2].partition("/")[0])
    settings.OVIM_REDIS_URL = valkey.url
    broker._local.connection = None
    environment = {"OVIM_REDIS_URL": valkey.url}
    with (
        processes.worker(tmp_path / "worker.log", **environment),
        processes.beat(tmp_path / "beat.log", **environment),
        processes.watcher(tmp_path / "watcher.log", **environment),
    ):
        book = ready_book(cluster)
        valkey.stop()
        stopped = time.monotonic()
        note = driver.note(book, "a", text="x")
        assert time.monotonic() - stopped < 2, "a request waited for the broker"
        time.sleep(max(OUTAGE_SECONDS - (time.monotonic() - stopped), 0))
        note.refresh_from_db()
        assert note.phase == "Pending"
        valkey = Valkey(tmp_path / "broker", port=port, password="test")
        valkey.start()
        back = time.monotonic()
        eventually(lambda: active(note), CATCH_UP_SECONDS)
        assert time.monotonic() - back < CATCH_UP_SECONDS
    valkey.stop()
    broker._local.connection = None
