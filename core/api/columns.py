"""The hot path out: PostgreSQL renders the rows as JSON, in the shape of the declared output serializer.

The columns are declared once, by the shape: a field's `source` is the path of a column. What no column holds, the shape
names in `sql = {field: expression}`. The text of the statement is made once per shape; a request adds only which rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Expression, F, Func, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable, RawSQL
from rest_framework import serializers

from core import sql
from core.actions import Standing, own_rows, reason, standing
from core.actor import Actor
from core.api.fields import AllowedActions
from core.api.json import Raw
from core.errors import NotFound

_HERE = "ovim_page"  # stands in the statement where the ids of the page's rows go
# A row as a whole is turned into JSON twice as fast as by naming its parts one by one (json_build_object).
_PAGE = """WITH ovim_ids(pk) AS MATERIALIZED ({ids})
SELECT coalesce((SELECT json_agg(r)::text FROM ({rows}) AS r({names})), '[]'),
(SELECT pk FROM ovim_ids ORDER BY pk {order} OFFSET %s LIMIT 1), (SELECT count(*) FROM ovim_ids)"""
_OF_PAGE = "SELECT pk FROM ovim_ids ORDER BY pk {order} LIMIT %s"
_ONE = "SELECT row_to_json(r)::text FROM ({rows}) AS r({names})"


class _Json(Func):
    function = "json_build_object"
    output_field = TextField()


class _Moment(Func):
    """A time as `core.api.fields.Moment` writes it."""

    template = "to_char((%(expressions)s) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    output_field = TextField()


def json_object(**parts: str | Combinable) -> Expression:
    """A JSON object of columns (by path) or expressions."""
    columns = ((Value(name), F(part) if isinstance(part, str) else part) for name, part in parts.items())
    return _Json(*(item for pair in columns for item in pair))


def moment(of: str | Combinable) -> Expression:
    """A column (by path) or expression of time as `core.api.fields.Moment` shows it."""
    return _Moment(F(of) if isinstance(of, str) else of)


MOST_STATEMENTS = 64  # kept per shape: which fields are asked for is up to the caller


@dataclass(frozen=True)
class Statement:
    """SQL of rows in a shape, around the place where their ids go, and the shape's names as column aliases."""

    before: str
    after: str
    names: str

    def rows(self, ids: str) -> str:
        return f"{self.before}{ids}{self.after}"


class Columns:
    """A shape over a queryset, as one statement. `actor` is who asks, `fields` the names he wants (None: all)."""

    def __init__(self, queryset: QuerySet[Any], shape: type[serializers.Serializer[Any]]) -> None:
        self.queryset, self.shape = queryset, shape
        self._kept: dict[Any, Statement] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.shape().fields)

    @cached_property
    def _allowed(self) -> AllowedActions | None:
        return next((field for field in self.shape().fields.values() if isinstance(field, AllowedActions)), None)

    def page(
        self,
        ids: QuerySet[Any],
        limit: int,
        *,
        actor: Actor | None = None,
        fields: Collection[str] | None = None,
        newest_first: bool = False,
    ) -> tuple[bytes, UUID | None]:
        """The first `limit` of these rows by id as a JSON array, and the id to go on after (None: that was all)."""
        order = "DESC" if newest_first else "ASC"
        chosen = ids.order_by("-pk" if newest_first else "pk").values("pk")[: limit + 1]
        try:
            inner, inner_params = chosen.query.sql_with_params()
        except EmptyResultSet:  # the right is held, but nowhere where such rows are
            return b"[]", None
        line = self._statement(actor, fields, newest_first=newest_first)
        rows = line.rows(_OF_PAGE.format(order=order))
        page = _PAGE.format(ids=inner, rows=rows, names=line.names, order=order)
        ((text, last, count),) = sql.run(page, (*inner_params, limit, limit - 1))
        return text.encode(), last if count > limit else None

    def one(self, pk: UUID, *, actor: Actor | None = None, fields: Collection[str] | None = None) -> Raw:
        """One row that the caller has been found to see."""
        line = self._statement(actor, fields)
        found = sql.run(_ONE.format(rows=line.rows("%s"), names=line.names), [pk])
        if not found:
            raise NotFound("It is gone.")  # dropped between the look at the right and this one
        return Raw(found[0][0].encode())

    def _statement(
        self, actor: Actor | None, fields: Collection[str] | None, *, newest_first: bool = False
    ) -> Statement:
        holds: Standing = ()
        own, allowed = None, self._allowed
        if allowed is not None and (fields is None or "allowed_actions" in fields):
            holds = standing(actor, self.queryset.model, allowed.actions, allowed.read_right)
            own = own_rows(actor, self.queryset.model, allowed.actions)
        # Who has different rights at different places, or on what is his own, has a statement of his own.
        if own is not None or any(isinstance(item, Q) for item in holds):
            return self._made(fields, holds, newest_first, own)
        key = (None if fields is None else frozenset(fields), holds, newest_first)
        if key not in self._kept:
            if len(self._kept) >= MOST_STATEMENTS:
                self._kept.clear()
            self._kept[key] = self._made(fields, holds, newest_first)
        return self._kept[key]

    def _made(
        self, fields: Collection[str] | None, holds: Standing, newest_first: bool, own: Q | None = None
    ) -> Statement:
        parts = _parts(self.shape(), "", fields, holds, own)
        rows = self.queryset.filter(pk__in=RawSQL(_HERE, [])).order_by("-pk" if newest_first else "pk")  # noqa: S611
        statement = sql.inlined(*rows.values_list(*parts.values()).query.sql_with_params())
        before, after = statement.split(f"({_HERE})")
        names = ", ".join(map(connection.ops.quote_name, parts))
        return Statement(before + "(", ")" + after, names)


def _parts(
    shape: serializers.BaseSerializer[Any],
    prefix: str,
    fields: Collection[str] | None = None,
    holds: Standing = (),
    own: Q | None = None,
) -> dict[str, Combinable]:
    """By name: what fills each field of the shape that is asked for."""
    given: Mapping[str, Expression] = getattr(shape, "sql", {})
    parts: dict[str, Combinable] = {}
    for name, field in shape.fields.items():  # type: ignore[attr-defined]
        if fields is None or name in fields:
            value = _reasons(field, holds, own) if isinstance(field, AllowedActions) else given.get(name)
            parts[name] = value or _column(field, prefix)
    return parts


def _object(shape: serializers.BaseSerializer[Any], prefix: str) -> Expression:
    return json_object(**_parts(shape, prefix))


def _reasons(field: AllowedActions, holds: Standing, own: Q | None) -> Expression:
    parts: list[Combinable] = []
    for (name, action), held in zip(field.actions.items(), holds, strict=True):
        parts += [Value(name), reason(action, held, own)]
    return _Json(*parts)


def _column(field: serializers.Field[Any, Any, Any, Any], prefix: str) -> Expression:
    path = prefix + "__".join(field.source_attrs)
    if isinstance(field, serializers.Serializer):
        return _object(field, path + "__")
    if isinstance(field, serializers.DateTimeField):
        return moment(path)
    if isinstance(field, serializers.SerializerMethodField):
        raise TypeError(f"{field.field_name} is computed in Python: name an expression for it in `sql`")
    return F(path)  # type: ignore[return-value]  # resolved to a column
