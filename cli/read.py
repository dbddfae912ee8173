"""`ovim get` and `ovim describe`: looking, never changing."""

import json
from collections.abc import Mapping

import click

from cli import names
from cli.client import Client, Row
from cli.config import Contexts
from cli.describe import DESCRIBED
from cli.errors import CliError, Exit
from cli.nouns import BY_WORD, NOUNS, Noun
from cli.output import FORMATS, emit, show, structured, table
from cli.waiting import changes

WATCH_SECONDS = 2.0


def _noun(_ctx: click.Context, _param: click.Parameter, value: str) -> Noun:
    """vms, vdcs, …, also in the singular and by their short words."""
    found = BY_WORD.get(value.lower())
    if found is None:
        raise click.BadParameter(f"{value!r}: there are {', '.join(NOUNS)}.")
    return found


def _words(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [word for word in NOUNS if word.startswith(begun)]


noun_argument = click.argument("noun", metavar="|".join(NOUNS), callback=_noun, shell_complete=_words)
output = click.option("-o", "--output", "style", type=click.Choice(FORMATS), default="table", show_default=True)


def client_of(context_name: str | None) -> Client:
    return Client(Contexts.load().pick(context_name))


@click.command()
@noun_argument
@click.argument("wanted", metavar="[NAME]...", nargs=-1)
@click.option("--vdc", metavar="[ORG/]VDC", help="Only what is in this VDC.")
@click.option("--org", metavar="ORG", help="Only what belongs to this organization.")
@click.option("--search", metavar="TEXT", help="Only what has this in its name.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="At most so many. Default: all.")
@click.option("-w", "--watch", is_flag=True, help="Then go on showing what changes, until Ctrl-C.")
@output
@click.pass_obj
def get(
    context_name: str | None,
    /,
    *,
    noun: Noun,
    wanted: tuple[str, ...],
    vdc: str | None,
    org: str | None,
    search: str | None,
    limit: int | None,
    watch: bool,
    style: str,
) -> None:
    """List things, or show those with the given names."""
    if wanted and (search or limit or watch):
        raise CliError(Exit.USAGE, "--search, --limit and --watch are for lists: leave the names out.")
    client = client_of(context_name)
    if wanted:
        rows = [names.find(client, noun, name, vdc=vdc, org=org) for name in wanted]
        show(noun, rows, style, one=len(rows) == 1)
        return
    query = names.scope(client, noun, vdc=vdc, org=org) | ({"q": search} if search else {})
    if watch:
        if limit:
            raise CliError(Exit.USAGE, "--limit does not go with --watch.")
        _watch(client, noun, query, style)
    else:
        show(noun, list(client.rows(noun.path, most=limit, **query)), style)


def _watch(client: Client, noun: Noun, query: Mapping[str, str], style: str) -> None:
    """A line (of JSON: an object) for each change. What is gone comes once more, with the phase Deleted."""
    columns, first = table(noun, style), True
    for row, gone in changes(client, noun.path, dict(query), WATCH_SECONDS):
        if gone:
            row = row | {"phase": "Deleted"}  # noqa: PLW2901  # what is shown from here on
        if style == "json":
            emit(json.dumps(row, ensure_ascii=False))
        elif style == "yaml":
            emit("---\n" + structured(row, "yaml"))
        elif style == "name":
            show(noun, [row], "name")
        else:
            emit("\n".join(columns.lines([row], header=first)))
        first = False


@click.command()
@noun_argument
@click.argument("name")
@click.option("--vdc", metavar="[ORG/]VDC", help="The VDC it is in.")
@click.option("--org", metavar="ORG", help="The organization it belongs to.")
@click.pass_obj
def describe(context_name: str | None, /, noun: Noun, name: str, vdc: str | None, org: str | None) -> None:
    """Everything about one thing, to read. For programs: ovim get KIND NAME -o json."""
    tell = DESCRIBED.get(noun.name)
    if tell is None:
        raise CliError(
            Exit.USAGE, f"There is nothing more to tell of a {noun.name}: ovim get {noun.path} {name} -o yaml"
        )
    client = client_of(context_name)
    found = names.find(client, noun, name, vdc=vdc, org=org)
    row: Row = client.get(f"{noun.path}/{found['id']}")
    emit("\n".join(tell(row)))
