"""Rows read by statements of the engine's hot path, written by hand (`core.sql`)."""

from functools import cache
from typing import TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import JSONField, Model

from core.sql import QUICK, Row, run

__all__ = ["QUICK", "Row", "columns", "instance", "run", "width"]
M = TypeVar("M", bound=Model)


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
