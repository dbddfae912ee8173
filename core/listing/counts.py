"""How many there are of several kinds, in one statement, each counted no further than it pays."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from core import sql
from core.listing.page import COUNTED, Page, told

MOST_OPTIONS = 50  # of a choice; those after it have no number


def counted(groups: Mapping[str, QuerySet[Any]]) -> dict[str, str]:
    """By name. Past COUNTED a number says "1,000+"."""
    parts: list[str] = []
    params: list[Any] = []
    names = []
    for name, rows in groups.items():
        try:
            inner, given = rows.order_by().values("pk")[: COUNTED + 1].query.sql_with_params()
        except EmptyResultSet:
            continue  # nothing can be there
        parts.append(f"(SELECT count(*) FROM ({inner}) AS c)")  # noqa: S608  # written by Django
        params += given
        names.append(name)
    found = sql.run(f"SELECT {', '.join(parts)}", params, prepare=False)[0] if parts else ()
    return dict.fromkeys(groups, "0") | {name: told(count) for name, count in zip(names, found, strict=True)}


def facet(request: HttpRequest, page: Page, key: str) -> dict[str, str]:
    """For each option of a choice: how many rows it would leave, with everything else as it is. Unknown: nothing."""
    item = next((item["spec"] for item in page.filters if item["key"] == key), None)
    if item is None:
        return {}
    kept = {name: value for name, value in page.given.items() if name != key}
    rows = Page(request, page.listing, QueryDict(urlencode(kept))).narrowed
    options: Sequence[tuple[str, str]] = item.options(page.actor, page.given)
    values = [value for value, _ in options[: MOST_OPTIONS + 1]]
    return counted({value: rows.filter(item.where(value, page.actor)) if value else rows for value in values})
