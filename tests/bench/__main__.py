"""`python -m tests.bench [part …]`: prints the table, writes var/bench.json, ends 1 if a goal is missed.

Each part runs in a process of its own, on an installation of its own: Django's settings are read once a process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench import table
from tests.bench.ground import Ground

ROOT = Path(__file__).resolve().parents[2]
# part → what its installation is given besides the demo's environment
PARTS: dict[str, dict[str, str]] = {
    # Counted, as in the product, but never refused: one client asks more than people are allowed to.
    # "testserver" is how Django's own test client calls.
    "lists": {
        "OVIM_RATE_LIMIT_USER": "10000000",
        "OVIM_RATE_LIMIT_ADDRESS": "10000000",
        "OVIM_ALLOWED_HOSTS": "testserver",
    },
    "pages": {"OVIM_RATE_LIMIT_USER": "10000000", "OVIM_RATE_LIMIT_ADDRESS": "10000000"},
    "auth": {"OVIM_RATE_LIMIT_USER": "0", "OVIM_RATE_LIMIT_ADDRESS": "0"},  # counting is not what is measured
    "latency": {"OVIM_SANDBOX_PACE": "fast"},  # so that each VM runs and goes soon; the engine does not see it
    "rate": {"OVIM_SANDBOX_CONTROLLERS": "off"},
    "idle": {"OVIM_SANDBOX_CONTROLLERS": "off"},  # whose writes would be counted, too
    "stream": {"OVIM_SANDBOX_CONTROLLERS": "off"},
}
LOGGED = ("idle", "stream")  # with every statement in the log of PostgreSQL
DEPLOYED = ("pages",)  # with collected files
WITHOUT_GROUND = ("demo", "cli", "sandbox")


def main() -> int:
    known = (*PARTS, *WITHOUT_GROUND)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=str(__doc__).splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which of {', '.join(known)} (all)")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if wrong := set(asked.parts) - set(known):
        parser.error(f"there is no part {', '.join(sorted(wrong))}: there are {', '.join(known)}")
    if asked.into:
        run_here(asked.parts[0], asked.into)
        return 0
    rows = [row for part in asked.parts or known for row in run_apart(part)]
    print(table.shown(rows))
    table.write(ROOT / "var" / "bench.json", rows)
    return 0 if all(row["ok"] is not False for row in rows) else 1


def run_here(part: str, into: Path) -> None:
    """One part, its rows into a file as they come."""
    with into.open("w") as out:

        def keep(row: table.Row) -> None:
            out.write(json.dumps(row.as_json()) + "\n")
            out.flush()

        if part in WITHOUT_GROUND:
            for row in import_module(f"tests.bench.{part}").measure():
                keep(row)
            return
        with Ground(statements=part in LOGGED, deployed=part in DEPLOYED, **PARTS[part]) as ground:
            for row in import_module(f"tests.bench.{part}").measure(ground):
                keep(row)


def run_apart(part: str) -> list[dict[str, Any]]:
    """One part in a process of its own. One that fails is a row that is not ok."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "rows"
        command = [sys.executable, "-m", "tests.bench", part, "--into", str(into)]
        status = subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode
        lines = into.read_text().splitlines() if into.exists() else []
    rows = [json.loads(line) for line in lines]
    for row in rows:
        sys.stderr.write(f"  {row['name']}: {row['value']} {row['unit']}\n")
    return rows if status == 0 else [*rows, table.failed(part, f"the measurement ended with status {status}")]


if __name__ == "__main__":
    sys.exit(main())
