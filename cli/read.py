"""`ovim get` and `ovim describe`: looking, never changing."""

import json
from collections.abc import Mapping
from typing import Any

import click

from cli import names
from cli.client import Client, Row, client_of
from cli.describe import described
from cli.errors import CliError, Exit
from cli.foreign import UNMANAGED, listed
from cli.names import Scope
from cli.nouns import NOUNS, Noun
from cli.options import objects, output, scoped, where
from cli.output import JSONPATH, emit, emit_value, is_structured, named, say, show, structured, table
from cli.stream import changes

FILTERS = {"vdc": "vdcs", "organization": "organizations", "owner": "users", "user": "users", "cluster": "clusters"}
FILTERS |= {"catalog": "catalogs", "actor": "users"}


@click.command()
@objects
@scoped
@click.option("-l", "--selector", "--filter", "filters", metavar="FIELD=VALUE[,…]", multiple=True, help="Only those.")
@click.option("-q", "--search", metavar="TEXT", help="Only what has this in its name.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="At most so many. Default: all.")
@click.option("-w", "--watch", is_flag=True, help="Then go on showing what changes, until Ctrl-C.")
@click.option("--no-headers", is_flag=True, help="A table without its first line.")
@output
@click.pass_obj
def get(context_name: str | None, /, *, wanted: tuple[str, ...], style: str, no_headers: bool, **options: Any) -> None:
    """List things, or show those with the given names.

    Kinds: vms, vdcs, organizations, catalogs, items, clusters, orphans, users, roles, groups,
    memberships, role-bindings, invitations, audit-entries; and unmanaged: the machines in a VDC that OVIM did not make.
    """
    place = where(options)
    if not wanted:
        raise CliError(Exit.USAGE, f"Of what? There are {', '.join(NOUNS)}.")
    if wanted == (UNMANAGED,):
        if any(options.values()):
            raise CliError(Exit.USAGE, "Of what is unmanaged all is shown: only --vdc and --org narrow it.")
        listed(client_of(context_name), place, style, header=not no_headers)
        return
    lists = len(wanted) == 1 and not names.has_kind(wanted[0])
    if not lists:
        if any(options.values()):
            raise CliError(Exit.USAGE, "Filters, --search, --limit and --watch are for lists: leave the names out.")
        _some(client_of(context_name), names.targets(wanted), place, style, header=not no_headers)
        return
    nouns = [names.noun_of(word) for word in wanted[0].split(",")]
    client = client_of(context_name)
    if options["watch"]:
        if options["limit"] or len(nouns) > 1 or style.startswith(JSONPATH):
            raise CliError(Exit.USAGE, "--watch is for one kind, without --limit and jsonpath.")
        _watch(client, nouns[0], _query(client, nouns[0], place, options), style, header=not no_headers)
        return
    _lists(client, nouns, place, style, options, header=not no_headers)


def _lists(
    client: Client, nouns: list[Noun], place: Scope, style: str, options: dict[str, Any], *, header: bool
) -> None:
    found: list[Row] = []
    for number, noun in enumerate(nouns):
        rows = list(client.rows(noun.path, most=options["limit"], **_query(client, noun, place, options)))
        if is_structured(style):
            found += [named(noun, row) for row in rows]
            continue
        if number and rows and style != "name":
            emit("")
        show(noun, rows, style, header=header, with_kind=len(nouns) > 1)
    if is_structured(style):
        emit_value(found, style, one=False)


def _query(client: Client, noun: Noun, place: Scope, options: dict[str, Any]) -> dict[str, str]:
    """What the server is to look for: all narrowing is its work."""
    query = names.scope(client, noun, place.of(client, noun))
    for pair in (pair for text in options["filters"] for pair in text.split(",")):
        field, equals, value = pair.partition("=")
        if not equals or not field or not value:
            raise CliError(Exit.USAGE, f"{pair!r} is no filter: write FIELD=VALUE, like phase=Running.")
        query[field] = names.id_of(client, NOUNS[FILTERS[field]], value) if field in FILTERS else value
    return query | ({"q": options["search"]} if options["search"] else {})


def _some(client: Client, wanted: list[tuple[Noun, str]], place: Scope, style: str, *, header: bool) -> None:
    """Those that are named. If some are not there, the others are shown and the exit code tells."""
    by_noun: dict[str, tuple[Noun, list[Row]]] = {}
    found, failed = [], None
    for noun, name in wanted:
        try:
            row = names.find(client, noun, name, place)
            row = names.whole(client, noun, row) if is_structured(style) else row
        except CliError as error:
            if len(wanted) == 1 or error.code != Exit.NOT_FOUND:
                raise
            say("\n".join(error.lines))
            failed = error
            continue
        by_noun.setdefault(noun.path, (noun, []))[1].append(row)
        found.append(named(noun, row))
    if is_structured(style):
        emit_value(found, style, one=len(wanted) == 1)
    else:
        for number, (noun, rows) in enumerate(by_noun.values()):
            if number and style != "name":
                emit("")
            show(noun, rows, style, header=header, with_kind=len({noun.path for noun, _ in wanted}) > 1)
    if failed is not None:
        raise CliError(failed.code, "Not all of them are there.")


def _watch(client: Client, noun: Noun, query: Mapping[str, str], style: str, *, header: bool) -> None:
    """A line (of JSON: an object) for each change. What is gone comes once more, with the phase Deleted."""
    columns, first = table(noun, style), header
    for row, gone in changes(client, noun, dict(query)):
        if gone:
            row = row | {"phase": "Deleted"}  # noqa: PLW2901  # what is shown from here on
        if style == "json":
            emit(json.dumps(named(noun, row), ensure_ascii=False))
        elif style == "yaml":
            emit("---\n" + structured(named(noun, row), "yaml"))
        elif style == "name":
            show(noun, [row], "name")
        else:
            emit("\n".join(columns.lines([row], header=first)))
        first = False


@click.command()
@objects
@scoped
@click.pass_obj
def describe(context_name: str | None, /, wanted: tuple[str, ...], **options: Any) -> None:
    """Everything about things, to read. For programs: ovim get KIND NAME -o json."""
    place, meant = where(options), names.targets(wanted)
    client = client_of(context_name)
    for number, (noun, name) in enumerate(meant):
        row = names.whole(client, noun, names.find(client, noun, name, place))
        if noun.name == "organization":
            row = row | {"quota": client.get(f"organizations/{row['id']}/quota")}
        if noun.name == "vdc":
            row = row | {"kubectl": client.get(f"vdcs/{row['id']}/kubectl")}
        emit("\n".join(["", "---", *described(noun, row)] if number else described(noun, row)))
