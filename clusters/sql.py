"""Statements of the engine's hot path, written by hand: PostgreSQL plans each once a connection, not at every call."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import orjson
import psycopg
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import JSONField, Model

Row = tuple[Any, ...]
M = TypeVar("M", bound=Model)


def run(statement: str, params: Sequence[Any] | Mapping[str, Any] = (), *, prepare: bool = True) -> list[Row]:
    """The rows that a statement answers, if any.

    On Django's connection and in its transaction, past Django's cursor, which can't prepare. Where somebody counts or
    wraps queries (tests, debugging), through it.
    """
    connection.ensure_connection()
    if connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as watched:
            watched.execute(statement, params)
            return watched.fetchall() if watched.description else []
    raw: Any = connection.connection
    raw.prepare_threshold = sys.maxsize  # Django turns preparing off; now only what asks for it is prepared
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(statement, params, prepare=prepare)
        return cursor.fetchall() if cursor.description else []


@cache
def columns(model: type[Model], alias: str) -> str:
    """Its columns for a SELECT, in the order in which `instance` takes them."""
    quote = connection.ops.quote_name
    return ", ".join(f"{alias}.{quote(str(field.column))}" for field in model._meta.concrete_fields)


@cache
def _fields(model: type[Model]) -> tuple[list[str], list[int]]:
    fields = model._meta.concrete_fields
    return [field.attname for field in fields], [n for n, field in enumerate(fields) if isinstance(field, JSONField)]


def instance(model: type[M], values: Row) -> M:
    """A row as Django itself would have made it of these columns."""
    names, documents = _fields(model)
    kept = list(values)
    for place in documents:
        kept[place] = None if kept[place] is None else orjson.loads(kept[place])
    return model.from_db(DEFAULT_DB_ALIAS, names, kept)


def width(model: type[Model]) -> int:
    """How many columns `columns` names."""
    return len(_fields(model)[0])
