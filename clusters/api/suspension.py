"""Of rows that are reconciled: since when OVIM leaves one alone, and why. Who said so is in the audit log."""

from typing import Any

from django.db.models import Case, QuerySet, Subquery, TextField, Value, When
from django.db.models.expressions import Expression

from core.api.columns import json_object, moment
from core.api.fields import Moment, Shape, Text

SUSPENDED = "null: not suspended; else nothing is done for it, not even its deletion, until it is resumed"


class SuspendedOut(Shape):
    at = Moment()
    reason = Text(help_text="may be empty")


def suspended() -> Expression:
    """Of the row itself, as JSON."""
    told = json_object(at=moment("suspended_at"), reason="suspended_because")
    return Case(When(suspended_at__isnull=False, then=told), default=Value(None), output_field=TextField())


def suspended_first(rows: QuerySet[Any]) -> "Subquery[Any]":
    """Of the first of these rows that is suspended."""
    found = rows.filter(suspended_at__isnull=False).annotate(told=suspended()).values("told")[:1]
    return Subquery(found, output_field=TextField())
