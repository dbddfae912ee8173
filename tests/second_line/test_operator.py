"""Databases that somebody else runs: the owner is no superuser, and may or may not make roles."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ovim_site.supervisor.postgres import APP, OWNER, WHOLE, Postgres

ROOT = Path(__file__).resolve().parents[2]
MEMBER = """
SELECT m.inherit_option, m.set_option FROM pg_auth_members m
WHERE m.roleid = to_regrole(%s) AND m.member = to_regrole(%s)
"""


class Foreign(Postgres):
    """As a provider of databases would hand it over: without the second role."""

    owner_may = "NOCREATEROLE"

    def prepare(self):
        launch = super().prepare()
        self._as_superuser(f"DROP ROLE {WHOLE}", f"ALTER ROLE {OWNER} {self.owner_may}")
        return launch


class Generous(Foreign):
    owner_may = "CREATEROLE"


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that PostgreSQL's account can pass through."""
    found = Path(tempfile.mkdtemp(prefix="ovim-tests-"))
    found.chmod(0o711)
    yield found
    shutil.rmtree(found, ignore_errors=True)


def manage(pg: Postgres, *words: str) -> "subprocess.CompletedProcess[str]":
    addresses = {"OVIM_DATABASE_URL": pg.urls.app, "OVIM_DATABASE_OWNER_URL": pg.urls.owner}
    environment = os.environ | addresses | {"DJANGO_SETTINGS_MODULE": "ovim_site.settings"}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_an_owner_who_may_make_roles_needs_nobody(folder):
    with Generous(folder, durable=False) as pg:
        done = manage(pg, "migrate", "--database=owner")
        assert done.returncode == 0, done.stderr
        with psycopg.connect(pg.urls.app) as connection:
            assert connection.execute(MEMBER, [WHOLE, APP]).fetchone() == (False, True)
            connection.execute(f"SET ROLE {WHOLE}")
            assert connection.execute("SELECT count(*) FROM vms_virtualmachine").fetchone() == (0,)


def test_where_the_owner_may_not_the_operator_is_told_what_to_run(folder):
    with Foreign(folder, durable=False) as pg:
        for words in (["migrate", "--database=owner"], ["check", "--database=owner"]):
            refused = manage(pg, *words)
            assert refused.returncode != 0
            assert f'CREATE ROLE "{WHOLE}" NOLOGIN NOBYPASSRLS; GRANT "{WHOLE}" TO "{APP}" WITH' in refused.stderr
