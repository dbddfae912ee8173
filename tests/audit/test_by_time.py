"""Looking for a stretch of time in a long audit log reads that stretch, not the log."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core.models import AuditEntry
from tests.cast import Api, make_person, session_of

ENTRIES = 100_000
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
_FILL = """
INSERT INTO core_auditentry (id, at, actor_name, address, request_id, action, object_kind, object_name, outcome, reason)
SELECT (lpad(to_hex((1704067200000 + n::bigint * 60000)), 12, '0') || '7000a000' || lpad(to_hex(n), 12, '0'))::uuid,
  %s + n * interval '1 minute', 'bob', '', '', 'vm.create', '', '', 'done', ''
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def long_log(live_db):
    """A minute between each entry and the next. Without the trigger: their seals are not what this is about."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
        cursor.execute(_FILL, [BEGAN, ENTRIES])
        cursor.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
        cursor.execute("ANALYZE core_auditentry")
        cursor.execute("SELECT brin_summarize_new_values('audit_by_time')")
    assert AuditEntry.objects.count() == ENTRIES


def test_a_day_in_a_long_log_is_found_by_the_index(long_log):
    root = Api(session_of(make_person("root")))
    since = BEGAN + timedelta(days=20)
    until = since + timedelta(hours=1)
    path = f"audit-entries?since={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"
    with CaptureQueriesContext(connection) as asked:
        started = time.perf_counter()
        answer = root.get(path)
        took = time.perf_counter() - started
    assert answer.status_code == 200
    assert len(answer.json()["items"]) in (50, 60)
    (query,) = [found["sql"] for found in asked if "core_auditentry" in found["sql"] and "SELECT" in found["sql"]][-1:]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "audit_by_time" in plan, plan
    assert took < 2
