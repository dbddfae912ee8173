"""`ovim create`: from options, kind by kind, or from files of any kinds."""

from typing import Any

import click

from cli import create_access, names, plan
from cli.change import VM, waited
from cli.client import Client, Row, client_of
from cli.clusters import access_of, accessible
from cli.errors import CliError, Exit, Problem, told
from cli.making import make, one, org_of, show_made, show_plans, simple
from cli.nouns import NOUNS, Noun
from cli.options import dry_run, files, made_output, timeout, waits
from cli.output import emit, say, say_error
from cli.waiting import Wish

LARGEST_FILE = 256 * 1024
display_name = click.option("--display-name", metavar="TEXT")
description = click.option("--description", metavar="TEXT")
org_option = click.option("--org", metavar="ORG", help="Whose. Default: the context's.")


@click.group(invoke_without_command=True)
@files
@waits
@timeout
@dry_run
@made_output
@click.pass_context
def create(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    wants_wait: bool,
    timeout: float,
    dry_run: str | None,
    style: str | None,
) -> None:
    """Make things: of one kind by options, or what stands in files (-f)."""
    if ctx.invoked_subcommand is not None:
        if files:
            raise CliError(Exit.USAGE, "Make it from a file or by options, not both.")
        return
    if not files:
        raise CliError(Exit.USAGE, "What is to be made? ovim create vm NAME …, or ovim create -f FILE")
    from cli.bodies import read_files  # noqa: PLC0415  # YAML is slow to import

    objects = read_files(files)
    client = client_of(ctx.obj)
    _each(client, objects, wants_wait=wants_wait, timeout=timeout, dry_run=dry_run, style=style)


def _each(client: Client, objects: list[Any], **how: Any) -> None:
    """In their order, so that a VM may follow its VDC. One that is refused does not stop the others."""
    from cli.bodies import body_of  # noqa: PLC0415  # as above

    failed: CliError | None = None
    made: list[tuple[Noun, Row]] = []
    plans: list[Row] = []
    for noun, document in objects:
        try:
            body = body_of(client, noun, document)
            if how["dry_run"]:
                plans.append(plan.ask(client, "POST", noun.path, how["dry_run"], body=body))
                made.append((noun, plans[-1]["row"]))
            else:
                made.append((noun, make(client, noun, body)))
        except CliError as error:
            if error.code == Exit.UNREACHABLE:
                raise
            failed = _placed(error, noun, document) if isinstance(error, Problem) else error
            say_error(failed)
    if how["dry_run"]:
        show_plans(made, plans, how["style"])
    else:
        show_made(made, how["style"])
    for noun, row in made if how["wants_wait"] and not how["dry_run"] else ():
        if noun is VM:
            waited(client, noun, row, _made_wish(row), how["timeout"])
    if failed is not None:
        raise CliError(failed.code, f"{len(made)} of {len(objects)} {'fit' if how['dry_run'] else 'were made'}.")


def _placed(problem: Problem, noun: Noun, document: Any) -> CliError:
    """The refusal with the lines of the file that it is about."""
    first, *more = told(problem.status, problem.body, document.place)
    return CliError(problem.code, f"{document.place('')}{noun.words[0]} {document.value.get(noun.key)}: {first}", *more)


def _made_wish(vm: Row) -> Wish:
    return Wish("phase", "Stopped" if vm["power_state"] == "off" else "Running")


for command in create_access.COMMANDS:
    create.add_command(command)


@create.command("vm")
@click.argument("name")
@click.option("--vdc", metavar="[ORG/]VDC", help="Where. Default: the context's.")
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
@display_name
@description
@click.option("--stopped", is_flag=True, help="Do not start it.")
@waits
@timeout
@dry_run
@made_output
@click.pass_obj
def create_vm(
    context_name: str | None,
    /,
    *,
    vdc: str | None,
    item: str | None,
    image_url: str | None,
    stopped: bool,
    wants_wait: bool,
    timeout: float,
    dry_run: str | None,
    style: str | None,
    **given: Any,
) -> None:
    """Make a virtual machine and start it."""
    if bool(item) == bool(image_url):
        raise CliError(Exit.USAGE, "Say what it is made from: --item, or --image-url.")
    body = _body(given) | ({"power_state": "off"} if stopped else {})
    client = client_of(context_name)
    vdc = vdc or client.context.vdc
    if not vdc:
        raise CliError(Exit.USAGE, "Say where: --vdc [ORG/]VDC, or set the context's: ovim config set-context --vdc …")
    more = {"vdc": vdc, "catalog_item": item, "image_url": image_url}
    client, vm = one(context_name, VM, body | more, dry_run, style)
    if dry_run:
        return
    try:
        if wants_wait:
            vm = waited(client, VM, vm, _made_wish(vm), timeout) or vm
    finally:
        show_made([(VM, vm)], style)


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


@create.command("organization")
@click.argument("name")
@display_name
@description
@dry_run
@made_output
@click.pass_obj
def create_organization(context_name: str | None, /, **options: Any) -> None:
    """Make an organization."""
    body = {key: options[key] for key in ("name", "display_name", "description")}
    body["display_name"] = body["display_name"] or body["name"]
    simple(context_name, NOUNS["organizations"], options, **body)


@create.command("vdc")
@click.argument("name")
@org_option
@display_name
@description
@click.option("--limit", "limits", metavar="RESOURCE=N", multiple=True, help="cpu=8, memory_mib=16Gi, disk_gib=200.")
@click.option("--cluster", metavar="NAME", help="Default: the default cluster.")
@dry_run
@made_output
@click.pass_obj
def create_vdc(context_name: str | None, /, *, org: str | None, limits: tuple[str, ...], **options: Any) -> None:
    """Make a VDC."""
    body = {key: options[key] for key in ("name", "display_name", "description", "cluster")}
    simple(
        context_name,
        NOUNS["vdcs"],
        options,
        **body,
        organization=org_of(context_name, org, needed=True),
        limits=dict(_limit(pair) for pair in limits),
    )


def _limit(pair: str) -> tuple[str, int | str]:
    resource, equals, value = pair.partition("=")
    if not equals or not value:
        raise CliError(Exit.USAGE, f"--limit {pair}: write RESOURCE=N, like memory_mib=16Gi.")
    return resource, int(value) if value.isdigit() else value


@create.command("user")
@click.argument("username")
@org_option
@click.option("--full-name", metavar="TEXT")
@click.option("--email", metavar="ADDRESS")
@click.option("--password-stdin", is_flag=True, help="Read the first password from stdin's first line.")
@dry_run
@made_output
@click.pass_obj
def create_user(context_name: str | None, /, *, org: str | None, password_stdin: bool, **options: Any) -> None:
    """Make a user. The password is asked for, or read from stdin; it is never an option."""
    from cli.sign_in import new_password  # noqa: PLC0415  # only where it is asked for

    body = {key: options[key] for key in ("username", "full_name", "email")}
    whose = org_of(context_name, org, needed=False)
    simple(context_name, NOUNS["users"], options, **body, organization=whose, password=new_password(password_stdin))


@create.command("service-account")
@click.argument("name")
@org_option
@click.option("--for", "full_name", metavar="TEXT", help="What it is for.")
@dry_run
@made_output
@click.pass_obj
def create_service_account(context_name: str | None, /, *, org: str | None, **options: Any) -> None:
    """Make an account for a program: its user name is NAME@ORG. It needs a role and a token next."""
    body = {key: options[key] for key in ("name", "full_name")}
    simple(
        context_name, NOUNS["service-accounts"], options, **body, organization=org_of(context_name, org, needed=False)
    )


@create.command("token")
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 366), help="So long it is good. Default: 90.")
@click.option("--right", "rights", metavar="RIGHT", multiple=True, help="At most this, such as vm.view. Default: all.")
@click.option("--vdc", "vdcs", metavar="[ORG/]VDC", multiple=True, help="Only there. Default: everywhere.")
@click.option("--service-account", metavar="NAME", help="Whose it is to be. Default: your own.")
@dry_run
@click.pass_obj
def create_token(
    context_name: str | None, /, *, rights: tuple[str, ...], vdcs: tuple[str, ...], dry_run: str | None, **given: Any
) -> None:
    """Make an access token for a program. It is printed on stdout, this once; OVIM_TOKEN takes it."""
    client = client_of(context_name)
    body: Row = {key: value for key, value in given.items() if value is not None}
    if rights:
        body["rights"] = list(rights)
    if vdcs:
        body["vdcs"] = [names.id_of(client, NOUNS["vdcs"], name) for name in vdcs]
    if given["service_account"]:
        body["service_account"] = names.id_of(client, NOUNS["service-accounts"], given["service_account"])
    if dry_run:
        answer = plan.ask(client, "POST", "tokens", dry_run, body=body)
        plan.show(answer, f"access token {given['name']} would be created:")
        return
    made = client.post("tokens", body)
    say(f"token {made['name']} of {made['username']} created; it is good until {made['expires_at'][:10]}.")
    if made["token"] is None:
        raise CliError(Exit.FAILED, "It was made, but its secret was lost on the way: delete it and make another one.")
    emit(made["token"])


@create.command("cluster")
@click.argument("name")
@display_name
@click.option("--default", "is_default", is_flag=True, help="VDCs go there that name no cluster.")
@accessible
@dry_run
@made_output
@click.pass_obj
def create_cluster(context_name: str | None, /, *, name: str, **options: Any) -> None:
    """Register a cluster: by a kubeconfig, or by address and token. It is looked over first."""
    body = {"name": name, "display_name": options["display_name"], "is_default": options["is_default"] or None}
    simple(context_name, NOUNS["clusters"], options, **body, **access_of(options))
