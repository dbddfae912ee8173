"""The hot path out: PostgreSQL renders the rows as JSON, in the shape of the declared output serializer.

The columns are declared once, by the shape: a field's `source` is the path of a column. What no column holds, the shape
names in `sql = {field: expression}`. The text of the statement is made once per shape; a request adds only which rows.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Expression, F, Func, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable, RawSQL
from rest_framework import serializers

from core.actions import Standing, reason, standing
from core.actor import Actor
from core.api.fields import AllowedActions
from core.api.json import Raw
from core.errors import NotFound

_HERE = "ovim_page"  # stands in the statement where the query for the page's ids goes
_PAGE = """SELECT coalesce('[' || string_agg(line, ',' ORDER BY place) FILTER (WHERE place <= %s) || ']', '[]'),
(array_agg(id) FILTER (WHERE place = %s))[1], count(*)
FROM (SELECT id, line, row_number() OVER (ORDER BY id {order}) AS place FROM ({rows}) AS r(id, line)) AS page"""


class _Json(Func):
    function = "json_build_object"
    output_field = TextField()


class _Moment(Func):
    template = "to_char((%(expressions)s) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    output_field = TextField()


class _AsText(Func):
    template = "(%(expressions)s)::text"
    output_field = TextField()


MOST_STATEMENTS = 64  # kept per shape: which fields are asked for is up to the caller
Kept = tuple[str, str, tuple[Any, ...]]


class Columns:
    """A shape over a queryset, as one statement. `actor` is who asks, `fields` the names he wants (None: all)."""

    def __init__(self, queryset: QuerySet[Any], shape: type[serializers.Serializer[Any]]) -> None:
        self.queryset, self.shape = queryset, shape
        self._kept: dict[Any, Kept] = {}

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
        inner, inner_params = (
            ids.order_by("-pk" if newest_first else "pk").values("pk")[: limit + 1].query.sql_with_params()
        )
        before, after, own = self._statement(actor, fields)
        with connection.cursor() as cursor:
            statement = _PAGE.format(rows=f"{before}{inner}{after}", order="DESC" if newest_first else "ASC")
            cursor.execute(statement, (limit, limit, *own, *inner_params))
            text, last, count = cursor.fetchone()
        return text.encode(), last if count > limit else None

    def one(self, pk: UUID, *, actor: Actor | None = None, fields: Collection[str] | None = None) -> Raw:
        """One row that the caller has been found to see."""
        before, after, own = self._statement(actor, fields)
        with connection.cursor() as cursor:
            cursor.execute(f"{before}%s{after}", (*own, pk))
            found = cursor.fetchone()
        if found is None:
            raise NotFound("It is gone.")  # dropped between the look at the right and this one
        return Raw(found[1].encode())

    def _statement(self, actor: Actor | None, fields: Collection[str] | None) -> Kept:
        holds: Standing = ()
        allowed = self._allowed
        if allowed is not None and (fields is None or "allowed_actions" in fields):
            holds = standing(actor, self.queryset.model, allowed.actions, allowed.read_right)
        if any(isinstance(item, Q) for item in holds):  # who has different rights at different places
            return self._made(fields, holds)
        key = (None if fields is None else frozenset(fields), holds)
        if key not in self._kept:
            if len(self._kept) >= MOST_STATEMENTS:
                self._kept.clear()
            self._kept[key] = self._made(fields, holds)
        return self._kept[key]

    def _made(self, fields: Collection[str] | None, holds: Standing) -> Kept:
        rows = self.queryset.filter(pk__in=RawSQL(_HERE, [])).order_by()  # noqa: S611
        line = _AsText(_object(self.shape(), "", fields, holds))
        sql, params = rows.values_list("pk", line).query.sql_with_params()
        before, after = sql.split(f"({_HERE})")
        return before + "(", ")" + after, tuple(params)


def _object(
    shape: serializers.BaseSerializer[Any], prefix: str, fields: Collection[str] | None = None, holds: Standing = ()
) -> Expression:
    given: Mapping[str, Expression] = getattr(shape, "sql", {})
    parts: list[Combinable] = []
    for name, field in shape.fields.items():  # type: ignore[attr-defined]
        if fields is not None and name not in fields:
            continue
        value = _reasons(field, holds) if isinstance(field, AllowedActions) else given.get(name)
        parts += [Value(name), value or _column(field, prefix)]
    return _Json(*parts)


def _reasons(field: AllowedActions, holds: Standing) -> Expression:
    parts: list[Combinable] = []
    for (name, action), held in zip(field.actions.items(), holds, strict=True):
        parts += [Value(name), reason(action, held)]
    return _Json(*parts)


def _column(field: serializers.Field[Any, Any, Any, Any], prefix: str) -> Expression:
    path = prefix + "__".join(field.source_attrs)
    if isinstance(field, serializers.Serializer):
        return _object(field, path + "__")
    if isinstance(field, serializers.DateTimeField):
        return _Moment(F(path), output_field=DateTimeField())
    if isinstance(field, serializers.SerializerMethodField):
        raise TypeError(f"{field.field_name} is computed in Python: name an expression for it in `sql`")
    return F(path)  # type: ignore[return-value]  # resolved to a column
