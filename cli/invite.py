"""`ovim invite` and `ovim resend`: people asked by mail to join an organization. `ovim delete invitation/…` withdraws."""

from typing import Any

import click

from cli import names, plan
from cli.client import Row, client_of
from cli.config import Contexts
from cli.errors import CliError, Exit
from cli.names import Scope
from cli.nouns import NOUNS
from cli.options import dry_run
from cli.output import emit, say

INVITATION = NOUNS["invitations"]


@click.command()
@click.argument("email")
@click.option(
    "--role",
    metavar="ROLE",
    default="user",
    show_default=True,
    help="user, vdc_admin, org_admin, or one of the organization's own.",
)
@click.option("--org", metavar="ORG", help="Into which. Default: the context's.")
@click.option("--vdc", metavar="[ORG/]VDC", help="The role is for this VDC. Default: for the whole organization.")
@click.option("--days", type=click.IntRange(1, 30), help="So long it can be accepted. Default: 7.")
@dry_run
@click.pass_obj
def invite(context_name: str | None, /, *, email: str, role: str, dry_run: str | None, **given: Any) -> None:
    """Invite EMAIL into an organization: a mail brings a link, good once.

    Where the server sends no mail the link is printed on stdout, this once, to be passed on.
    """
    client = client_of(context_name)
    body: Row = {"email": email, "role": role}
    if given["days"]:
        body["days"] = given["days"]
    org = given["org"] or (None if given["vdc"] else Contexts.load().pick(context_name).org)
    if given["vdc"]:
        vdc = names.find(client, NOUNS["vdcs"], given["vdc"], Scope(org=org))
        body |= {"vdc": vdc["id"], "organization": vdc["organization"]}
    elif org:
        body["organization"] = names.id_of(client, NOUNS["organizations"], org)
    else:
        raise CliError(Exit.USAGE, "Say into which organization: --org ORG, or --vdc ORG/VDC.")
    if dry_run:
        plan.show(plan.ask(client, "POST", "invitations", dry_run, body=body), f"{email} would be invited:")
        return
    _told(client.post("invitations", body), f"{email} is invited")


@click.command()
@click.argument("invitation")
@click.option("--days", type=click.IntRange(1, 30), help="So long it can be accepted. Default: 7.")
@click.pass_obj
def resend(context_name: str | None, /, *, invitation: str, days: int | None) -> None:
    """Send an INVITATION (its e-mail address or id) again, with another link. The earlier one is good for nothing."""
    client = client_of(context_name)
    pk = names.id_of(client, INVITATION, invitation.removeprefix("invitation/"))
    made = client.post(f"invitations/{pk}/resend", {"days": days} if days else {})
    _told(made, f"The invitation of {made['email']} is sent again")


def _told(made: Row, what: str) -> None:
    say(f"{what}; it can be accepted until {made['expires_at'][:16].replace('T', ' ')} UTC.")
    if made["link"]:
        say("The server sends no mail: pass this link on.")
        emit(made["link"])
