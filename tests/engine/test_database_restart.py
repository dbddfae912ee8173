"""PostgreSQL goes away under load and comes back: nothing is lost, nothing doubled, no process needs a hand."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections

from clusters import secrets
from clusters.models import Cluster, InventoryItem, WorkItem
from ovim_site.environment import database
from ovim_site.supervisor.postgres import Postgres
from ovim_site.supervisor.process import free_port
from tests.engine import driver, processes
from tests.engine.notes import kinds
from tests.engine.notes.models import Note, Notebook
from tests.engine.test_watch import eventually
from tests.sandbox import TOKEN, Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
NOTES = 30
CONVERGED_SECONDS = 120.0  # a lease that nobody could give back lasts a minute


class Server:
    """A PostgreSQL of this test's own, durable as in production."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(folder, port=free_port())
        self.postgres.start()

    @property
    def environment(self) -> dict[str, str]:
        urls = self.postgres.urls
        return {"OVIM_DATABASE_URL": urls.app, "OVIM_DATABASE_OWNER_URL": urls.owner}

    def end(self, number: int) -> None:
        """SIGINT is PostgreSQL's fast mode; after SIGQUIT, its immediate one, it recovers from its log."""
        process = self.postgres._process
        assert process is not None
        os.kill(process.pid, number)
        process.wait(timeout=20)


@contextmanager
def _connected_to(server: Server) -> Iterator[None]:
    """This process' own connections lead there, too."""
    urls = {"default": server.postgres.urls.app, "owner": server.postgres.urls.owner}
    before = {alias: dict(connections[alias].settings_dict) for alias in urls}
    for alias, url in urls.items():
        connections[alias].close()
        connections[alias].settings_dict.update(database(url))
    try:
        yield
    finally:
        for alias, kept in before.items():
            connections[alias].close()
            connections[alias].settings_dict.update(kept)


@pytest.fixture
def server(live_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("own")
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o711)  # as root PostgreSQL runs as nobody, who has to get in
    own = Server(folder / "pg")
    environment = os.environ | own.environment | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "--database=owner", "--no-input", "-v0"]
    subprocess.run(migrate, cwd=processes.ROOT, env=environment, check=True)
    with _connected_to(own):
        yield own
    own.postgres.stop()


class People(threading.Thread):
    """They write, rewrite and delete notes without a pause; what they are not told is done, they try again.

    `told` has the number of the last text whose commit was confirmed, by note; `deleted` the notes that were.
    """

    def __init__(self, book: Notebook, settings: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.book, self.settings = book, settings
        self.stopping = threading.Event()
        self.told: dict[str, int] = {}
        self.deleted: set[str] = set()
        self.failures = 0

    def run(self) -> None:
        connection.settings_dict.update(self.settings)  # a thread has connections of its own
        dice = random.Random(7)
        number = 0
        while not self.stopping.is_set():
            number += 1
            name = f"n{dice.randrange(NOTES)}"
            try:
                self._write(name, number, delete=dice.random() < 0.05)
            except DatabaseError:
                self.failures += 1
                connection.close()
                time.sleep(0.1)
            time.sleep(0.02)
        connection.close()

    def _write(self, name: str, number: int, *, delete: bool) -> None:
        if name in self.deleted:
            return
        note = Note.objects.filter(notebook=self.book, name=name).first()
        if note is None:
            driver.note(self.book, name, text=str(number))
        elif delete:
            self.deleted.add(name)  # also when we are not told that it was done: nobody writes to it any more
            kinds.delete(None, note)
        else:
            kinds.rewrite(note, text=str(number))
        self.told[name] = number


def settled(book: Notebook) -> bool:
    """Every row has come to what it wants, what was to be deleted is gone, and no work is left."""
    connection.close_if_unusable_or_obsolete()
    try:
        rows = list(Note.objects.filter(notebook=book))
        waits = WorkItem.objects.exists()
    except DatabaseError:
        connection.close()
        return False
    return not waits and all(
        row.phase == "Active" and row.observed_generation == row.generation and row.seen_text == row.text
        for row in rows
        if row.deletion_requested_at is None
    )


def finish_deletions(book: Notebook, names: set[str]) -> None:
    """Whoever was not told that his deletion was done asks again."""
    for note in Note.objects.filter(notebook=book, name__in=names, deletion_requested_at=None):
        kinds.delete(None, note)


@pytest.mark.parametrize("mode", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_restart_of_the_database_under_load_costs_seconds(
    server: Server, sandbox: Sandbox, tmp_path: Path, mode: int
) -> None:
    cluster = Cluster.objects.create(
        name="c", display_name="test", server=sandbox.url, credential=secrets.encrypt(TOKEN)
    )
    with (
        processes.worker(tmp_path / "worker.log", **server.environment) as worker,
        processes.beat(tmp_path / "beat.log", **server.environment) as beat,
        processes.watcher(tmp_path / "watcher.log", **server.environment) as watcher,
    ):
        book = driver.notebook(cluster, f"r{time.time_ns():x}")
        eventually(lambda: Notebook.objects.filter(pk=book.pk, ready_at__isnull=False).exists(), 60)
        people = People(book, dict(connection.settings_dict))
        people.start()
        for away in (0.0, 5.0):
            time.sleep(3)
            server.end(mode)
            time.sleep(away)
            server.postgres.start()
        time.sleep(3)
        people.stopping.set()
        people.join(timeout=30)
        assert not people.is_alive()
        assert people.failures > 0, "the restarts went unnoticed: this proved nothing"
        connection.close()
        finish_deletions(book, people.deleted)
        eventually(lambda: settled(book), CONVERGED_SECONDS)
        assert all(process.poll() is None for process in (worker, beat, watcher))
        _nothing_lost_nothing_doubled(cluster, book, people)
        _the_watch_goes_on(cluster, book)


def _nothing_lost_nothing_doubled(cluster: Cluster, book: Notebook, people: People) -> None:
    rows = {note.name: note for note in Note.objects.filter(notebook=book)}
    assert set(rows) == set(people.told) - people.deleted
    for name, note in rows.items():
        assert int(note.text) >= people.told[name], "a confirmed write was lost"
    expected = {f"{name}-{index}": note.text for name, note in rows.items() for index in range(note.parts)}
    objects, _ = driver.client(cluster).list(driver.CONFIG_MAP, namespace=book.name)
    live = {item["metadata"]["name"]: item["data"]["text"] for item in objects if "text" in item.get("data", {})}
    assert live == expected
    assert driver.live_names(cluster, driver.SECRET, book.name) == {f"{name}-secret" for name in rows}
    held = InventoryItem.objects.filter(tombstoned_at__isnull=True, owner_kind="note")
    assert held.count() == len(expected) + len(rows)
    assert set(held.values_list("owner_id", flat=True)) == {note.pk for note in rows.values()}


def _the_watch_goes_on(cluster: Cluster, book: Notebook) -> None:
    """Its lead was a lock in the database that went: somebody has it again, and sees what is changed by hand."""
    name = Note.objects.filter(notebook=book).first().name  # type: ignore[union-attr]
    driver.remove(cluster, driver.ref("ConfigMap", book.name, f"{name}-0"))
    eventually(lambda: f"{name}-0" in driver.live_names(cluster, driver.CONFIG_MAP, book.name), 30)


def test_processes_that_start_while_the_database_is_away_wait_for_it(
    server: Server, sandbox: Sandbox, tmp_path: Path
) -> None:
    cluster = Cluster.objects.create(
        name="c", display_name="test", server=sandbox.url, credential=secrets.encrypt(TOKEN)
    )
    connection.close()
    server.end(signal.SIGINT)
    with (
        processes.worker(tmp_path / "worker.log", **server.environment) as worker,
        processes.beat(tmp_path / "beat.log", **server.environment) as beat,
        processes.watcher(tmp_path / "watcher.log", **server.environment) as watcher,
    ):
        for log in ("worker.log", "watcher.log"):
            eventually(lambda log=log: "the database can't be reached" in (tmp_path / log).read_text(), 40)  # type: ignore[misc]
        server.postgres.start()
        book = driver.notebook(cluster, f"s{time.time_ns():x}")
        eventually(lambda: Notebook.objects.filter(pk=book.pk, ready_at__isnull=False).exists(), 40)
        assert all(process.poll() is None for process in (worker, beat, watcher))
