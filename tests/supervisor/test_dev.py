"""`make dev`: what a change of a file does to a running installation."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from ovim_site.supervisor import reload
from ovim_site.supervisor.reload import mistakes, parts_of
from tests.supervisor.checkout import ROOT, Start, copy_to, environment

PROGRAMS = ("web", "live", "worker", "images", "beat", "watcher")


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ovim dev ", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def page(run: Start, path: str = "sign-in/") -> str:
    port = json.loads((run.var / "ports.json").read_text())["web"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_change_restarts_what_runs_it_and_a_mistake_is_shown(place: Path) -> None:
    copy = copy_to(place / "checkout")
    broken = copy / "vms/selectors.py"
    sound = broken.read_text()
    broken.write_text("nonsense\n" + sound)  # not even the first start can succeed
    with Start("dev", copy, place / "var") as run:
        run.wait_for("waiting for a change of the code")
        assert "NameError: name 'nonsense' is not defined" in run.said
        broken.write_text(sound)
        run.wait_for("OVIM runs at")
        first = run.parts()
        assert {name: part["state"] for name, part in first.items() if name in PROGRAMS} == dict.fromkeys(
            PROGRAMS, "runs"
        )

        mark = len(run.said)
        broken.write_text(sound + "\ndef half(:\n")
        said = run.wait_for("nothing is restarted until this is mended", after=mark)
        assert f"{broken}:{len(sound.splitlines()) + 2}: SyntaxError:" in said
        assert "  | def half(:" in said
        assert {part["pid"] for part in run.parts().values()} == {part["pid"] for part in first.values()}

        mark = len(run.said)
        broken.write_text(sound + "\n# mended\n")
        run.wait_for("restarting web, live, worker, images, beat, watcher", after=mark)
        run.until(lambda: all(part["state"] in ("runs", "done") for part in run.parts().values()), "all run again")
        second = run.parts()
        for name, part in second.items():
            assert (part["pid"] != first[name]["pid"]) is (name in PROGRAMS), name
            assert part["restarts"] == (1 if name in PROGRAMS else 0), name

        template = next(copy.glob("templates/**/sign_in.html"))
        assert "A word of today" not in page(run)
        template.write_text(template.read_text().replace("<h1>", "<h1>A word of today. ", 1))
        assert "A word of today" in page(run)
        style = next((copy / "static").rglob("*.css"))
        path = f"static/{style.relative_to(copy / 'static')}"
        assert "/* longer than before */" not in page(run, path)
        with style.open("a") as file:
            file.write("/* longer than before */")
        assert page(run, path).endswith("/* longer than before */")
        assert run.parts()["web"]["pid"] == second["web"]["pid"]
        log = (run.var / "log/web.log").read_text().splitlines()[-1]
        run.wait_for(f"| {log}")


def test_only_the_parts_that_run_the_code_are_restarted() -> None:
    def named(*paths: str) -> tuple[str, ...]:
        return parts_of([ROOT / path for path in paths], PROGRAMS)

    assert named("vms/services.py") == PROGRAMS
    assert named("ovim_site/live/hub.py") == ("live",)
    assert named("clusters/sandbox/store.py") == ("sandbox",)
    assert named("vms/migrations/0009_more.py") == ("migrate", *PROGRAMS)
    assert named("ovim_site/supervisor/runner.py") == ()


def test_a_deleted_file_is_no_mistake_and_a_broken_one_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("fine = 1\nif fine\n")
    assert mistakes([tmp_path / "gone.py"]) == []
    (told,) = mistakes([wrong])
    assert told.startswith(f"{wrong}:2: SyntaxError: ")
    assert told.endswith("| if fine")


def test_where_the_system_tells_of_no_change_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a machine has no watches left: watchfiles' own polling, said so once."""
    tried: list[bool | None] = []
    watch: Any = watchfiles.watch

    def refusing(*paths: Path, force_polling: bool | None, **more: object) -> object:
        tried.append(force_polling)
        if not force_polling:
            raise OSError("OS file watch limit reached")
        return watch(*paths, force_polling=True, **{**more, "poll_delay_ms": 50})

    monkeypatch.setattr(watchfiles, "watch", refusing)
    monkeypatch.setattr(reload, "code_folders", lambda: [tmp_path])
    (tmp_path / "log").mkdir()
    said: list[str] = []
    changes = reload.Changes(tmp_path / "log", lambda: None, said.append)
    changes.start()
    try:
        found: set[Path] = set()
        for _ in range(100):
            (tmp_path / "a.py").write_text(f"{len(found)}{os.urandom(4).hex()!r}")
            changes._stopping.wait(0.4)
            if found := changes.take():
                break
        assert found == {tmp_path / "a.py"}
    finally:
        changes.stop()
        changes.join(10)
    assert tried == [None, True]
    assert said == ["the system does not tell of changes (OS file watch limit reached): looking every 2 s"]


def test_on_a_terminal_each_part_has_a_colour_of_its_own(tmp_path: Path) -> None:
    for name in ("web", "worker"):
        (tmp_path / f"{name}.log").write_text("hello\n")
    program = (
        "import sys; from pathlib import Path; from ovim_site.supervisor.console import Merged;"
        "Merged([Path(a) for a in sys.argv[1:]]).pump()"
    )
    above, below = pty.openpty()
    words = [sys.executable, "-c", program, *(str(tmp_path / f"{name}.log") for name in ("web", "worker"))]
    subprocess.run(words, cwd=ROOT, env=environment(), stdout=below, check=True)
    os.close(below)
    said = os.read(above, 4096).decode()
    os.close(above)
    assert "\x1b[36mweb    |\x1b[0m hello" in said
    assert "\x1b[32mworker |\x1b[0m hello" in said
