"""Fixtures every test may use. The cast: see `tests/cast.py`."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from tests.cast import (  # noqa: F401  # fixtures: importing them here is what registers them
    acme,
    acme_dev,
    acme_prod,
    alice,
    api,
    bob,
    charlie,
    cluster,
    globex,
    globex_main,
    nobody,
    root,
    vera,
)

KEPT = ("django_migrations", "clusters_installation", "django_content_type", "auth_permission")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> None:
    """The schema, made by the owner's migrations. Tests then run as the application's role, as the product does."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.cast.CheapArgon2"]):
        yield


def _truncate(cursor: Any, tables: list[str]) -> None:
    """Empty them. A process that a test has just killed may hold its locks for a moment longer: then once more."""
    for attempt in range(5):
        try:
            cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
        except OperationalError:  # a deadlock with what is on its way out
            if attempt == 4:
                raise
            time.sleep(0.5)
        else:
            return


@pytest.fixture
def live_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database in which transactions really commit, for what needs several connections. Emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        for connection in connections.all(initialized_only=True):
            connection.close()
        with connections["owner"].cursor() as cursor:
            tables = [t for t in connections["owner"].introspection.table_names(cursor) if t not in KEPT]
            _truncate(cursor, tables)
        connections["owner"].close()
