"""`status` and `restart` from another terminal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ovim_site.supervisor.control import NAME, ask, table
from ovim_site.supervisor.process import SupervisorError
from tests.supervisor.test_runner import STEADY, driven

ROOT = Path(__file__).parents[2]


def status(var: Path) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in ask(var, {"verb": "status"})["parts"]}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "ovim_site.supervisor", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_status_tells_of_each_part(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "once!=echo made it", "web=echo hello; " + STEADY) as run:
        run.wait_for("all ready")
        parts = status(var)
        assert list(parts) == ["once", "web"]
        assert (parts["once"]["state"], parts["once"]["pid"], parts["once"]["last"]) == ("done", None, "made it")
        web = parts["web"]
        assert (web["state"], web["restarts"], web["last"]) == ("runs", 0, "ready")
        assert Path(f"/proc/{web['pid']}").exists()
        said = command("status", "--var", str(var)).stdout
        assert str(web["pid"]) in said
        assert said.splitlines()[0].split()[:3] == ["part", "state", "pid"]
        assert json.loads(command("status", "--json", "--var", str(var)).stdout)[1]["pid"] == web["pid"]


def test_a_part_that_was_killed_is_counted(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        os.kill(status(var)["web"]["pid"], signal.SIGKILL)
        run.wait_for("web is back")
        assert status(var)["web"]["restarts"] == 1


def test_one_part_is_restarted_and_the_others_are_left_alone(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "db=" + STEADY, "web=" + STEADY) as run:
        run.wait_for("all ready")
        before, run.printed = status(var), ""
        result = command("restart", "web", "--var", str(var))
        assert result.returncode == 0, result.stderr
        run.wait_for("restarting web")
        run.wait_for("✓ web")
        after = status(var)
        assert after["db"]["pid"] == before["db"]["pid"]
        assert after["web"]["pid"] != before["web"]["pid"]
        assert (after["db"]["restarts"], after["web"]["restarts"]) == (0, 1)


def test_what_follows_a_one_shot_waits_for_it_on_a_restart_too(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "migrate!=sleep 0.5; echo migrated >> order", "web=echo web >> order; " + STEADY) as run:
        run.wait_for("all ready")
        run.printed = ""
        ask(var, {"verb": "restart", "parts": ["web", "migrate"]})
        run.wait_for("✓ migrate")
        run.wait_for("✓ web")
        assert (var / "order").read_text().split() == ["migrated", "web"] * 2


def test_a_one_shot_that_fails_on_a_restart_ends_nothing(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "migrate!=test ! -e bad || exit 3", "web=" + STEADY) as run:
        run.wait_for("all ready")
        (var / "bad").touch()
        ask(var, {"verb": "restart", "parts": ["migrate"]})
        run.wait_for("migrate ended with status 3")
        assert {name: part["state"] for name, part in status(var).items()} == {"migrate": "failed", "web": "runs"}
        assert run.end() == 0


def test_an_unknown_part_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with driven(var, "db=" + STEADY, "web=" + STEADY) as run:
        run.wait_for("all ready")
        before = status(var)
        result = command("restart", "webb", "--var", str(var))
        assert result.returncode == 1
        assert result.stderr == "ovim: There is no part webb: there are db, web.\n"
        assert status(var)["web"]["pid"] == before["web"]["pid"]


@pytest.mark.parametrize("said", [b"", b"{", b'"x"\n', b'{"verb": "dance"}\n', b'{"verb": "restart", "parts": []}\n'])
def test_nonsense_does_not_disturb(tmp_path: Path, said: bytes) -> None:
    var = tmp_path / "var"
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(os.path.relpath(var / NAME))
            line.sendall(said)
        assert status(var)["web"]["state"] == "runs"


@pytest.mark.parametrize("killed", [False, True])
def test_where_nothing_runs_it_is_said(tmp_path: Path, killed: bool) -> None:
    var = tmp_path / "var"
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        run.process.kill() if killed else run.end()
        run.process.wait()
    with pytest.raises(SupervisorError, match="No OVIM runs in"):
        ask(var, {"verb": "status"})


def test_a_folder_with_a_long_name_can_be_commanded(tmp_path: Path) -> None:
    var = tmp_path / ("long" * 20) / ("ü" * 60)
    with driven(var, "web=" + STEADY) as run:
        run.wait_for("all ready")
        assert status(var)["web"]["state"] == "runs"
        assert (var / NAME).stat().st_mode & 0o077 == 0


def test_the_table_says_how_long_ago() -> None:
    part = {"name": "web", "state": "runs", "pid": 7, "address": "x:1", "since": 1000.0, "restarts": 2, "last": "hi"}
    assert table([part], now=1000.0 + 7200).splitlines()[1].endswith("(2 h)  2         hi")
