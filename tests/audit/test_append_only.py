"""What the application's role can do to the audit log: add to it and read it. Tried on its own connection."""

import pytest
from django.db import ProgrammingError, connection, transaction

from core import audit, sealing
from core.models import AuditCheckpoint, AuditEntry, AuditSeal, SupportAccess
from tests.cast import actor_of, make_organization, make_person

pytestmark = pytest.mark.django_db
TRIED = (
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "DROP TABLE {table}",
)
TABLES = {AuditEntry: "reason", AuditSeal: "digest", AuditCheckpoint: "digest", SupportAccess: "began_at"}


@pytest.mark.parametrize("tried", TRIED)
@pytest.mark.parametrize("model", TABLES)
def test_what_is_written_stays(model, tried):
    with transaction.atomic():
        audit.record(actor_of(make_person("alice")), "organization.edit", make_organization("acme"))
    sealing.seal_all()
    statement = tried.format(table=model._meta.db_table, column=TABLES[model])
    refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == AuditSeal.objects.count() == 1


def test_a_checkpoint_is_not_the_applications_to_write():
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        AuditCheckpoint.objects.create(
            chain=sealing.PROVIDER, number=1, digest="0" * 64, removed=1, before="2026-01-01T00:00:00Z"
        )


def test_the_trigger_that_makes_entries_wait_is_not_the_applications_to_remove():
    with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER core_audit_waits ON core_auditentry")
