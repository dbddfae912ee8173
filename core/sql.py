"""Statements of hot paths: PostgreSQL plans each once a connection, not at every call."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

Row = tuple[Any, ...]
# A common table expression that a statement of its own reads from: its commit does not wait for the disk. For what is
# found out again if a crash of the database undoes it. What commits later and does wait takes it along.
QUICK = "quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"


def run(statement: str, params: Sequence[Any] | Mapping[str, Any] = (), *, prepare: bool = True) -> list[Row]:
    """The rows that a statement answers, if any.

    On Django's connection and in its transaction, past Django's cursor, which can't prepare. Where somebody counts or
    wraps queries (tests, debugging), through it. A list is sent as PostgreSQL writes an array: the statement casts it.
    """
    connection.ensure_connection()
    params = _plain(params)
    if connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as watched:
            watched.execute(statement, params)
            return watched.fetchall() if watched.description else []
    connection.keep_bounds()  # type: ignore[attr-defined]  # our own backend
    raw: Any = connection.connection
    raw.prepare_threshold = sys.maxsize  # Django turns preparing off; now only what asks for it is prepared
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(statement, params, prepare=prepare)
        connection.after(cursor)  # type: ignore[attr-defined]
        return cursor.fetchall() if cursor.description else []


def _plain(params: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
    if isinstance(params, Mapping):
        return {name: array(value) if type(value) is list else value for name, value in params.items()}
    return [array(value) if type(value) is list else value for value in params]


def array(values: Sequence[str | UUID | int | float | None]) -> str:
    """An array's literal. Ten times as fast as psycopg's own, which looks for the type of each element."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: str | UUID | int | float | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"') if "\\" in value or '"' in value else value
        return f'"{escaped}"'
    return value.hex if isinstance(value, UUID) else str(value)


def inlined(statement: str, params: Sequence[Any]) -> str:
    """The statement with these parameters written into it, for constants that a prepared statement could not type."""
    connection.ensure_connection()
    raw: Any = connection.connection
    text = psycopg.ClientCursor(raw).mogrify(statement, params) if params else statement
    return str(text).replace("%", "%%")
