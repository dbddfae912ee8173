"""`ovim config`: the servers you know, as whom, and in which organization and VDC you mostly work."""

from dataclasses import replace
from typing import Any

import click

from cli.config import Context, Contexts, changing, clean_server
from cli.errors import CliError, Exit
from cli.output import GAP, emit, plain, say
from cli.sign_in import with_trust
from cli.tokens import Tokens


def _known(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [name for name in sorted(Contexts.load().by_name) if name.startswith(begun)]


name_argument = click.argument("name", shell_complete=_known)


@click.group()
def config() -> None:
    """Contexts: servers, as whom, and where in them."""


@config.command("get-contexts")
@click.option("-o", "--output", "style", type=click.Choice(("table", "name")), default="table", show_default=True)
def get_contexts(style: str) -> None:
    """List them; * marks the current one."""
    contexts = Contexts.load()
    rows = [("", "NAME", "SERVER", "USER", "ORG", "VDC")]
    for name, context in sorted(contexts.by_name.items()):
        if style == "name":
            emit(plain(name))
            continue
        mark = "*" if name == contexts.current else ""
        rows.append((mark, name, context.server, context.username, context.org, context.vdc))
    if style == "name" or len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        emit(GAP.join(cells).rstrip())


@config.command("current-context")
def current_context() -> None:
    """Print its name."""
    emit(Contexts.load().pick(None).name)


@config.command("use-context")
@name_argument
def use_context(name: str) -> None:
    """Make NAME the current context."""
    with changing() as contexts:
        contexts.current = contexts.pick(name).name
    say(f"Now in {name}.")


@config.command("set-context")
@click.argument("name", required=False, shell_complete=_known)
@click.option("--server", metavar="URL", help="https://HOST: of a new context, or of one that was given up.")
@click.option("--username", metavar="NAME")
@click.option("--org", metavar="ORG", help='Where names are looked for; "" takes it away.')
@click.option("--vdc", metavar="[ORG/]VDC", help='Where VMs are looked for and made; "" takes it away.')
@click.option("--ca-file", metavar="FILE", help="Trust the authorities in this PEM file instead of the system's.")
@click.option("--client-certificate", "client_cert", metavar="FILE", help="Your own certificate, if the server asks.")
@click.option("--client-key", metavar="FILE", help="The key of it.")
@click.option("--insecure-skip-tls-verify/--secure", "insecure", default=None, help="Trust anybody. Said at every use.")
@click.option("--live-server", metavar="URL", help="Where the live stream is, if not at the server.")
@click.pass_obj
def set_context(context_name: str | None, /, name: str | None, server: str | None, **given: Any) -> None:
    """Change the context NAME (default: the current one), or make it."""
    with changing() as contexts:
        wanted = name or context_name or contexts.current
        if not wanted:
            raise CliError(Exit.USAGE, "Which context? ovim config set-context NAME --server URL")
        context = contexts.by_name.get(wanted)
        if context is None:
            if server is None:
                raise CliError(Exit.NOT_FOUND, f"There is no context {wanted!r}. To make it, give --server.")
            context = Context(wanted, clean_server(server))
        elif server is not None and clean_server(server) != context.server:
            Tokens(wanted).forget()  # they belong to the old server and must not be shown to another
            context = replace(context, server=clean_server(server))
        told = {key: given[key] for key in ("username", "org", "vdc") if given[key] is not None}
        insecure = context.insecure if given["insecure"] is None else given["insecure"]
        contexts.by_name[wanted] = with_trust(replace(context, **told), given | {"insecure": insecure})
        contexts.current = contexts.current or wanted
    say(f"Context {wanted} is set.")


@config.command("delete-context")
@name_argument
def delete_context(name: str) -> None:
    """Forget NAME and its tokens. To end the session on the server too, log out first."""
    with changing() as contexts:
        contexts.pick(name)
        Tokens(name).forget()
        del contexts.by_name[name]
        contexts.current = "" if contexts.current == name else contexts.current
    say(f"Forgot {name}.")
