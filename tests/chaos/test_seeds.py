"""The short form: three seeds on one installation of real processes. The long one is `make chaos`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEDS, OPERATIONS = ("1", "2", "3"), "150"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_breaks_the_promises_hold(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OVIM_", "DJANGO_"))}
    command = [sys.executable, "-m", "tests.chaos", *SEEDS, "--operations", OPERATIONS, "--logs", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    assert run.stdout.splitlines()[-1] == "3 of 3 seeds passed"
    for counted in re.findall(r"accepted (\d+)", run.stdout):
        assert int(counted) > int(OPERATIONS) // 5, said  # a crowd that is refused everything proves nothing
    assert len(re.findall(r"kill_\w+|postgres_\w+", run.stdout)) >= 3, said
