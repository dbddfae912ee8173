"""`ovim create role`, `group`, `membership` and `role-binding`: who may do what where."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli import names
from cli.client import client_of
from cli.errors import CliError, Exit
from cli.making import org_of, simple
from cli.names import Scope
from cli.nouns import NOUNS
from cli.options import dry_run, made_output

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
display_name = click.option("--display-name", metavar="TEXT")
org_option = click.option("--org", metavar="ORG", help="Whose. Default: the context's.")


@click.command("role")
@click.argument("name")
@click.option("--right", "rights", metavar="RIGHT", multiple=True, required=True, help="Such as vm.view; give several.")
@click.option("--own-only", is_flag=True, help="Of machines, only the person's own.")
@display_name
@org_option
@dry_run
@made_output
@click.pass_obj
def create_role(context_name: str | None, /, *, org: str | None, rights: tuple[str, ...], **options: Any) -> None:
    """Make a role of the organization's own, of rights that you have there yourself."""
    body = {key: options[key] for key in ("name", "display_name")}
    whose = org_of(context_name, org, needed=True)
    own_only = options["own_only"] or None
    simple(context_name, NOUNS["roles"], options, **body, organization=whose, rights=list(rights), own_only=own_only)


@click.command("group")
@click.argument("name")
@click.option("--external", metavar="NAME", help="What an identity provider calls it.")
@display_name
@org_option
@dry_run
@made_output
@click.pass_obj
def create_group(context_name: str | None, /, *, org: str | None, **options: Any) -> None:
    """Make a group of people. Add them with: ovim create membership GROUP USER"""
    body = {key: options[key] for key in ("name", "display_name", "external")}
    simple(context_name, NOUNS["groups"], options, **body, organization=org_of(context_name, org, needed=False))


@click.command("membership")
@click.argument("group", metavar="[ORG/]GROUP")
@click.argument("user")
@dry_run
@made_output
@click.pass_obj
def create_membership(context_name: str | None, /, **options: Any) -> None:
    """Add USER to GROUP: its roles are his at once."""
    simple(context_name, NOUNS["memberships"], options, group=options["group"], user=options["user"])


@click.command("role-binding")
@click.argument("who")
@click.argument("role")
@click.option("--group", "is_group", is_flag=True, help="WHO is a group.")
@click.option("--org", "organization", metavar="ORG", help="In this organization.")
@click.option("--vdc", metavar="[ORG/]VDC", help="In this VDC.")
@click.option("--vm", metavar="[[ORG/]VDC/]VM", help="For this VM alone.")
@click.option("--until", metavar="TIME", help="It ends then: 2026-12-31, 2026-12-31T18:00Z, or from now: 12h, 30d.")
@dry_run
@made_output
@click.pass_obj
def create_binding(context_name: str | None, /, *, who: str, is_group: bool, until: str | None, **options: Any) -> None:
    """Give WHO the ROLE: system_admin, org_admin, vdc_admin, user, or one of the organization's own."""
    body = {key: options[key] for key in ("role", "organization", "vdc", "vm")}
    body["group" if is_group else "user"] = who
    body["expires_at"] = None if until is None else moment(until)
    if body["vdc"] and not body["organization"]:
        client = client_of(context_name)
        body["organization"] = names.find(client, NOUNS["vdcs"], body["vdc"], Scope())["organization"]
    simple(context_name, NOUNS["role-bindings"], options, **body)


def moment(text: str) -> str:
    """A time as the API takes it: what names no zone is UTC."""
    number, unit = text[:-1], text[-1:]
    if number.isdigit() and unit in UNITS:
        found = datetime.now(UTC) + int(number) * UNITS[unit]
    else:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise CliError(Exit.USAGE, f"--until {text}: write 2026-12-31, 2026-12-31T18:00Z, 12h or 30d.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


COMMANDS = (create_role, create_group, create_membership, create_binding)
