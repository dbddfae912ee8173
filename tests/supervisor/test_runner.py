"""The supervisor over small shell scripts: real processes, real signals."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - sockets import it late, when an ordinary user can't reach root's Python
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ovim_site.supervisor.process import Account
from tests.supervisor.drive import main as drive

ROOT = Path(__file__).parents[2]
DRIVE = Path(__file__).with_name("drive.py")
# Ready at once, with a child of its own that a careless stop would leave behind.
STEADY = "echo ready; sleep 1234 & sleep 4321"


class Driven:
    """A running drive.py and what it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = ""

    def wait_for(self, words: str) -> str:
        assert self.process.stdout is not None
        while words not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"ended without {words!r} after:\n{self.printed}"
            self.printed += line
        return self.printed

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.printed += self.process.communicate(timeout=20)[0]
        return self.process.returncode


@contextmanager
def driven(var: Path, *stages: str) -> Iterator[Driven]:
    process = subprocess.Popen(
        [sys.executable, str(DRIVE), str(var), *stages],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield Driven(process)
    finally:
        process.kill()
        process.communicate()


def alive(var: Path) -> list[int]:
    """Processes that work in the folder of this start, as all its parts and their children do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(var) and "State:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def words_of(pid: int) -> str:
    """Of a process's command line; none of one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        return ""


def the_one(program: str, var: Path) -> int:
    """The process of that command, not one that it forked."""
    found = [pid for pid in alive(var) if program in words_of(pid)]
    return next(pid for pid in found if os.getpgid(pid) == pid)


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


def test_starts_in_order_and_a_one_shot_ends_before_what_follows(var: Path) -> None:
    stages = ("db=echo ready >> order; " + STEADY, "migrate!=cat order; echo done >> order", "web=cat order; " + STEADY)
    with driven(var, *stages) as run:
        run.wait_for("all ready")
        assert (var / "log/web.log").read_text().startswith("ready\ndone\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_leaves_nothing_behind(var: Path, number: int) -> None:
    with driven(var, "db=" + STEADY, "web=" + STEADY) as run:
        run.wait_for("all ready")
        assert len(alive(var)) == 6
        assert run.end(number) == 0
        assert alive(var) == []


def test_under_nohup_the_end_of_the_terminal_is_not_the_end(var: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited by what is started now, as from nohup
    try:
        with driven(var, "web=" + STEADY) as run:
            run.wait_for("all ready")
            run.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            assert run.process.poll() is None
            assert run.end() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_while_parts_start_stops_those_that_do(var: Path) -> None:
    with driven(var, "db=" + STEADY, "web=sleep 4321") as run:
        run.wait_for("db")
        assert run.end() == 0
        assert alive(var) == []


def test_a_part_that_ignores_the_signal_is_killed(var: Path) -> None:
    with driven(var, "deaf=trap '' TERM; " + STEADY) as run:
        run.wait_for("all ready")
        assert run.end() == 0
        assert alive(var) == []


def test_a_second_signal_does_not_wait(var: Path) -> None:
    with driven(var, *(f"deaf{n}=trap '' TERM; {STEADY}" for n in range(8))) as run:
        run.wait_for("all ready")
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        run.end()
        assert time.monotonic() - began < 8  # eight stages of two seconds each otherwise
        assert alive(var) == []


def test_killing_the_supervisor_leaves_nothing_behind(var: Path) -> None:
    with driven(var, "db=" + STEADY, "web=" + STEADY) as run:
        run.wait_for("all ready")
        run.process.kill()
        assert soon(lambda: alive(var) == [])


def test_a_start_ends_what_a_killed_supervisor_and_a_killed_guard_left(var: Path) -> None:
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
        guard = next(int(child) for child in children if b"drive.py" in Path(f"/proc/{child}/cmdline").read_bytes())
        os.kill(guard, signal.SIGKILL)
        run.process.kill()
        run.process.wait()
    left = alive(var)
    assert left, "the grandchildren have lost everybody who could end them"
    with driven(var, "web=" + STEADY) as again:
        again.wait_for("all ready")
        assert not set(left) & set(alive(var))
        assert again.end() == 0


def test_a_part_that_dies_is_named_with_its_last_words_and_started_again(var: Path) -> None:
    with driven(var, "db=" + STEADY, "web=echo out of cheese; " + STEADY) as run:
        run.wait_for("all ready")
        victim = next(pid for pid in alive(var) if b"cheese" in Path(f"/proc/{pid}/cmdline").read_bytes())
        before = set(alive(var))
        os.kill(victim, signal.SIGKILL)
        said = run.wait_for("web is back")
        assert "web was ended by signal SIGKILL" in said
        assert "| out of cheese" in said
        assert "starting web again in 0.5 s" in said
        assert len(alive(var)) == 6, "the dead part's child is gone too"
        assert len(before & set(alive(var))) == 3, "db was left alone"


def test_a_part_that_dies_again_and_again_is_given_longer_pauses(var: Path) -> None:
    with driven(var, "web=echo ready; sleep 0.3; exit 3") as run:
        run.wait_for("again in 0.5 s")
        run.wait_for("again in 1 s")
        said = run.wait_for("again in 2 s")
        assert "web ended with status 3" in said


def test_a_part_that_can_not_start_ends_the_start_with_its_words(var: Path) -> None:
    with driven(var, "db=" + STEADY, "web=echo no such table; exit 2") as run:
        said = run.process.communicate(timeout=20)[0]
        assert run.process.returncode == 1
        assert "ovim: web ended with status 2" in said
        assert "| no such table" in said
        assert alive(var) == []


def test_a_failing_one_shot_is_not_tried_again(var: Path) -> None:
    with driven(var, "migrate!=echo tried; exit 1") as run:
        run.process.communicate(timeout=20)
        assert run.process.returncode == 1
        assert (var / "log/migrate.log").read_text() == "tried\n"


def test_a_second_start_in_the_same_folder_says_who_has_it(var: Path) -> None:
    with driven(var, "web=" + STEADY) as first:
        first.wait_for("all ready")
        with driven(var, "web=" + STEADY) as second:
            said = second.process.communicate(timeout=20)[0]
        assert second.process.returncode == 1
        assert f"OVIM already runs in {var} (process {first.process.pid})" in said


def test_embedded_services_come_back_after_dying(open_folder: Path) -> None:
    with driven(open_folder, "@services", "web=" + STEADY) as run:
        run.wait_for("all ready")
        for program in ("bin/postgres -D", "valkey-server"):
            os.kill(the_one(program, open_folder), signal.SIGKILL)
        run.wait_for("postgres was ended by signal SIGKILL")
        run.wait_for("valkey was ended by signal SIGKILL")
        run.wait_for("postgres is back")
        run.wait_for("valkey is back")
        assert run.end() == 0
        assert alive(open_folder) == []


def test_embedded_services_start_again_after_everything_was_killed(open_folder: Path) -> None:
    with driven(open_folder, "@services") as run:
        run.wait_for("all ready")
        run.process.kill()
        for pid in alive(open_folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with driven(open_folder, "@services") as run:
        run.wait_for("all ready")
        assert run.end() == 0
        assert alive(open_folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="run by an ordinary user, every other test of this file shows it")
def test_runs_as_an_ordinary_user(open_folder: Path, in_child: Callable[[Account, Callable[[], object]], str]) -> None:
    nobody = Account.nobody()
    os.chown(open_folder, nobody.uid, nobody.gid)

    def act() -> None:
        folder = open_folder / "var"
        # Ends by the error of its last part, since nobody sends it a signal.
        assert drive(str(folder), "@services", "web=" + STEADY, "last!=exit 1") == 1
        assert "database system is ready" in (folder / "log/postgres.log").read_text()
        assert "ready" in (folder / "log/web.log").read_text()
        assert alive(folder) == []

    assert in_child(nobody, act) == ""


def test_starts_twice_in_a_row_and_at_once_after_being_killed(var: Path) -> None:
    for _ in range(2):
        with driven(var, "web=" + STEADY) as run:
            run.wait_for("all ready")
            run.process.kill()
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        assert run.end() == 0
    assert sorted(path.name for path in (var / "log").iterdir()) == ["web.log", "web.log.1", "web.log.2"]
