"""Changing the keys of what is encrypted at rest: every sealed column, row by row, under the first key.

Nothing is remembered between batches: what the first key sealed already is passed over, so that it can be stopped anywhere
and begun again. A row that somebody changes meanwhile is left to him: what he wrote is under the first key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models

from core import sealed
from core.sealed import SealedField

BATCH = 500


@dataclass
class Column:
    """One sealed column, and what was found in it. `lost`: no key that is set opens these rows."""

    model: type[models.Model]
    field: SealedField
    fresh: int = 0
    older: int = 0
    lost: int = 0

    @property
    def name(self) -> str:
        return f"{self.model._meta.label_lower}.{self.field.name}"


def columns() -> list[Column]:
    """Every sealed column of every model, by name."""
    found = [
        Column(model, field)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, SealedField)
    ]
    return sorted(found, key=lambda column: column.name)


def look(using: str = DEFAULT_DB_ALIAS) -> list[Column]:
    """Every column with its rows counted. Nothing is changed."""
    found = columns()
    for column in found:
        for _pk, data in _rows(column, using):
            _count(column, data)
    return found


def reseal() -> list[Column]:
    """Put everything under the first key. In what is answered `older` is how many rows that were."""
    found = columns()
    for column in found:
        for pk, data in _rows(column, DEFAULT_DB_ALIAS):
            text = _count(column, data)
            if text is not None:
                # Only over what was read: nobody's change is lost, and no lock is held.
                rows = column.model._default_manager.filter(pk=pk, **{column.field.name: data})
                rows.update(**{column.field.name: sealed.seal(text, column.field.purpose)})
    return found


def _count(column: Column, data: bytes) -> str | None:
    """Count a row; its text if it is to be sealed anew."""
    if sealed.is_fresh(data):
        column.fresh += 1
        return None
    text = sealed.opened(data, column.field.purpose)
    if text is None:
        column.lost += 1
    else:
        column.older += 1
    return text


def _rows(column: Column, using: str) -> Iterator[tuple[Any, bytes]]:
    """(primary key, what is sealed), a batch at a time in the order of keys."""
    rows = column.model._default_manager.using(using).exclude(**{column.field.name: b""}).order_by("pk")
    page = list(rows.values_list("pk", column.field.name)[:BATCH])
    while page:
        yield from ((pk, bytes(data)) for pk, data in page)
        page = list(rows.filter(pk__gt=page[-1][0]).values_list("pk", column.field.name)[:BATCH])
