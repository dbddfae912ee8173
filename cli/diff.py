"""`ovim diff -f`: what would change if the files were so. The server is asked by a dry run; nothing is changed."""

from typing import Any

import click

from cli import names, plan
from cli.bodies import body_of, changed, locked_away, read_files
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.options import files
from cli.output import emit, say, say_error
from cli.yamls import Document


@click.command()
@files
@click.option("--cluster", "cluster", is_flag=True, help="Also ask the cluster what it would say.")
@click.pass_obj
def diff(context_name: str | None, /, *, files: tuple[str, ...], cluster: bool) -> None:
    """Compare files with what there is. Exit code 0: the same; 9: there are differences."""
    if not files:
        raise CliError(Exit.USAGE, "Which file? ovim diff -f FILE")
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
