"""`ovim events` and `ovim logs`: what happened to an object.

The API tells it in two places: the audit log (who did what, and what was refused) and the object's conditions (what the
cluster last said). Both are put in one list, newest last. There is no address for a guest's console log.
"""

from typing import Any

import click

from cli import names
from cli.cells import Cell, seconds_since, span
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.options import objects, output, scoped, where
from cli.output import Table, emit, emit_value, is_structured, say

MOST = 50
COLUMNS: dict[str, Cell] = {
    "AGE": lambda row: span(seconds_since(row["at"])) if row["at"] else "",
    "TYPE": lambda row: row["type"],
    "WHAT": lambda row: row["what"],
    "WHO": lambda row: row["who"],
    "MESSAGE": lambda row: row["message"],
}


@click.command()
@objects
@scoped
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=MOST, show_default=True, help="The last so many."
)
@output
@click.pass_obj
def events(context_name: str | None, /, *, wanted: tuple[str, ...], limit: int, style: str, **options: Any) -> None:
    """What was done to things, and what the cluster said of them."""
    place, meant = where(options), names.targets(wanted)
    if style == "name":
        raise CliError(Exit.USAGE, "Events have no names.")
    client = client_of(context_name)
    found: list[Row] = []
    for noun, name in meant:
        row = names.whole(client, noun, names.find(client, noun, name, place))
        found += _told(row) + _done(client, noun, row, limit)
    found = sorted(found, key=lambda event: event["at"] or "")[-limit:]
    if is_structured(style):
        emit_value(found, style, one=False)
    elif found:
        emit("\n".join(Table(COLUMNS).lines(found)))
    else:
        say("Nothing is known to have happened.")


def _told(row: Row) -> list[Row]:
    return [
        {
            "at": condition.get("since"),
            "type": "condition",
            "what": f"{condition['type']}={condition['status']}",
            "who": "cluster",
            "message": condition.get("message") or condition.get("reason") or "",
        }
        for condition in row.get("conditions") or ()
    ]


def _done(client: Client, noun: Noun, row: Row, limit: int) -> list[Row]:
    """Of the audit log, which not everybody may read: then that is said, and the rest is shown."""
    try:
        entries = list(client.rows("audit-entries", most=limit, object_id=row["id"]))
    except Problem as problem:
        if problem.status != 403:
            raise
        say(f"Who did what to {noun.words[0]} {noun.full_name(row)} is not shown: {problem.lines[0]}")
        return []
    return [
        {
            "at": entry["at"],
            "type": entry["outcome"],
            "what": entry["action"],
            "who": entry["actor_name"],
            "message": entry["reason"] or _change(entry),
        }
        for entry in entries
    ]


def _change(entry: Row) -> str:
    before, after = entry["before"] or {}, entry["after"] or {}
    return ", ".join(
        f"{key}: {before[key]} → {after[key]}" for key in after if key in before and before[key] != after[key]
    )


@click.command()
@objects
@scoped
@click.pass_obj
def logs(context_name: str | None, /, wanted: tuple[str, ...], **options: Any) -> None:
    """A guest's console log: the API does not serve any yet."""
    where(options)
    meant = names.targets(wanted)
    first = f"{meant[0][0].words[0]}/{meant[0][1]}"
    raise CliError(
        Exit.FAILED,
        "The API serves no logs of guests, so there is nothing to show.",
        f"What is known: ovim events {first}",
    )
