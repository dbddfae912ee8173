"""The embedded PostgreSQL, as real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ovim_site.supervisor.postgres import Postgres
from ovim_site.supervisor.process import Account, SupervisorError

InChild = Callable[[Account, Callable[[], object]], str]
ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root must do; an ordinary user runs the other tests")


def ask(url: str, statement: str) -> tuple[object, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


def leave_a_row(pg: Postgres) -> None:
    with psycopg.connect(pg.urls.owner) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")


def test_gives_an_owner_and_a_role_with_no_power_to_step_around_row_rules(open_folder: Path) -> None:
    roles = "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    with Postgres(open_folder, durable=False) as pg:
        assert ask(pg.urls.owner, roles) == (False, False, True, False)
        assert ask(pg.urls.app, roles) == (False, False, False, False)
        assert ask(pg.urls.app, "SELECT current_setting('server_encoding'), 'ü'::text") == ("UTF8", "ü")
        assert ask(pg.urls.app, "SELECT has_schema_privilege('public', 'CREATE')") == (False,)
        assert ask(pg.urls.owner, "SELECT has_schema_privilege('public', 'CREATE')") == (True,)
        assert ask(pg.urls.app, "SHOW max_connections") == ("200",)


def test_the_owner_makes_the_extensions_and_databases_that_migrations_and_tests_need(open_folder: Path) -> None:
    with Postgres(open_folder, durable=False) as pg, psycopg.connect(pg.urls.owner, autocommit=True) as owner:
        owner.execute("CREATE EXTENSION btree_gist")
        owner.execute("CREATE EXTENSION pg_trgm")
        owner.execute("CREATE DATABASE test_ovim")


@pytest.mark.parametrize("user", ["postgres", "ovim_owner", "ovim_app"])
def test_lets_nobody_in_without_a_password(open_folder: Path, user: str) -> None:
    with Postgres(open_folder, durable=False) as pg:
        address = pg.urls.app.partition("@")[2]
        with pytest.raises(psycopg.OperationalError, match=r"password"):
            psycopg.connect(f"postgresql://{user}@{address}")
        assert stat.S_IMODE((open_folder / "passwords.json").stat().st_mode) == 0o600


def test_keeps_data_and_passwords_from_start_to_start(open_folder: Path) -> None:
    with Postgres(open_folder) as pg:
        password = pg.urls.owner.partition("@")[0]
        leave_a_row(pg)
    with Postgres(open_folder) as pg:
        assert pg.urls.owner.partition("@")[0] == password
        assert ask(pg.urls.owner, "SELECT one FROM kept") == (1,)


def test_starts_again_after_everything_was_killed(open_folder: Path) -> None:
    first = Postgres(open_folder)
    first.start()
    leave_a_row(first)
    os.kill(int((first.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    first._unlock()  # what the end of the process does
    with Postgres(open_folder) as pg:
        assert ask(pg.urls.owner, "SELECT one FROM kept") == (1,)


def test_a_lock_file_naming_somebody_elses_process_does_not_stop_the_start(open_folder: Path) -> None:
    with Postgres(open_folder) as pg:
        text = (pg.data / "postmaster.pid").read_text()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (pg.data / "postmaster.pid").write_text(text.replace(text.split()[0], str(stranger.pid), 1))
        with Postgres(open_folder) as again:
            assert again.is_ready()
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_left_over_on_our_data_is_ended_first(open_folder: Path) -> None:
    left = Postgres(open_folder)
    left.start()
    left._unlock()
    with Postgres(open_folder) as pg:
        assert pg.is_ready()
        assert left._process is not None
        assert left._process.wait(5) == 0


def test_a_first_start_killed_half_way_is_done_again(open_folder: Path) -> None:
    with Postgres(open_folder) as pg:
        mark = pg.cluster / "ready"
    mark.unlink()
    (mark.parent / "data/global/pg_control").unlink()
    with Postgres(open_folder) as pg:
        assert pg.is_ready()


def test_new_passwords_replace_lost_ones(open_folder: Path) -> None:
    with Postgres(open_folder):
        pass
    (open_folder / "passwords.json").unlink()
    with Postgres(open_folder) as pg:
        assert pg.is_ready()


def test_two_at_once_on_one_folder_are_refused(open_folder: Path) -> None:
    with Postgres(open_folder, durable=False), pytest.raises(SupervisorError, match="Another process is using"):
        Postgres(open_folder, durable=False).start()


def test_a_taken_port_is_said_with_the_servers_own_words(open_folder: Path) -> None:
    with Postgres(open_folder / "one", durable=False) as one:
        port = int(one.urls.app.rpartition(":")[2].partition("/")[0])
        with pytest.raises(SupervisorError, match="Address already in use"):
            Postgres(open_folder / "two", durable=False, port=port).start()


def test_ends_when_the_process_that_started_it_is_killed(open_folder: Path) -> None:
    program = (
        "import sys, time; from ovim_site.supervisor.postgres import Postgres;"
        "pg = Postgres(sys.argv[1], durable=False); pg.start(); print(pg._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(open_folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{server}").exists():
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.05)


@as_root
def test_as_root_the_server_runs_as_nobody(open_folder: Path) -> None:
    with Postgres(open_folder, durable=False) as pg:
        assert pg._process is not None
        assert Path(f"/proc/{pg._process.pid}").stat().st_uid == Account.nobody().uid


@as_root
def test_as_root_below_a_private_folder_data_and_binaries_go_where_nobody_can_reach(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = open_folder / "home"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(Account, "can_run", lambda *_: False)  # as when .venv is in there too
    with Postgres(private / "var", durable=False) as pg:
        moved = pg.cluster
        assert pg.is_ready()
        assert not moved.is_relative_to(private)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert Path(f"/proc/{pg._process.pid}/exe").readlink().is_relative_to(moved)  # type: ignore[union-attr]
    assert not moved.exists()


@as_root
def test_runs_as_an_ordinary_user_and_then_as_root_on_the_same_data(open_folder: Path, in_child: InChild) -> None:
    nobody = Account.nobody()
    os.chown(open_folder, nobody.uid, nobody.gid)
    assert in_child(nobody, lambda: Postgres(open_folder).__enter__().stop()) == ""
    with Postgres(open_folder) as pg:
        assert pg.is_ready()


@as_root
def test_data_of_another_account_is_refused_with_a_sentence(open_folder: Path, in_child: InChild) -> None:
    stranger = Account(12345, 12345)
    with Postgres(open_folder):
        pass
    for path in (open_folder, open_folder / "lock"):
        os.chown(path, stranger.uid, stranger.gid)
    assert "belongs to another account" in in_child(stranger, lambda: Postgres(open_folder).start())
