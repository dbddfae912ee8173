"""`ovim auth can-i`: whether one may do something, by what, or why not and who could give it."""

from typing import Any

import click

from cli import names
from cli.client import Row, client_of
from cli.errors import CliError, Exit
from cli.nouns import NOUNS
from cli.options import output, scoped, where
from cli.output import emit, emit_value, is_structured, say

SYSTEM = "system"
ASKED = ("organization", "vdc", "vm", "catalog", "item", "user", "role", "group", "cluster")


@click.group()
def auth() -> None:
    """Ask about access."""


@auth.command("can-i")
@click.argument("action")
@click.argument("target", metavar="KIND/NAME|system")
@click.option("--user", metavar="USER", help="Whether somebody else may, whom you may see.")
@scoped
@output
@click.pass_obj
def can_i(
    context_name: str | None, /, *, action: str, target: str, user: str | None, style: str, **options: Any
) -> int:
    """Whether you may do ACTION (a right such as vm.edit, or a verb such as stop). Exit code 0: yes, 1: no."""
    client = client_of(context_name)
    query = {"action": action, "object": target if target == SYSTEM else _object(client, target, options)}
    if user is not None:
        query["user"] = names.id_of(client, NOUNS["users"], user)
    told = client.get("access/explain", **query)
    if is_structured(style):
        emit_value([told], style, one=True)
    else:
        _say(told)
    return Exit.OK if told["allowed"] else Exit.FAILED


def _object(client: Any, target: str, options: dict[str, Any]) -> str:
    ((noun, name),) = names.targets([target])
    if noun.words[0] not in ASKED:
        raise CliError(Exit.USAGE, f"Access to a {noun.name} can't be asked about: only to {', '.join(ASKED)}.")
    return f"{noun.words[0]}/{names.id_of(client, noun, name, where(options))}"


def _say(told: Row) -> None:
    emit("yes" if told["allowed"] else "no")
    for via in told["via"]:
        group = f" by the group {via['group']}" if via["group"] else ""
        until = f", until {via['expires_at'][:16]}" if via["expires_at"] else ""
        say(f"As {via['role_name']}{group}, at the level of the {via['level']}{until}.")
    if told["hidden"]:
        say(f"By {told['hidden']} role{'' if told['hidden'] == 1 else 's'} that you may not see.")
    if told["reason"]:
        say(told["reason"])
    who = told["who_could_grant"]
    if who["roles"]:
        people = f": {', '.join(who['people'])}" if who["people"] else ""
        say(f"It could be given by: {', '.join(who['roles'])}{people}.")
