"""Statements past Django's cursor, and what the server does for all of us."""

import os
import threading
import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection

from core import sql
from ovim_site.environment import IDLE_IN_TRANSACTION, database

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], "text"),
        (["a", "", "null", "NULL", "with, comma", '"quoted"', "back\\slash", "{brace}", "ü\n\t ", None], "text"),
        ([uuid.uuid4(), None], "uuid"),
        ([1, -2, None], "bigint"),
        ([0.5, 1e300], "float8"),
    ],
)
@pytest.mark.parametrize("watched", [False, True], ids=["prepared", "watched"])
def test_a_list_arrives_as_it_was_given(values, type_, watched, django_assert_num_queries):
    statement = f"SELECT %s::{type_}[], %s::text"
    if watched:
        with django_assert_num_queries(1):
            ((found, other),) = sql.run(statement, [values, "[1]"])
    else:
        ((found, other),) = sql.run(statement, [values, "[1]"])
    assert found == values
    assert other == "[1]"
    ((named,),) = sql.run(f"SELECT %(values)s::{type_}[]", {"values": values})
    assert named == values


def test_whoever_is_stopped_inside_a_transaction_keeps_no_lock_for_ever():
    """With 30 s for 300 ms: the session of a process that went to sleep holding a row is ended by the server."""
    url = os.environ["OVIM_DATABASE_URL"]
    options: Any = database(url)["OPTIONS"]
    assert options["options"] == IDLE_IN_TRANSACTION == "-c idle_in_transaction_session_timeout=30s"
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("30s",)
    key = 4711_0815
    name = connection.settings_dict["NAME"]
    asleep = psycopg.connect(url, dbname=name, options=IDLE_IN_TRANSACTION.replace("30s", "300ms"))
    asleep.execute("SELECT pg_advisory_xact_lock(%s)", [key])
    got = threading.Event()

    def wait() -> None:
        with psycopg.connect(url, dbname=name) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [key])
            got.set()

    threading.Thread(target=wait, daemon=True).start()
    assert got.wait(10)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        asleep.execute("SELECT 1")
