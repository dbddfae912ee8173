"""`ovim create`, `start`, `stop`, `delete` and `wait`: verbs on VMs. Each says on stderr what it did."""

import sys
from typing import Any

import click

from cli import names
from cli.client import Client, Row
from cli.errors import CliError, Exit
from cli.nouns import NOUNS
from cli.output import plain, say, show
from cli.read import client_of, output
from cli.waiting import Wish, wait

VM = NOUNS["vms"]
LARGEST_FILE = 256 * 1024
TIMEOUT = 120.0

waiting = click.option("--wait", "wants_wait", is_flag=True, help="Wait until it is done.")
timeout_option = click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(min=0), default=TIMEOUT, show_default=True
)
vdc_option = click.option("--vdc", metavar="[ORG/]VDC", help="The VDC the names are in.")
org_option = click.option("--org", metavar="ORG", help="The organization the names are in.")
vm_names = click.argument("wanted", metavar="[[ORG/]VDC/]NAME...", nargs=-1, required=True)


@click.group()
def create() -> None:
    """Make something."""


@create.command("vm")
@click.argument("name")
@click.option("--vdc", metavar="[ORG/]VDC", required=True, help="Where.")
@click.option("--item", metavar="[CATALOG/]ITEM", help="From this catalog item; what is not given is taken from it.")
@click.option("--image-url", metavar="URL", help="From this image, instead of an item.")
@click.option("--cpu", metavar="N", help="vCPUs.")
@click.option("--memory", metavar="SIZE", help="2Gi, 512Mi.")
@click.option("--disk", metavar="SIZE", help="20Gi.")
@click.option("--storage-class", metavar="NAME", help="Of the disk. Default: the cluster's.")
@click.option(
    "--ssh-key", "ssh_keys", metavar="FILE", type=click.File("r"), multiple=True, help="Public keys, one a line."
)
@click.option("--user-data", metavar="FILE", type=click.File("r"), help="Cloud-init user data; - is stdin.")
@click.option("--display-name", metavar="TEXT")
@click.option("--description", metavar="TEXT")
@click.option("--stopped", is_flag=True, help="Do not start it.")
@waiting
@timeout_option
@click.option("-o", "--output", "style", type=click.Choice(("json", "yaml", "name")), help="Print what was made.")
@click.pass_obj
def create_vm(
    context_name: str | None,
    /,
    *,
    name: str,
    vdc: str,
    item: str | None,
    image_url: str | None,
    stopped: bool,
    wants_wait: bool,
    timeout: float,
    style: str | None,
    **given: Any,
) -> None:
    """Make a virtual machine and start it."""
    if bool(item) == bool(image_url):
        raise CliError(Exit.USAGE, "Say what it is made from: --item, or --image-url.")
    body = _body(given) | {"name": name} | ({"power_state": "off"} if stopped else {})
    client = client_of(context_name)
    body["vdc"] = names.find(client, NOUNS["vdcs"], vdc)["id"]
    if item:
        body["catalog_item"] = names.find(client, NOUNS["items"], item)["id"]
    else:
        body["image_url"] = image_url
    vm = client.post("vms", body)
    say(f"vm {VM.full_name(vm)} created.")
    try:
        if wants_wait:
            vm = _waited(client, vm, Wish("phase", "Stopped" if stopped else "Running"), timeout) or vm
    finally:
        if style:
            show(VM, [vm], style, one=True)


def _body(given: dict[str, Any]) -> dict[str, Any]:
    """What was given, as the API takes it; sizes go as they were written, for the server to read them exactly."""
    body = {key: value for key, value in given.items() if value is not None and key not in ("ssh_keys", "user_data")}
    keys = [line.strip() for file in given["ssh_keys"] for line in _content(file).splitlines()]
    keys = [line for line in keys if line and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in keys):
        raise CliError(Exit.USAGE, "--ssh-key names a private key: give the public one (.pub). Nothing was sent.")
    if keys:
        body["ssh_keys"] = keys
    if given["user_data"] is not None:
        body["user_data"] = _content(given["user_data"])
    return body


def _content(file: Any) -> str:
    try:
        text: str = file.read(LARGEST_FILE + 1)
    except UnicodeDecodeError:
        raise CliError(Exit.USAGE, f"{file.name} is not text.") from None
    if len(text) > LARGEST_FILE:
        raise CliError(Exit.USAGE, f"{file.name} is too large.")
    return text


@click.group()
def start() -> None:
    """Start something."""


@start.command("vm")
@vm_names
@vdc_option
@org_option
@waiting
@timeout_option
@click.pass_obj
def start_vm(context_name: str | None, /, **options: Any) -> None:
    """Start virtual machines."""
    _power(context_name, "start", Wish("phase", "Running"), **options)


@click.group()
def stop() -> None:
    """Stop something."""


@stop.command("vm")
@vm_names
@vdc_option
@org_option
@waiting
@timeout_option
@click.pass_obj
def stop_vm(context_name: str | None, /, **options: Any) -> None:
    """Stop virtual machines."""
    _power(context_name, "stop", Wish("phase", "Stopped"), **options)


def _power(
    context_name: str | None,
    verb: str,
    wish: Wish,
    *,
    wanted: tuple[str, ...],
    vdc: str | None,
    org: str | None,
    wants_wait: bool,
    timeout: float,
) -> None:
    client = client_of(context_name)
    done = []
    for found in [names.find(client, VM, name, vdc=vdc, org=org) for name in wanted]:
        done.append(client.post(f"vms/{found['id']}/{verb}"))
        say(f"vm {VM.full_name(found)} told to {verb}.")
    for vm in done if wants_wait else ():
        _waited(client, vm, wish, timeout)


@click.group()
def delete() -> None:
    """Delete something, with its data."""


@delete.command("vm")
@vm_names
@vdc_option
@org_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@waiting
@timeout_option
@click.pass_obj
def delete_vm(
    context_name: str | None,
    /,
    *,
    wanted: tuple[str, ...],
    vdc: str | None,
    org: str | None,
    yes: bool,
    wants_wait: bool,
    timeout: float,
) -> None:
    """Delete virtual machines and their disks, for good."""
    client = client_of(context_name)
    rows = [names.find(client, VM, name, vdc=vdc, org=org) for name in wanted]
    if not yes:
        _confirm(rows)
    for row in rows:
        client.delete(f"vms/{row['id']}")
        say(f"vm {VM.full_name(row)} is being deleted.")
    for row in rows if wants_wait else ():
        _waited(client, row, Wish("deleted"), timeout)


def _confirm(rows: list[Row]) -> None:
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, "There is no terminal to ask on: say --yes if you mean it. Nothing was deleted.")
    which = ", ".join(plain(VM.full_name(row)) for row in rows)
    if not click.confirm(f"Delete {which} and all disks of it?", err=True):
        raise CliError(Exit.FAILED, "Nothing was deleted.")


@click.group("wait")
def wait_for() -> None:
    """Wait until something is as wanted."""


@wait_for.command("vm")
@click.argument("name", metavar="[[ORG/]VDC/]NAME")
@click.option("--for", "wish", metavar="WISH", required=True, help="phase=Running, condition=Ready[=False] or deleted.")
@vdc_option
@org_option
@timeout_option
@output
@click.pass_obj
def wait_vm(
    context_name: str | None, /, *, name: str, wish: str, vdc: str | None, org: str | None, timeout: float, style: str
) -> None:
    """Wait for one virtual machine; then show it."""
    wanted = Wish.parse(wish)
    client = client_of(context_name)
    try:
        vm = names.find(client, VM, name, vdc=vdc, org=org)
    except CliError as error:
        if wanted.kind == "deleted" and error.code == Exit.NOT_FOUND:
            say(f"There is no vm {name}.")
            return
        raise
    row = _waited(client, vm, wanted, timeout)
    if row is not None:
        show(VM, [row], style, one=True)


def _waited(client: Client, vm: Row, wish: Wish, timeout: float) -> Row | None:
    row = wait(client, vm, wish, timeout)
    say(f"vm {VM.full_name(vm)}: {wish}.")
    return row
