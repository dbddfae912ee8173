"""What all of `ovim create` has in common: the request, or its trial, and what is shown of it."""

from typing import Any

from cli import names, plan
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit
from cli.nouns import NOUNS, Noun
from cli.output import emit_value, named, say
from cli.output import names as show_names


def make(client: Client, noun: Noun, body: Row) -> Row:
    row = client.post(noun.path, body)
    say(f"{plan.target(noun, row)} created.")
    if row.get("generated_password"):
        say(f"The password that was made up for it, told only now: {row['generated_password']}")
    return row


def show_plans(made: list[tuple[Noun, Row]], plans: list[Row], style: str | None) -> None:
    """Dry runs: the plans as data (one, or `items`), the names, or sentences."""
    if style == "name":
        show_made(made, style)
    elif style and plans:
        emit_value(plans, style, one=len(plans) == 1)
    else:
        for (noun, row), answer in zip(made, plans, strict=True):
            plan.show(answer, f"{plan.target(noun, row)} would be created:")


def show_made(made: list[tuple[Noun, Row]], style: str | None) -> None:
    if style == "name":
        for noun, row in made:
            show_names(noun, [row], with_kind=len(made) > 1)
    elif style and made:
        emit_value([named(noun, row) for noun, row in made], style, one=len(made) == 1)


def one(context_name: str | None, noun: Noun, body: Row, mode: str | None, style: str | None) -> tuple[Client, Row]:
    client = client_of(context_name)
    for field, plural in noun.refs.items():
        if body.get(field):
            body[field] = names.id_of(client, NOUNS[plural], body[field])
    given = {key: value for key, value in body.items() if value not in (None, {}, [])}
    if mode:
        answer = plan.ask(client, "POST", noun.path, mode, body=given)
        show_plans([(noun, answer["row"])], [answer], style)
        return client, answer["row"]
    return client, make(client, noun, given)


def simple(context_name: str | None, noun: Noun, options: dict[str, Any], **body: Any) -> None:
    """A kind that is made and is there: nothing to wait for."""
    mode, style = options["dry_run"], options["style"]
    _, row = one(context_name, noun, body, mode, style)
    if not mode:
        show_made([(noun, row)], style)


def org_of(context_name: str | None, given: str | None, *, needed: bool) -> str | None:
    from cli.config import Contexts  # noqa: PLC0415  # only the context is wanted

    org = given or Contexts.load().pick(context_name).org or None
    if needed and org is None:
        raise CliError(Exit.USAGE, "Say whose: --org ORG, or set the context's: ovim config set-context --org ORG")
    return org
