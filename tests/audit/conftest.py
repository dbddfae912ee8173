"""The audit log with real commits, and hands that only the database's owner has."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from core import audit
from core.actor import system_actor
from core.models import AuditEntry
from tenancy.models import Organization
from tests.cast import make_organization

ACTOR = system_actor("test")


@pytest.fixture
def acme(live_db: None) -> Organization:
    return make_organization("acme")


@pytest.fixture
def write() -> Callable[..., list[AuditEntry]]:
    """Commits so many entries of an organization and returns them, oldest first."""

    def inner(organization: Organization, count: int = 1) -> list[AuditEntry]:
        with transaction.atomic():
            for number in range(count):
                after = {"n": number}
                audit.record(ACTOR, "organization.edit", organization, organization_id=organization.pk, after=after)
        return list(AuditEntry.objects.order_by("-pk")[:count])[::-1]

    return inner


@pytest.fixture
def as_owner() -> Callable[..., None]:
    """Runs a statement on the owner's connection; it has to change something."""

    def inner(statement: str, *params: Any) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, params)
            assert cursor.rowcount != 0, "nothing was tampered with"

    return inner


@pytest.fixture
def verified() -> Callable[..., str]:
    """What `audit verify` says of chains that are good."""

    def inner(*arguments: str) -> str:
        said = StringIO()
        call_command("audit", "verify", *arguments, stdout=said)
        return said.getvalue()

    return inner


@pytest.fixture
def broken() -> Callable[..., str]:
    """What `audit verify` says of a chain that is not; its status is 1."""

    def inner(*arguments: str) -> str:
        said = StringIO()
        with pytest.raises(CommandError) as error:
            call_command("audit", "verify", *arguments, stdout=said)
        assert error.value.returncode == 1
        return said.getvalue()

    return inner
