"""Fixtures every test may use. The cast: see `tests/cast.py`."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connections
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


@pytest.fixture
def live_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database in which transactions really commit, for what needs several connections. Emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        for connection in connections.all(initialized_only=True):
            connection.close()
        with connections["owner"].cursor() as cursor:
            tables = [t for t in connections["owner"].introspection.table_names(cursor) if t not in KEPT]
            cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
        connections["owner"].close()
