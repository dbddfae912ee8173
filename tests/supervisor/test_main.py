"""The command itself, as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ovim_site.supervisor.postgres import Postgres

ROOT = Path(__file__).parents[2]


def supervisor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OVIM_")}
    return subprocess.run(
        [sys.executable, "-m", "ovim_site.supervisor", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["demo", "dev"])
def test_half_a_pair_of_database_addresses_stops_the_start(verb: str, tmp_path: Path) -> None:
    result = supervisor(verb, "--var", str(tmp_path / "var"), OVIM_DATABASE_URL="postgresql://app@db/ovim")
    assert result.returncode == 1
    assert result.stderr.startswith("ovim: OVIM_DATABASE_URL is set and OVIM_DATABASE_OWNER_URL is not: ")
    assert result.stderr.count("\n") == 1


def test_run_gives_a_command_services_an_environment_and_its_status() -> None:
    program = (
        "import os, psycopg, redis, sys;"
        "psycopg.connect(os.environ['OVIM_DATABASE_OWNER_URL']).execute('CREATE TABLE t (x int)');"
        "redis.Redis.from_url(os.environ['OVIM_REDIS_URL']).ping();"
        "sys.exit(41 + ('OVIM_SECRET_KEY' in os.environ))"
    )
    result = supervisor("run", "--", sys.executable, "-c", program, PGSSLMODE="require")
    assert result.returncode == 42, result.stderr


def test_clean_removes_all_data_wherever_it_had_to_go(open_folder: Path) -> None:
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    with Postgres(private / "var/postgres") as pg:
        data = pg.data
        psycopg.connect(pg.urls.app).close()
    assert supervisor("clean", "--var", str(private / "var")).returncode == 0
    assert not (private / "var").exists()
    assert not data.exists()


def test_clean_of_nothing_is_fine(tmp_path: Path) -> None:
    assert supervisor("clean", "--var", str(tmp_path / "none")).returncode == 0
