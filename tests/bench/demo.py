"""The demo as a newcomer has it: from a clean clone to a VM that runs, once more, and how much memory it takes then."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.table import Goal, Row

ROOT = Path(__file__).resolve().parents[2]
COLD, WARM, MEMORY_MIB, PATIENCE = 120.0, 20.0, 1024.0, 600.0
SERVING = "Ctrl-C stops everything"  # what `make demo` says when the VM runs and it stays


def measure() -> Iterator[Row]:
    """The package cache is warm where an earlier `make install` on this machine has filled it."""
    with tempfile.TemporaryDirectory(prefix="ovim-bench-demo-") as folder:
        clone = Path(folder) / "ovim"
        began = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        _make(clone, "EXIT=1")
        yield Row(
            "demo-cold", time.monotonic() - began, "s", None, Goal("≤", COLD), "committed state, warm package cache"
        )
        began = time.monotonic()
        _make(clone, "EXIT=1")
        yield Row("demo-warm", time.monotonic() - began, "s", None, Goal("≤", WARM), "second start, same VM")
        used, parts = _memory(clone)
        yield Row("demo-memory", used, "MiB", None, Goal("≤", MEMORY_MIB), parts)
        subprocess.run(["make", "clean"], cwd=clone, env=_environment(), check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(clone, ignore_errors=True)


def _environment() -> dict[str, str]:
    """A newcomer's: nothing of ours, and no make above it."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("OVIM_", "MAKE", "MFLAGS", "DJANGO"))
    }


def _make(clone: Path, *words: str) -> None:
    done = subprocess.run(
        ["make", "demo", *words],
        cwd=clone,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"make demo ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-3000:]}")


def _memory(clone: Path) -> tuple[float, str]:
    """The proportional share of every process of the demo while it serves, and the largest of them by name."""
    log = clone / "demo.log"
    with log.open("wb") as out:
        demo = subprocess.Popen(
            ["make", "demo"], cwd=clone, env=_environment(), stdout=out, stderr=out, start_new_session=True
        )
    try:
        end = time.monotonic() + PATIENCE
        while SERVING not in log.read_text(errors="replace"):
            if demo.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"make demo does not serve:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
        time.sleep(5)  # the worker and the web have done something by now
        shares = {pid: _share(pid) for pid in _below(demo.pid)}
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(timeout=60)
    largest = sorted(shares.items(), key=lambda item: -item[1][1])[:6]
    told = ", ".join(f"{name} {share:.0f}" for _, (name, share) in largest)
    return sum(share for _, share in shares.values()), f"{len(shares)} processes; {told}"


def _below(top: int) -> set[int]:
    """The process and all its descendants; parts run in sessions of their own but stay children."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended meanwhile
    found, grown = {top}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found


def _share(pid: int) -> tuple[str, float]:
    """What it is, and its proportional set size in MiB."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return "", 0.0
    kib = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    named = [word for word in words if word and not word.startswith("-")]
    return " ".join(Path(word).name for word in named[1:4] or named)[:40], kib / 1024
