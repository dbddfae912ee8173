"""Machines that OVIM did not make: `ovim get unmanaged` lists a VDC's, `ovim adopt` takes one over."""

import sys
from typing import Any
from urllib.parse import quote

import click

from cli import names, plan
from cli.cells import age, flag, text, whole
from cli.client import Client, client_of
from cli.errors import CliError, Exit, amount
from cli.names import Scope
from cli.nouns import NOUNS, Noun
from cli.options import dry_run, scoped, where
from cli.output import emit_value, is_structured, plain, say, show

VDC = NOUNS["vdcs"]
UNMANAGED = "unmanaged"
# What a row of the list shows; it has no address of its own.
MACHINE = Noun(
    "unmanaged VM",
    "unmanaged",
    (UNMANAGED,),
    {
        "NAME": text("name"),
        "STATE": text("phase"),
        "CPU": whole("cpu"),
        "MEMORY": whole("memory_mib"),
        "DISK": whole("disk_gib"),
        "MADE BY": text("made_by"),
        "AGE": age("made_at"),
    },
    {
        "RUNNING": flag("running"),
        "DISKS": lambda row: ",".join(row["disks"]),
        "UID": text("uid"),
        "UNFIT": lambda row: " ".join(row["unfit"]),
    },
    text("name"),
    has_detail=False,
)


def vdc_of(client: Client, place: Scope) -> str:
    """The VDC that is meant: --vdc, or the context's own."""
    name = place.vdc or client.context.vdc
    if not name:
        raise CliError(Exit.USAGE, "Of which VDC? Name it with --vdc.")
    return names.id_of(client, VDC, name, Scope(org=place.org))


def listed(client: Client, place: Scope, style: str, *, header: bool) -> None:
    """What OVIM did not make in a VDC, and how that and what is claimed add up."""
    found = client.get(f"vdcs/{vdc_of(client, place)}/unmanaged")
    if is_structured(style):
        emit_value([found], style, one=True)
        return
    show(MACHINE, found["machines"], style, header=header)
    for item in found["measures"]:
        resource = item["resource"]
        parts = [f"{word} {amount(resource, item[word])}" for word in ("claimed", "measured", "unmanaged")]
        limit = "no limit" if item["limit"] is None else f"limit {amount(resource, item['limit'])}"
        say(f"  {resource}: {', '.join(parts)}, {limit}")
    for line in found["why"]:
        say(f"  {line}")


@click.command()
@click.argument("name", metavar="[[ORG/]VDC/]VM")
@scoped
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@dry_run
@click.pass_obj
def adopt(context_name: str | None, /, *, name: str, yes: bool, dry_run: str | None, **options: Any) -> None:
    """Take a virtual machine over that OVIM did not make. It runs on as it is."""
    place, (vdc, _, machine) = where(options), name.rpartition("/")
    if vdc and (place.vdc or place.org):
        raise CliError(Exit.USAGE, f"{name!r} says already what --vdc or --org says: leave one of them out.")
    client = client_of(context_name)
    path = f"vdcs/{vdc_of(client, Scope(vdc) if vdc else place)}/unmanaged/{quote(machine, safe='')}/adopt"
    if dry_run or not yes:
        answer = plan.ask(client, "POST", path, dry_run or "server", body={})
        _tell(machine, answer)
        if dry_run:
            return
        _sure(machine)
    vm = client.post(path, {})
    say(f"vm {NOUNS['vms'].full_name(vm)} is OVIM's now.")


def _tell(machine: str, answer: dict[str, Any]) -> None:
    plan.show(answer, f"{plain(machine)} would be adopted:")
    for ref in answer["row"]["objects"]:
        say(f"  becomes OVIM's: {ref}")
    for path in answer["row"]["as_is"]:
        say(f"  stays as it is: {path}")


def _sure(machine: str) -> None:
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, "There is no terminal to ask on: say --yes if you mean it. Nothing was adopted.")
    if not click.confirm(f"Adopt {plain(machine)}?", err=True):
        raise CliError(Exit.FAILED, "Nothing was adopted.")
