"""`cli-start`: how long `ovim` takes until it has said its version or its help, beside a Python that does nothing."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.table import Goal, Row

ROOT = Path(__file__).resolve().parents[2]
RUNS = 30
MOST_MS = 150.0


def measure() -> Iterator[Row]:
    floor = _median("-c", "pass")
    for name, argument in (("cli-start", "--version"), ("cli-help", "--help")):
        yield Row(
            name,
            _median("-c", "from cli.main import main; main()", argument),
            "ms",
            floor,
            Goal("≤", MOST_MS),
            f"median of {RUNS}; floor: python -c pass",
        )


def _median(*arguments: str) -> float:
    """Milliseconds of wall-clock time. The first run, which fills caches, does not count."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[1:])
