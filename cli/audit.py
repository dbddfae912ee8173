"""`ovim audit export`: the audit log as a file, to stdout as it comes, or to a file that is whole or not there."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cli import names
from cli.client import client_of
from cli.errors import CliError, Exit
from cli.nouns import NOUNS
from cli.output import say

FILTERS = {
    "since": "Nothing older: 2026-01-31T12:00:00Z.",
    "until": "Nothing from then on.",
    "action": "Only this action, such as vm.create.",
    "outcome": "done, refused or failed.",
    "actor": "Only what this person did: an id.",
    "object_kind": "Only what was done to this kind of thing.",
    "object_id": "Only what was done to this thing.",
    "q": "What the person's or the object's name has in it.",
}


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command()
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("-o", "--to", "target", metavar="FILE", help="Instead of stdout. It is there once it is whole.")
@click.option("--organization", metavar="NAME", help="Only of this one. Default: all that you may see.")
@click.pass_obj
def export(
    context_name: str | None, /, *, kind: str, target: str | None, organization: str | None, **filters: str | None
) -> None:
    """All audit entries that you may see, newest first. The export itself is in the log."""
    client = client_of(context_name)
    query = {"format": kind, **{name: value for name, value in filters.items() if value is not None}}
    if organization is not None:
        query["organization"] = names.id_of(client, NOUNS["organizations"], organization)
    pieces = client.download("audit-entries/export", query)
    if target is None:
        _put(pieces)
    else:
        _keep(pieces, Path(target))


for _name, _help in FILTERS.items():
    export = click.option(f"--{_name.replace('_', '-')}", _name, metavar="VALUE", help=_help)(export)


def _put(pieces: Iterator[bytes]) -> None:
    out = sys.stdout.buffer
    for piece in pieces:
        out.write(piece)
    out.flush()


def _keep(pieces: Iterator[bytes], target: Path) -> None:
    """Beside it first, so that a file with that name never is half of one. Only the person himself can read it."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for piece in pieces:
                out.write(piece)
        part.replace(target)
    except OSError as error:
        raise CliError(Exit.FAILED, f"{target} can't be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)
    say(f"{target}: {target.stat().st_size} bytes.")
