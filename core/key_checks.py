"""A check of the database (`migrate`, `check --database`): can everything that is encrypted be opened?"""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from core import resealing


@register(Tags.database)
def keys_open_what_is_sealed(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for using in (databases or ())[:1]:  # both connections lead to the same rows
        connection = connections[using]
        there = set(connection.introspection.table_names())
        if any(column.model._meta.db_table not in there for column in resealing.columns()):
            return []  # a new database: nothing is in it yet
        found += [
            Error(
                f"{column.lost} rows of {column.name} can't be decrypted: no key in OVIM_CREDENTIAL_KEY is theirs.",
                hint="Add the key that was there before, after a comma, and run: manage.py secrets rotate.",
                id="ovim.E003",
            )
            for column in resealing.look(using)
            if column.lost
        ]
    return found
