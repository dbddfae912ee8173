"""`ovim disable`, `enable` and `reset-password`: people's accounts, and whole organizations switched off and on."""

from typing import Any

import click

from cli import names, plan
from cli.client import client_of
from cli.errors import CliError, Exit
from cli.nouns import NOUNS, Noun
from cli.options import dry_run, objects, scoped, where
from cli.output import emit, say
from cli.sign_in import new_password

USER, ORGANIZATION = NOUNS["users"], NOUNS["organizations"]


def _meant(wanted: tuple[str, ...], verb: str, *kinds: Noun) -> list[tuple[Noun, str]]:
    meant = names.targets(wanted)
    other = next((noun for noun, _ in meant if noun not in kinds), None)
    if other is not None:
        raise CliError(
            Exit.USAGE, f"{verb} is for {' and '.join(noun.plural for noun in kinds)}: not for a {other.name}."
        )
    return meant


@click.command()
@objects
@click.option("--vms", type=click.Choice(("keep", "stop")), help="Of an organization: what runs is kept or stopped.")
@scoped
@dry_run
@click.pass_obj
def disable(context_name: str | None, /, *, vms: str | None, **options: Any) -> None:
    """No more access: a person's sessions end, an organization's people can do nothing in it."""
    _switch(context_name, "disable", body={"vms": vms} if vms else None, **options)


@click.command()
@objects
@scoped
@dry_run
@click.pass_obj
def enable(context_name: str | None, /, **options: Any) -> None:
    """Access again, with the roles that were kept."""
    _switch(context_name, "enable", **options)


@click.command()
@objects
@scoped
@dry_run
@click.pass_obj
def restore(context_name: str | None, /, **options: Any) -> None:
    """Undo the deletion of organizations, while there is time for it. What was stopped stays so."""
    _switch(context_name, "undo-deletion", **options)


DONE = {"disable": "disabled", "enable": "enabled", "undo-deletion": "restored"}


def _switch(
    context_name: str | None,
    verb: str,
    /,
    *,
    wanted: tuple[str, ...],
    dry_run: str | None,
    body: dict[str, str] | None = None,
    **more: Any,
) -> None:
    place, kinds = where(more), (ORGANIZATION,) if body or verb == "undo-deletion" else (USER, ORGANIZATION)
    meant = _meant(wanted, "restore" if verb == "undo-deletion" else verb, *kinds)
    client = client_of(context_name)
    for noun, row in [(noun, names.find(client, noun, name, place)) for noun, name in meant]:
        path, given = f"{noun.path}/{row['id']}/{verb}", body or ({} if noun is ORGANIZATION else None)
        if dry_run:
            answer = plan.ask(client, "POST", path, dry_run, body=given)
            plan.show(answer, f"{plan.target(noun, row)} would be {DONE[verb]}:", row)
            continue
        client.ask("POST", path, body=given)
        say(f"{plan.target(noun, row)} is {DONE[verb]}.")


@click.command("reset-password")
@objects
@scoped
@click.option("--password-stdin", is_flag=True, help="Read the new password from stdin's first line.")
@click.pass_obj
def reset_password(
    context_name: str | None, /, *, wanted: tuple[str, ...], password_stdin: bool, **options: Any
) -> None:
    """Another password for people, to be changed at the next sign-in. Their sessions end.

    It is made up by the server and printed on stdout, this once; one for each person, in their order.
    """
    place, meant = where(options), _meant(wanted, "reset-password", USER)
    if password_stdin and len(meant) > 1:
        raise CliError(Exit.USAGE, "A password is one person's alone: name one.")
    client = client_of(context_name)
    rows = [names.find(client, USER, name, place) for _, name in meant]
    body = {"password": new_password(from_stdin=True)} if password_stdin else {}
    for row in rows:
        made = client.post(f"users/{row['id']}/reset-password", body)
        say(f"{plan.target(USER, row)} has another password, to be changed at the next sign-in.")
        if made["generated_password"]:
            emit(made["generated_password"])
