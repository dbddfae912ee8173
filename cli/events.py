"""`ovim events`: what happened to an object, newest last.

VMs, VDCs and organizations have a timeline. For the rest the API tells it in two places: the audit log (who did what, and
what was refused) and the object's conditions (what the cluster last said).
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
WITH_TIMELINE = frozenset({"vms", "vdcs", "organizations"})
COLUMNS: dict[str, Cell] = {
    "AGE": lambda row: span(seconds_since(row["at"])) if row["at"] else "",
    "SOURCE": lambda row: row["source"],
    "WHO": lambda row: row["who"],
    "TOOK": lambda row: "" if row.get("duration_ms") is None else f"{row['duration_ms'] / 1000:.1f}s",
    "WHAT": lambda row: row["sentence"] if row["ok"] else f"! {row['sentence']}",
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
        row = names.find(client, noun, name, place)
        if noun.path in WITH_TIMELINE:
            found += client.rows(f"{noun.path}/{row['id']}/timeline", most=limit)
        else:
            row = names.whole(client, noun, row)
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
            "source": "cluster",
            "who": "",
            "ok": True,
            "sentence": _joined(
                f"{condition['type']}={condition['status']}", condition.get("message") or condition.get("reason")
            ),
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
            "source": "person",
            "who": entry["actor_name"],
            "ok": entry["outcome"] == "done",
            "sentence": _joined(entry["action"], entry["reason"] or _change(entry)),
        }
        for entry in entries
    ]


def _joined(what: str, more: str | None) -> str:
    return f"{what}: {more}" if more else what


def _change(entry: Row) -> str:
    before, after = entry["before"] or {}, entry["after"] or {}
    return ", ".join(
        f"{key}: {before[key]} → {after[key]}" for key in after if key in before and before[key] != after[key]
    )
