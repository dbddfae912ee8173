"""Keyset pages: `?limit=&after=`, ordered by id, at the same cost however far in. Filters by exact field, and `?q=`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.http import QueryDict

from core.api.columns import Columns
from core.api.json import Raw
from core.api.parameters import Parameter, Parameters, uuid
from core.errors import BadParameter

DEFAULT, MOST = 50, 200
LONGEST = 255
_MOMENTS = ("__gte", "__lt")  # filters by what is no exact value are by time
PARAMETERS: Parameters = {
    "limit": Parameter({"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}, "how many rows"),
    "after": Parameter({"type": "string", "format": "uuid"}, "`next` of the page before"),
}


def narrow(
    rows: QuerySet[Any],
    query: QueryDict,
    filters: Mapping[str, str],
    search: Sequence[str],
    *,
    newest_first: bool = False,
) -> tuple[QuerySet[Any], int]:
    """The rows that the query asks for, from `after` on, and how many of them. What it can't mean is refused by name.

    That there are no other parameters in it, and none twice, has been checked (`core.api.parameters`).
    """
    given = {name: str(query[name]) for name in query}
    for name, path in filters.items():
        if name in given:
            rows = rows.filter(**{path: _value(rows.model, name, path, given[name])})
    if given.get("q"):
        rows = rows.filter(_search(search, given["q"]))
    if "after" in given:
        rows = rows.filter(**{"pk__lt" if newest_first else "pk__gt": uuid("after", given["after"])})
    return rows, _limit(given.get("limit"))


def page(rows: QuerySet[Any], limit: int, columns: Columns, **how: Any) -> Raw:
    """`{"items": […], "next": …}` as PostgreSQL wrote it. `how`: as `Columns.page` takes it."""
    items, last = columns.page(rows, limit, **how)
    return Raw(b'{"items":' + items + b',"next":' + orjson.dumps(last) + b"}")


def window(query: QueryDict) -> tuple[UUID | None, int]:
    """Where a page begins and how long it is, for what is no plain list of rows."""
    after = query.get("after")
    return None if after is None else uuid("after", str(after)), _limit(query.get("limit"))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 9) or not 1 <= int(text) <= MOST:
        raise BadParameter.field("limit", "range", f"limit must be a whole number from 1 to {MOST}.")
    return int(text)


def _search(paths: Sequence[str], text: str) -> Q:
    if not paths:
        raise BadParameter.field("q", "unknown_parameter", "This list can't be searched with q.")
    found = Q()
    for path in paths:
        found |= Q(**{f"{path}__icontains": _plain("q", text)})
    return found


def filter_parameters(model: type[Model], filters: Mapping[str, str], search: Sequence[str]) -> dict[str, Parameter]:
    """What narrows a list."""
    found = {name: Parameter(filter_schema(model, path)) for name, path in filters.items()}
    if search:
        found["q"] = Parameter({"type": "string", "maxLength": LONGEST}, "part of: " + ", ".join(search))
    return found


def filter_schema(model: type[Model], path: str) -> dict[str, Any]:
    """What a filter takes, as OpenAPI says it."""
    if path.endswith("__isnull"):
        return {"type": "boolean"}
    if path.endswith(_MOMENTS):
        return {"type": "string", "format": "date-time"}
    field = _field(model, path)
    kind = field.get_internal_type()
    if kind == "BooleanField":
        return {"type": "boolean"}
    if kind == "UUIDField":
        return {"type": "string", "format": "uuid"}
    known = sorted({str(choice) for choice, _ in field.flatchoices})
    return {"type": "string", "enum": known} if known else {"type": "string", "maxLength": LONGEST}


def _value(model: type[Model], name: str, path: str, text: str) -> Any:
    if path.endswith("__isnull"):
        return _flag(name, text)
    if path.endswith(_MOMENTS):
        return _moment(name, text)
    field = _field(model, path)
    kind = field.get_internal_type()
    if kind == "BooleanField":
        return _flag(name, text)
    if kind == "UUIDField":
        return uuid(name, text)
    try:
        value = field.to_python(_plain(name, text))
    except ValidationError:
        raise BadParameter.field(name, "type", f"{name} has a value that it can never have.") from None
    known = {str(choice) for choice, _ in field.flatchoices}
    if known and str(value) not in known:
        raise BadParameter.field(name, "choice", f"{name} must be one of {', '.join(sorted(known))}.")
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
        raise BadParameter.field(name, "type", f"{name} must be true or false.")
    return text == "true"


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.upper())
        found.astimezone(UTC)  # one at the edge of time can't be told in UTC
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise BadParameter.field(name, "type", f"{name} must be a time with its zone, such as 2026-01-31T08:00:00Z.")
    return found


def _plain(name: str, text: str) -> str:
    if "\0" in text or len(text) > LONGEST:
        raise BadParameter.field(name, "type", f"{name} must be at most {LONGEST} characters, none of them NUL.")
    return text
