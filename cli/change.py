"""`ovim start`, `stop`, `delete` and `wait`. Each says on stderr what it did."""

import sys
from typing import Any

import click

from cli import names, plan
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit
from cli.names import Scope
from cli.nouns import NOUNS, Noun
from cli.options import dry_run, objects, output, scoped, timeout, waits, where
from cli.output import plain, say, show
from cli.waiting import Wish, wait

VM, USER, INVITATION = NOUNS["vms"], NOUNS["users"], NOUNS["invitations"]


@click.command()
@objects
@scoped
@waits
@timeout
@dry_run
@click.pass_obj
def start(context_name: str | None, /, **options: Any) -> None:
    """Start virtual machines."""
    _power(context_name, "start", Wish("phase", "Running"), where(options), **options)


@click.command()
@objects
@scoped
@waits
@timeout
@dry_run
@click.pass_obj
def stop(context_name: str | None, /, **options: Any) -> None:
    """Stop virtual machines."""
    _power(context_name, "stop", Wish("phase", "Stopped"), where(options), **options)


def _power(
    context_name: str | None,
    verb: str,
    wish: Wish,
    place: Scope,
    /,
    *,
    wanted: tuple[str, ...],
    wants_wait: bool,
    timeout: float,
    dry_run: str | None,
) -> None:
    meant = names.targets(wanted)
    other = next((noun for noun, _ in meant if noun is not VM), None)
    if other is not None:
        raise CliError(Exit.USAGE, f"A {other.name} can't be told to {verb}: only a vm can.")
    client = client_of(context_name)
    done = []
    for found in [names.find(client, VM, name, place) for _, name in meant]:
        path = f"vms/{found['id']}/{verb}"
        if dry_run:
            answer = plan.ask(client, "POST", path, dry_run)
            plan.show(answer, f"{plan.target(VM, found)} would be told to {verb}:", found)
            continue
        done.append(client.post(path))
        say(f"vm {VM.full_name(found)} told to {verb}.")
    for vm in done if wants_wait else ():
        waited(client, VM, vm, wish, timeout)


@click.command()
@objects
@scoped
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--cascade", is_flag=True, help="A VDC with everything in it.")
@click.option("--confirm", metavar="NAME", help="Of an orphan that may hold data: its name.")
@click.option("--strangers", metavar="N", type=int, help="Of a VDC: so many objects not made by OVIM may go, too.")
@click.option("--heir", metavar="USER", help="Of a user: who gets the VMs that are his.")
@waits
@timeout
@dry_run
@click.pass_obj
def delete(
    context_name: str | None,
    /,
    *,
    wanted: tuple[str, ...],
    yes: bool,
    cascade: bool,
    confirm: str | None,
    strangers: int | None,
    heir: str | None,
    wants_wait: bool,
    timeout: float,
    dry_run: str | None,
    **options: Any,
) -> None:
    """Delete things for good; virtual machines with their disks."""
    place, meant = where(options), names.targets(wanted)
    if heir and any(noun is not USER for noun, _ in meant):
        raise CliError(Exit.USAGE, "--heir is for users: delete other things apart from them.")
    query = ({"cascade": "true"} if cascade else {}) | ({} if strangers is None else {"strangers": str(strangers)})
    query |= {"confirm": confirm} if confirm else {}
    client = client_of(context_name)
    query |= {"heir": names.id_of(client, USER, heir)} if heir else {}
    rows = [(noun, names.find(client, noun, name, place)) for noun, name in meant]
    if not yes and not dry_run:
        _confirm(rows)
    for noun, row in rows:
        path = f"{noun.path}/{row['id']}"
        if dry_run:
            answer = plan.ask(client, "DELETE", path, dry_run, query=query)
            plan.show(answer, f"{plan.target(noun, row)} would be deleted:", row)
            continue
        client.ask("DELETE", path, query=query)
        done = "withdrawn" if noun is INVITATION else "being deleted" if noun.live or "phase" in row else "deleted"
        say(f"{plan.target(noun, row)} is {done}.")
    for noun, row in rows if wants_wait and not dry_run else ():
        if noun.has_detail:
            waited(client, noun, row, Wish("deleted"), timeout)


def _confirm(rows: list[tuple[Noun, Row]]) -> None:
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, "There is no terminal to ask on: say --yes if you mean it. Nothing was deleted.")
    which = ", ".join(plain(f"{noun.words[0]} {noun.full_name(row)}") for noun, row in rows)
    disks = " and all disks of it" if any(noun is VM for noun, _ in rows) else ""
    if not click.confirm(f"Delete {which}{disks}?", err=True):
        raise CliError(Exit.FAILED, "Nothing was deleted.")


@click.command("wait")
@objects
@click.option("--for", "wish", metavar="WISH", required=True, help="phase=Running, condition=Ready[=False] or delete.")
@scoped
@timeout
@output
@click.pass_obj
def wait_for(
    context_name: str | None, /, *, wanted: tuple[str, ...], wish: str, timeout: float, style: str, **options: Any
) -> None:
    """Wait until things are as wanted; then show them."""
    place, meant, wished = where(options), names.targets(wanted), Wish.parse(wish)
    client = client_of(context_name)
    for noun, name in meant:
        try:
            found = names.find(client, noun, name, place)
        except CliError as error:
            if wished.kind == "deleted" and error.code == Exit.NOT_FOUND:
                say(f"There is no {noun.name} {name}.")
                continue
            raise
        row = waited(client, noun, found, wished, timeout)
        if row is not None:
            show(noun, [row], style, one=True)


def waited(client: Client, noun: Noun, row: Row, wish: Wish, timeout: float) -> Row | None:
    """Waits, and says on stderr that it is so."""
    if not noun.has_detail or (wish.kind != "deleted" and "phase" not in row):
        raise CliError(Exit.USAGE, f"A {noun.name} has no {wish.kind} to wait for.")
    found = wait(client, noun, row, wish, timeout)
    say(f"{noun.words[0]} {noun.full_name(row)}: {wish}.")
    return found


@click.command()
@click.argument(
    "what", metavar="ORDER", type=click.Choice(("recreate-disk", "repair", "accept", "forget-volume", "reclaim"))
)
@objects
@scoped
@click.option("--disk", metavar="NAME", help="Of which disk, where the order is about one.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@dry_run
@click.pass_obj
def order(
    context_name: str | None,
    /,
    *,
    what: str,
    wanted: tuple[str, ...],
    disk: str | None,
    yes: bool,
    dry_run: str | None,
    **options: Any,
) -> None:
    """Decide what OVIM won't decide by itself: recreate-disk, repair, accept, forget-volume, reclaim."""
    place, meant = where(options), names.targets(wanted)
    if len(meant) > 1 or meant[0][0] is not VM:
        raise CliError(Exit.USAGE, "An order is for one vm.")
    client = client_of(context_name)
    row = names.whole(client, VM, names.find(client, VM, meant[0][1], place))
    body: Row = {"order": what}
    if disk is not None:
        found = next((item for item in row["disks"] if disk in (item["name"], item["id"])), None)
        if found is None:
            known = ", ".join(item["name"] for item in row["disks"])
            raise CliError(Exit.NOT_FOUND, f"There is no disk {disk!r} of {plan.target(VM, row)}. There are: {known}.")
        body |= {"disk": found["id"], "confirm": found["name"]}
    elif what == "reclaim":
        body["confirm"] = row["name"]
    path = f"vms/{row['id']}/orders"
    if dry_run:
        answer = plan.ask(client, "POST", path, dry_run, body=body)
        plan.show(answer, f"{plan.target(VM, row)}: {what} would be ordered:", row)
        return
    if not yes:
        _sure(f"{what} of {plan.target(VM, row)}" + (f", disk {plain(body['confirm'])}" if disk else ""))
    client.post(path, body)
    say(f"{plan.target(VM, row)}: {what} ordered.")


def _sure(what: str) -> None:
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, "There is no terminal to ask on: say --yes if you mean it. Nothing was ordered.")
    if not click.confirm(f"Order {what}?", err=True):
        raise CliError(Exit.FAILED, "Nothing was ordered.")
