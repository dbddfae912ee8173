"""The demo where it is hard to start: each of these really starts it, and a virtual machine runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from ovim_site.supervisor.process import Account
from ovim_site.supervisor.site import PORTS, read_site
from ovim_site.supervisor.var import Var
from tests.supervisor.checkout import Start, copy_to
from tests.supervisor.test_runner import alive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
PARTS = ("postgres", "valkey", "sandbox", "web", "live", "worker", "images", "beat", "watcher")
# Root's own Python may be out of others' reach: in a namespace of its own it also stands where everybody can go.
MOUNTED = 'mount --bind "$0" "$1" && shift && exec "$@"'
MOUNT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's start is what all the other tests are then")
# What the migrations were when the first data folders were made (commit ef42c8f).
OLD = {
    "core": "0002",
    "clusters": "0002",
    "tenancy": "0001",
    "vdcs": "0002",
    "catalogs": "0001",
    "vms": "0001",
}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Everybody can pass through it; its name has a space and letters that are not ASCII."""
    folder = Path(tempfile.mkdtemp(prefix="ovim häuslich wörk ", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def checkout(place: Path) -> Path:
    """Nothing is ever written in it: no start may."""
    copy = copy_to(place / "ein checkout")
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    return copy


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "node_modules" not in path.parts}


@as_root
def test_as_an_ordinary_user_beside_a_read_only_checkout_with_all_ports_taken(place: Path, checkout: Path) -> None:
    """And with neither npm nor node on the PATH."""
    nobody, var, before = Account.nobody(), place / "nobodys var", files(checkout)
    var.mkdir()
    takers = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    taken = {name: taker.getsockname()[1] for name, taker in zip(PORTS, takers, strict=True)}
    (var / "ports.json").write_text(json.dumps(taken))
    for path in (var, var / "ports.json"):
        os.chown(path, nobody.uid, nobody.gid)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    home = place / "python"
    home.mkdir()
    reached = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", MOUNTED, sys.base_prefix, str(home))
    become = ("/usr/bin/setpriv", f"--reuid={nobody.uid}", f"--regid={nobody.gid}", "--clear-groups")
    none = ("/usr/bin/env", "PATH=/nonexistent")
    python = (str(home / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"),)
    extra = {"PYTHONPATH": packages, "LD_LIBRARY_PATH": str(home / "lib"), "PYTHONDONTWRITEBYTECODE": "1"} | MOUNT
    before_it = (*reached, *become, *none)
    with Start("demo", checkout, var, "--exit", before=before_it, python=python, extra=extra) as run:
        assert run.ended() == 0, run.said
    assert "demo-1: running" in run.said
    assert not set(taken.values()) & set(json.loads((var / "ports.json").read_text()).values())
    assert {path.stat().st_uid for path in files(var)} == {nobody.uid}
    assert files(checkout) == before
    for taker in takers:
        taker.close()


def test_killed_parts_are_named_and_come_back_and_a_killed_demo_starts_again(place: Path, checkout: Path) -> None:
    """As whoever runs the tests."""
    var = place / "killed var"
    with Start("demo", checkout, var) as run:
        run.wait_for("Ctrl-C stops everything")
        with Start("demo", checkout, var) as second:
            assert second.ended() == 1
        assert second.said.startswith(f"ovim: OVIM already runs in {var} (process {run.process.pid})")
        first = run.parts()
        assert tuple(name for name in first if name in PARTS) == PARTS
        for name in PARTS:
            mark = len(run.said)
            os.kill(first[name]["pid"], signal.SIGKILL)
            said = run.wait_for(f"{name} is back", after=mark)
            assert f"{name} was ended by signal SIGKILL; the end of {var / 'log' / name}.log:" in said
            logged = (var / "log" / f"{name}.log").read_text()
            assert "  | " in said or not logged, "the last lines are shown"
        again = run.parts()
        assert all(again[name]["restarts"] >= 1 and again[name]["state"] == "runs" for name in PARTS), again
        everything = [run.process.pid, *alive(var), *(part["pid"] for part in again.values() if part["pid"])]
        for pid in everything:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with Start("demo", checkout, var, "--exit") as run:
        assert run.ended() == 0, run.said
    assert "demo-1: running" in run.said
    assert "accepted" not in run.said, "the machine of the first start is still there"


def test_data_of_an_older_version_are_brought_up_to_date_and_kept(place: Path, checkout: Path) -> None:
    var = place / "old var"
    with_old_data(var, checkout)
    with Start("demo", checkout, var, "--exit") as run:
        assert run.ended() == 0, run.said
    opened = Var(var)
    opened.open()
    site = read_site(opened, {})
    assert site.postgres is not None
    with site.postgres as pg, psycopg.connect(pg.urls.owner) as connection:  # whom the second line hides nothing from
        kept = "SELECT display_name FROM tenancy_organization WHERE name = 'old-corp'"
        assert connection.execute(kept).fetchall() == [("Kept for years",)]
        assert connection.execute("SELECT count(*) FROM catalogs_imageprobe").fetchone() is not None
    opened.close()


def with_old_data(var: Path, checkout: Path) -> None:
    """A data folder as an OVIM of before left it: the same services, the migrations of then, and a tenant."""
    opened = Var(var)
    opened.open()
    site = read_site(opened, {})
    assert site.postgres is not None
    with site.postgres as pg:
        for app, number in OLD.items():
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--database=owner", app, number],
                cwd=checkout, env=dict(site.environment) | {"PYTHONPATH": str(checkout)}, check=True,
                capture_output=True,
            )  # fmt: skip
        with psycopg.connect(pg.urls.app) as connection:
            assert connection.execute("SELECT to_regclass('catalogs_imageprobe')").fetchone() == (None,)
            connection.execute(
                "INSERT INTO tenancy_organization (id, name, display_name, description, enabled, generation) "
                "VALUES (gen_random_uuid(), 'old-corp', 'Kept for years', '', true, 1)"
            )
    opened.close()


def test_data_of_another_postgresql_are_left_alone_with_a_sentence(place: Path, checkout: Path) -> None:
    var = place / "future var"
    opened = Var(var)
    opened.open()
    site = read_site(opened, {})
    assert site.postgres is not None
    with site.postgres as pg:
        version = pg.data / "PG_VERSION"
    opened.close()
    version.write_text("99\n")
    with Start("demo", checkout, var, "--exit") as run:
        assert run.ended() == 1
    assert f"The data in {version.parent} were written by PostgreSQL 99 and this OVIM brings PostgreSQL" in run.said
    assert "Nothing was changed" in run.said
    assert version.read_text() == "99\n"
    assert "Traceback" not in run.said


# ---- a full disk: a small one of its own, in a namespace of its own


SMALL = 'mount -t tmpfs -o "size=$0" tmpfs "$1" && chmod 755 "$1" && shift && exec "$@"'


def on_a_disk_of(size: str, folder: Path) -> tuple[str, ...]:
    folder.mkdir()
    return ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", SMALL, size, str(folder))


@as_root
def test_a_full_disk_is_named_before_anything_starts(place: Path, checkout: Path) -> None:
    disk = place / "small"
    with Start("demo", checkout, disk / "var", "--exit", before=on_a_disk_of("60m", disk), extra=MOUNT) as run:
        assert run.ended() == 1
    assert f"ovim: The disk that {disk / 'var'} is on is full: " in run.said
    assert "of 60 MiB are free, at least 200 are needed." in run.said
    assert run.said.count("\n") == 1


@as_root
def test_a_disk_that_fills_up_is_named_and_room_heals_it(place: Path, checkout: Path) -> None:
    disk = place / "filling"
    with Start("demo", checkout, disk / "var", before=on_a_disk_of("400m", disk), extra=MOUNT) as run:
        run.wait_for("Ctrl-C stops everything")
        inside = Path(f"/proc/{run.process.pid}/root{disk}")  # its own namespace has the disk, ours has not
        mark, filler = len(run.said), inside / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * (1 << 20)):
                pass
        pid = next(p for p in alive(disk / "var") if b"valkey-server" in Path(f"/proc/{p}/cmdline").read_bytes())
        os.kill(pid, signal.SIGKILL)
        said = run.wait_for("starting valkey again", after=mark)
        assert f"The disk that {disk / 'var'} is on is full: " in said
        filler.unlink()
        run.wait_for("valkey is back", after=mark)
        run.process.send_signal(signal.SIGINT)
        assert run.ended() == 0, run.said


# ---- a machine without npm and node


def test_without_npm_the_browsers_files_come_with_a_node_of_our_own(place: Path) -> None:
    copy = copy_to(place / "without npm")
    (copy / "node_modules").unlink()
    (copy / "bin/sprite").write_text("")  # it cuts the icons, 5,000 files that take a minute to unpack: see `make demo`
    only_htmx(copy)
    # Bare, save for the uv that this one has: what is under test is what comes after.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", copy / ".venv"], check=True)
    packages = copy / f".venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for name in ("uv", "yaml"):
        if (here / name).exists():
            (packages / name).symlink_to(here / name)
    (copy / ".venv/bin/uv").symlink_to(Path(sys.executable).with_name("uv"))
    tools = place / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "mkdir", "touch", "env"):
        (tools / name).symlink_to(shutil.which(name) or name)
    # How packages are reached here (proxies, certificates, mirrors) stands in the environment: only the PATH is another.
    done = subprocess.run(
        [copy / "bin/install", "assets"], cwd=copy, env=os.environ | {"PATH": str(tools)}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "node_modules/htmx.org/dist/htmx.min.js").exists()


def only_htmx(copy: Path) -> None:
    """Of the packages the smallest."""
    lock, wanted = json.loads((copy / "package-lock.json").read_text()), "htmx.org"
    version = lock["packages"][""]["dependencies"][wanted]
    lock["packages"] = {
        "": lock["packages"][""] | {"dependencies": {wanted: version}, "devDependencies": {}},
        f"node_modules/{wanted}": lock["packages"][f"node_modules/{wanted}"],
    }
    (copy / "package-lock.json").write_text(json.dumps(lock))
    told = json.loads((copy / "package.json").read_text())
    told |= {"dependencies": {wanted: version}, "devDependencies": {}}
    (copy / "package.json").write_text(json.dumps(told))
