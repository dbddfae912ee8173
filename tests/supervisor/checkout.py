"""Starts as people make them: the command itself, from a copy of this checkout, as whom and where the test says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
# What no start needs, or makes anew.
LEFT_OUT = (".git", ".venv", "node_modules", "var", "tests", "build", "*.egg-info", "__pycache__", ".*_cache")
PATIENCE = 120.0


def copy_to(folder: Path) -> Path:
    """The sources; the browser's files by a link."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def environment(**more: str) -> dict[str, str]:
    """A newcomer's: no variable of ours, and no PATH to speak of, so neither npm nor node."""
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "TZ", "TMPDIR")}
    return kept | {"PATH": "/usr/bin/none", "HOME": "/nonexistent"} | more


class Start:
    """`with Start("demo", checkout, var) as run:` a running supervisor and all that it has printed."""

    def __init__(
        self,
        verb: str,
        checkout: Path,
        var: Path,
        *more: str,
        before: Sequence[str] = (),
        python: Sequence[str] = (sys.executable,),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.var = var
        self.words = [*before, *python, "-m", "ovim_site.supervisor", verb, "--var", str(var), *more]
        self.cwd, self.extra = checkout, dict(extra or {})
        self.output = checkout.with_name(f"{checkout.name}.{time.monotonic_ns()}.said")

    def __enter__(self) -> Self:
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                self.words, cwd=self.cwd, env=environment(**self.extra), stdout=out, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, *, after: int = 0) -> str:
        """Until it has said that, beyond the first `after` characters."""
        self.until(lambda: words in self.said[after:], words)
        return self.said[after:]

    def until(self, holds: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, f"ended with {self.process.returncode}, not {what!r}:\n{self.said}"
            assert time.monotonic() < end, f"no {what!r} in:\n{self.said}"
            time.sleep(0.05)

    def ended(self) -> int:
        """Its status, once it has come to its end by itself."""
        return self.process.wait(PATIENCE)

    def parts(self) -> dict[str, dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "ovim_site.supervisor", "status", "--json", "--var", str(self.var)],
            cwd=self.cwd, env=environment(), capture_output=True, check=True,
        )  # fmt: skip
        return {part["name"]: part for part in json.loads(done.stdout)}
