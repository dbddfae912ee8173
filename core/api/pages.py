"""Keyset pages: `?limit=&after=`, ordered by id, at the same cost however far in. Filters by exact field, and `?q=`."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.http import QueryDict

from core.api.columns import Columns
from core.api.json import Raw
from core.errors import Invalid

DEFAULT, MOST = 50, 200
LONGEST = 255
OWN = frozenset({"limit", "after", "q"})


def narrow(
    rows: QuerySet[Any],
    query: QueryDict,
    filters: Mapping[str, str],
    search: Sequence[str],
    *,
    newest_first: bool = False,
) -> tuple[QuerySet[Any], int]:
    """The rows that the query asks for, from `after` on, and how many of them. What it can't mean is refused by name."""
    for name in query:
        if name not in OWN and name not in filters:
            known = ", ".join(sorted(OWN | set(filters)))
            raise Invalid.field(name, "unknown_parameter", f"There is no parameter {name!r} here. There are: {known}.")
        if len(query.getlist(name)) > 1:
            raise Invalid.field(name, "repeated", f"{name} is given more than once.")
    given = {name: str(query[name]) for name in query}
    for name, path in filters.items():
        if name in given:
            rows = rows.filter(**{path: _value(rows.model, name, path, given[name])})
    if given.get("q"):
        rows = rows.filter(_search(search, given["q"]))
    if "after" in given:
        rows = rows.filter(**{"pk__lt" if newest_first else "pk__gt": _uuid("after", given["after"])})
    return rows, _limit(given.get("limit"))


def page(rows: QuerySet[Any], limit: int, columns: Columns, *, newest_first: bool = False) -> Raw:
    """`{"items": […], "next": …}` as PostgreSQL wrote it."""
    items, last = columns.page(rows, limit, newest_first=newest_first)
    return Raw(b'{"items":' + items + b',"next":' + orjson.dumps(last) + b"}")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 9) or not 1 <= int(text) <= MOST:
        raise Invalid.field("limit", "range", f"limit must be a whole number from 1 to {MOST}.")
    return int(text)


def _search(paths: Sequence[str], text: str) -> Q:
    if not paths:
        raise Invalid.field("q", "unknown_parameter", "This list can't be searched with q.")
    found = Q()
    for path in paths:
        found |= Q(**{f"{path}__icontains": _plain("q", text)})
    return found


def _value(model: type[Model], name: str, path: str, text: str) -> Any:
    if path.endswith("__isnull"):
        return _flag(name, text)
    field = _field(model, path)
    kind = field.get_internal_type()
    if kind == "BooleanField":
        return _flag(name, text)
    if kind == "UUIDField":
        return _uuid(name, text)
    try:
        value = field.to_python(_plain(name, text))
    except ValidationError:
        raise Invalid.field(name, "type", f"{name} has a value that it can never have.") from None
    known = {str(choice) for choice, _ in field.flatchoices}
    if known and str(value) not in known:
        raise Invalid.field(name, "choice", f"{name} must be one of {', '.join(sorted(known))}.")
    return value


def _field(model: type[Model], path: str) -> "Field[Any, Any]":
    field: Any = None
    for part in path.split("__"):
        field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        if isinstance(field, ForeignKey):
            model = field.related_model
            if not part.endswith("_id") and path.endswith(part):
                field = field.target_field
    return field.target_field if isinstance(field, ForeignKey) else field


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid.field(name, "type", f"{name} must be true or false.")
    return text == "true"


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid.field(name, "type", f"{name} must be a UUID.") from None


def _plain(name: str, text: str) -> str:
    if "\0" in text or len(text) > LONGEST:
        raise Invalid.field(name, "type", f"{name} must be at most {LONGEST} characters, none of them NUL.")
    return text
