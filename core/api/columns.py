"""The hot path out: PostgreSQL renders the rows as JSON, in the shape of the declared output serializer.

The columns are declared once, by the shape: a field's `source` is the path of a column. What no column holds, the shape
names in `sql = {field: expression}`. The text of the statement is made once per shape; a request adds only which rows.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Expression, F, Func, QuerySet, TextField, Value
from django.db.models.expressions import Combinable, RawSQL
from rest_framework import serializers

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


class Columns:
    """A shape over a queryset, as one statement."""

    def __init__(self, queryset: QuerySet[Any], shape: type[serializers.Serializer[Any]]) -> None:
        self.queryset, self.shape = queryset, shape
        self._text: tuple[str, str, tuple[Any, ...]] | None = None

    def page(self, ids: QuerySet[Any], limit: int, *, newest_first: bool = False) -> tuple[bytes, UUID | None]:
        """The first `limit` of these rows by id as a JSON array, and the id to go on after (None: that was all)."""
        inner, inner_params = (
            ids.order_by("-pk" if newest_first else "pk").values("pk")[: limit + 1].query.sql_with_params()
        )
        before, after, own = self._statement()
        with connection.cursor() as cursor:
            statement = _PAGE.format(rows=f"{before}{inner}{after}", order="DESC" if newest_first else "ASC")
            cursor.execute(statement, (limit, limit, *own, *inner_params))
            text, last, count = cursor.fetchone()
        return text.encode(), last if count > limit else None

    def one(self, pk: UUID) -> Raw:
        """One row that the caller has been found to see."""
        before, after, own = self._statement()
        with connection.cursor() as cursor:
            cursor.execute(f"{before}%s{after}", (*own, pk))
            found = cursor.fetchone()
        if found is None:
            raise NotFound("It is gone.")  # dropped between the look at the right and this one
        return Raw(found[1].encode())

    def _statement(self) -> tuple[str, str, tuple[Any, ...]]:
        if self._text is None:
            rows = self.queryset.filter(pk__in=RawSQL(_HERE, [])).order_by()  # noqa: S611
            line = _AsText(_object(self.shape(), ""))
            sql, params = rows.values_list("pk", line).query.sql_with_params()
            before, after = sql.split(f"({_HERE})")
            self._text = before + "(", ")" + after, tuple(params)
        return self._text


def _object(shape: serializers.BaseSerializer[Any], prefix: str) -> Expression:
    given: Mapping[str, Expression] = getattr(shape, "sql", {})
    parts: list[Combinable] = []
    for name, field in shape.fields.items():  # type: ignore[attr-defined]
        parts += [Value(name), given.get(name) or _column(field, prefix)]
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
