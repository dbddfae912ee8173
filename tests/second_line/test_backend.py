"""The backend's own transaction: nothing looks different from a connection that commits each statement by itself."""

import os
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from core import sql, tenants
from core.database.base import DatabaseWrapper
from core.database.bounds import NOTHING, Bounds
from tenancy.models import FailedSignIns
from tests.cast import make_organization, make_vdc
from vdcs.models import Vdc


@pytest.fixture
def two(live_db):
    return make_vdc(make_organization("acme"), "dev"), make_vdc(make_organization("globex"), "main")


def status() -> str:
    return str(connection.connection.info.transaction_status.name)


def elsewhere(statement: str) -> list[tuple[object, ...]]:
    """What another connection sees: what has been committed."""
    with psycopg.connect(os.environ["OVIM_DATABASE_OWNER_URL"]) as other:
        return other.execute(statement).fetchall()


def test_a_write_outside_atomic_is_committed_at_once(live_db):
    with tenants.within(NOTHING):
        FailedSignIns.objects.count()
        FailedSignIns.objects.create(key="a")
        assert elsewhere("SELECT key FROM tenancy_failedsignins") == [("a",)]
        sql.run("UPDATE tenancy_failedsignins SET key = 'b' WHERE key = %s", ["a"])
        assert elsewhere("SELECT key FROM tenancy_failedsignins") == [("b",)]


def test_an_error_outside_atomic_spoils_nothing_after_it(live_db):
    with tenants.within(NOTHING):
        FailedSignIns.objects.create(key="a")
        with pytest.raises(IntegrityError):
            FailedSignIns.objects.bulk_create([FailedSignIns(key="a")])
        with connection.cursor() as cursor:
            with pytest.raises(DatabaseError):
                cursor.execute("SELECT 1 / 0")
            cursor.execute("SELECT count(*) FROM tenancy_failedsignins")
            assert cursor.fetchone() == (1,)
    assert status() == "IDLE"


def test_atomic_commits_where_it_ends(live_db):
    done = []
    with tenants.within(NOTHING):
        FailedSignIns.objects.count()
        with transaction.atomic():
            FailedSignIns.objects.create(key="a")
            transaction.on_commit(lambda: done.append(status()))
            assert elsewhere("SELECT key FROM tenancy_failedsignins") == []
        assert elsewhere("SELECT key FROM tenancy_failedsignins") == [("a",)]
    assert done == ["IDLE"]


def test_bounds_outlive_a_savepoint_that_is_rolled_back(two):
    acme = Bounds(frozenset({two[0].organization_id}))
    with tenants.within(acme), transaction.atomic():
        assert Vdc.objects.get() == two[0]
        with pytest.raises(DatabaseError), transaction.atomic(), tenants.everything():
            sql.run("SELECT 1 / (2 - count(*)) FROM vdcs_vdc")
        assert Vdc.objects.get() == two[0]
        with transaction.atomic():
            with tenants.everything():
                assert Vdc.objects.count() == 2
            transaction.set_rollback(True)
        assert Vdc.objects.get() == two[0]


def test_everything_ends_where_it_ends(two):
    acme = Bounds(frozenset({two[0].organization_id}))
    with tenants.within(acme):
        with tenants.everything():
            assert Vdc.objects.count() == 2
        assert Vdc.objects.get() == two[0]
        with pytest.raises(RuntimeError), tenants.everything():
            raise RuntimeError
        assert Vdc.objects.get() == two[0]
        with transaction.atomic(), tenants.everything():
            assert Vdc.objects.count() == 2
        assert Vdc.objects.get() == two[0]


def test_a_cursor_that_is_kept_follows_the_bounds(two):
    with tenants.within(NOTHING), connection.cursor() as cursor:
        for bounds, expected in ((Bounds(frozenset({two[1].organization_id})), 1), (NOTHING, 0)):
            with tenants.within(bounds):
                cursor.execute("SELECT count(*) FROM vdcs_vdc")
                assert cursor.fetchone() == (expected,)


def test_rows_that_are_fetched_piece_by_piece_keep_the_bounds(two):
    with tenants.within(Bounds(frozenset({two[0].organization_id}))):
        assert list(Vdc.objects.iterator(chunk_size=1)) == [two[0]]
    assert status() == "IDLE"


def test_a_statement_that_was_prepared_for_one_is_planned_anew_for_another(two):
    """PostgreSQL keeps plans; they must not carry somebody's bounds along."""
    seen = []
    for bounds in [Bounds(frozenset({row.organization_id})) for row in two] * 8:
        with tenants.within(bounds):
            seen.append(sql.run("SELECT name FROM vdcs_vdc"))
    with tenants.everything():
        assert len(sql.run("SELECT name FROM vdcs_vdc")) == 2
    assert seen == [[("dev",)], [("main",)]] * 8


def test_the_bounds_come_with_the_begin(two, monkeypatch):
    """A transaction costs no round trip more for them."""
    sent: list[bytes] = []
    backend: Any = connections["default"]
    send = backend._send

    def watched(text: bytes) -> None:
        sent.append(text)
        send(text)

    monkeypatch.setattr(backend, "_send", watched)
    with tenants.within(Bounds(frozenset({two[0].organization_id}))), transaction.atomic():
        Vdc.objects.get()
        Vdc.objects.get()
    assert len(sent) == 1
    assert sent[0].startswith(b"BEGIN; SET LOCAL ROLE NONE; SET LOCAL ovim.organizations = ")


def test_a_worker_sees_by_the_socket_that_the_server_ended_its_session(live_db, monkeypatch):
    """Its connection stays open between tasks; asking each time whether it does would be most of what it asks when idle."""
    monkeypatch.setattr(DatabaseWrapper, "works_for_all", True)
    connection.close()  # so that it is new: one that is old is closed all the same
    FailedSignIns.objects.count()
    before = connection.connection.info.backend_pid

    def next_task():
        close_old_connections()
        with CaptureQueriesContext(connection) as asked:
            FailedSignIns.objects.count()
        return connection.connection.info.backend_pid, len(asked)

    assert next_task() == (before, 1)
    with psycopg.connect(os.environ["OVIM_DATABASE_URL"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [before])  # returns when it has gone
    after, asked = next_task()
    assert after != before
    assert asked == 1
