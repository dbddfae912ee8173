"""Pages by key, both ways, at the same cost however far in. A mark is where a page begins: `<value>~<pk>`, or a pk."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from core.listing.spec import Sort

PAGE = 50


class Lost(ValueError):
    """A mark that marks nothing."""


def order(sort: Sort, *, descending: bool, backwards: bool) -> list[str]:
    sign = "-" if descending != backwards else ""
    return [f"{sign}{path}" for path in (sort.path, "pk") if path]


def beyond(model: type[Model], sort: Sort, mark: str, *, descending: bool, backwards: bool) -> Q:
    """What lies after the mark in the page's direction. The first comparison is the one that the index serves."""
    sign = "lt" if descending != backwards else "gt"
    value, _, pk = mark.rpartition("~")
    after_pk = Q(**{f"pk__{sign}": _pk(pk)})
    if not sort.path:
        return after_pk
    known = _value(model, sort.path, value)
    return Q(**{f"{sort.path}__{sign}e": known}) & (Q(**{f"{sort.path}__{sign}": known}) | after_pk)


def mark(sort: Sort, row: dict[str, Any]) -> str:
    return f"{row[sort.path]}~{row['pk']}" if sort.path else str(row["pk"])


def cut(rows: QuerySet[Any], *, backwards: bool) -> tuple[list[dict[str, Any]], bool]:
    """One page in the order in which it is read, and whether there is more in the direction one came from."""
    found = list(rows[: PAGE + 1])
    page = found[:PAGE]
    return (page[::-1] if backwards else page), len(found) > PAGE


def _pk(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Lost(text) from None


def _value(model: type[Model], path: str, text: str) -> Any:
    field: Any = None
    for part in path.split("__"):
        field = model._meta.get_field(part)
        model = field.related_model or model
    try:
        if "\0" in text:
            raise Lost(text)
        return field.to_python(text)
    except ValidationError:
        raise Lost(text) from None
