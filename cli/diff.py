"""`ovim diff`: of files, what would change if they were so (a dry run); of things, what is otherwise in their cluster."""

from typing import Any

import click

from cli import drift, names, plan
from cli.bodies import body_of, changed, locked_away, read_files
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.options import files, objects, output, scoped, where
from cli.output import emit, say, say_error
from cli.yamls import Document


@click.command()
@objects
@files
@scoped
@click.option("--cluster", "cluster", is_flag=True, help="Of files: also ask the cluster what it would say.")
@click.option("--live", is_flag=True, help="Of things: look in the cluster now, not in what was last seen of it.")
@output
@click.pass_obj
def diff(
    context_name: str | None,
    /,
    *,
    wanted: tuple[str, ...],
    files: tuple[str, ...],
    cluster: bool,
    live: bool,
    style: str,
    **options: Any,
) -> None:
    """Compare files with what there is, or things with what is in their cluster.

    Exit code 0: the same; 9: there are differences.
    """
    place = where(options)
    if bool(files) == bool(wanted):
        raise CliError(Exit.USAGE, "Of what? ovim diff -f FILE, or ovim diff KIND/NAME.")
    if wanted:
        if drift.compare(client_of(context_name), wanted, place, live=live, style=style):
            raise click.exceptions.Exit(Exit.DIFFERENT)
        return
    _of_files(context_name, files, cluster=cluster)


def _of_files(context_name: str | None, files: tuple[str, ...], *, cluster: bool) -> None:
    objects = read_files(files)
    client = client_of(context_name)
    mode, differs, failed = "cluster" if cluster else "server", False, None
    for noun, document in objects:
        try:
            lines = _compared(client, noun, document, mode)
        except CliError as error:
            if error.code == Exit.UNREACHABLE:
                raise
            failed = error
            say_error(CliError(error.code, document.place("") + error.lines[0], *error.lines[1:]))
            continue
        if lines:
            differs = True
            emit("\n".join(lines))
    if failed is not None:
        raise CliError(failed.code, "Not everything could be compared.")
    if differs:
        raise click.exceptions.Exit(Exit.DIFFERENT)
    say("No differences.")


def _compared(client: Client, noun: Noun, document: Document, mode: str) -> list[str]:
    body = body_of(client, noun, document)
    row = _found(client, noun, document, body)
    if row is None:
        answer = plan.ask(client, "POST", noun.path, mode, body=body)
        fields = [f"  {key}: {plan.short(value)}" for key, value in document.value.items() if key in noun.made]
        return [f"+ {plan.target(noun, answer['row'])} would be created:", *fields, *plan.lines(answer)]
    wanted = {key: value for key, value in document.value.items() if key != "kind"} | {
        key: value for key, value in body.items() if key in noun.refs
    }
    fixed = locked_away(noun, row, wanted)
    changes = changed(noun, row, wanted)
    lines: list[str] = []
    if any(key in row for key in changes):  # a password, say, is never read back: alone it is no difference
        how: dict[str, Any] = {"body": changes, "generation": row["generation"]}
        try:
            answer = plan.ask(client, "PATCH", f"{noun.path}/{row['id']}", mode, **how)
        except Problem:  # it can't be made so as things are; what is different is shown all the same
            emit("\n".join([f"~ {plan.target(noun, row)} is different:", *plan.differences(row, row | changes)]))
            raise
        lines = plan.lines(answer, row)
    lines += [f"  {document.place(key)}{key}: {plan.short(row[key])} → {plan.short(wanted.get(key))}, which can't be "
              "changed any more" for key in fixed]  # fmt: skip
    return [f"~ {plan.target(noun, row)} would be changed:", *lines] if lines else []


def _found(client: Client, noun: Noun, document: Document, body: Row) -> Row | None:
    """The object the file means: of that name in the VDC or organization that it names; else by its id."""
    pk = document.value.get("id")
    if isinstance(pk, str) and names.is_id(pk) and noun.has_detail:
        try:
            return client.get(f"{noun.path}/{pk}")
        except CliError as error:
            if error.code != Exit.NOT_FOUND:
                raise
    query = {key: str(body[key]) for key in ("vdc", "organization", "user", "role") if body.get(key)}
    if noun.has_detail:
        query[noun.key] = str(document.value[noun.key])
        query = {key: value for key, value in query.items() if key in (noun.key, *noun.scopes, "organization")}
    rows = list(client.rows(noun.path, most=2, **query))
    return names.whole(client, noun, rows[0]) if rows else None
