"""`ovim login`, `logout` and `config`: which server, and as whom. Passwords come from a prompt or stdin, never from argv."""

import os
import sys
from urllib.parse import urlsplit

import click

from cli.client import Client, pair_of
from cli.config import Context, Contexts, Tokens, changing
from cli.errors import CliError, Exit
from cli.output import emit, plain, say
from cli.wire import Wire, clean_server, is_plain


@click.command()
@click.option("--server", metavar="URL", envvar="OVIM_SERVER", help="https://HOST. Default: the current context's.")
@click.option("--username", metavar="NAME", help="Default: the context's, else it is asked for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin's first line.")
@click.option("--ca-file", metavar="FILE", help="Trust the authorities in this PEM file instead of the system's.")
@click.option("--context", "name", metavar="NAME", help="What to call this server. Default: its host and port.")
def login(
    server: str | None, username: str | None, password_stdin: bool, ca_file: str | None, name: str | None
) -> None:
    """Sign in to a server and make it the current context."""
    context = _context(server, username, ca_file, name)
    if is_plain(context.server):
        say(f"Warning: {context.server} is not encrypted: your password can be read on the way.")
    username = context.username or _asked("User name")
    password = _password(password_stdin)
    wire = Wire(context.server, context.ca_file)
    answer = wire.send("POST", "auth/login", body={"username": username, "password": password})
    signed_in = str(answer.body["user"]["username"])
    tokens = Tokens(context.name)
    with tokens.lock():
        tokens.save(pair_of(answer.body))
    with changing() as contexts:
        contexts.by_name[context.name] = Context(context.name, context.server, signed_in, context.ca_file)
        contexts.current = context.name
    say(f"Signed in to {context.server} as {signed_in}.")


def _context(server: str | None, username: str | None, ca_file: str | None, name: str | None) -> Context:
    """What was given, filled up from the context of that name."""
    contexts = Contexts.load()
    if server is None:
        if not (name or contexts.current):
            raise CliError(Exit.USAGE, "Which server? ovim login --server https://HOST")
        known = contexts.pick(name)
    else:
        address = clean_server(server)
        name = name or urlsplit(address).netloc
        known = contexts.by_name.get(name) or Context(name, address)
        if known.server != address:  # that name's user and authorities were another server's
            known = Context(name, address)
    trusted = os.path.abspath(ca_file) if ca_file else known.ca_file
    return Context(known.name, known.server, username or known.username, trusted)


def _asked(what: str, *, hidden: bool = False) -> str:
    if not sys.stdin.isatty():
        option = "--password-stdin" if hidden else "--username"
        raise CliError(Exit.USAGE, f"There is no terminal to ask on: give {option}.")
    answer: str = click.prompt(what, hide_input=hidden, err=True)
    return answer


def _password(from_stdin: bool) -> str:
    if not from_stdin:
        return _asked("Password", hidden=True)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CliError(Exit.USAGE, "There is no password on stdin.")
    return password


@click.command()
@click.pass_obj
def logout(context_name: str | None) -> None:
    """End the session, on the server and here."""
    context = Contexts.load().pick(context_name)
    try:
        Client(context).sign_out()
    except CliError as error:
        if error.code == Exit.NOT_ALLOWED:  # it had ended already, which is what was wanted
            say(f"Signed out of {context.server}.")
            return
        raise CliError(
            error.code, *error.lines, "You are signed out here, but the session may live on there."
        ) from None
    say(f"Signed out of {context.server}.")


@click.group()
def config() -> None:
    """Contexts: the servers you have signed in to."""


@config.command("get-contexts")
def get_contexts() -> None:
    """List them; * marks the current one."""
    contexts = Contexts.load()
    for name in sorted(contexts.by_name):
        context = contexts.by_name[name]
        mark = "*" if name == contexts.current else " "
        emit(plain(f"{mark} {name}   {context.server}   {context.username}").rstrip())


@config.command("current-context")
def current_context() -> None:
    """Print its name."""
    emit(Contexts.load().pick(None).name)


@config.command("use-context")
@click.argument("name")
def use_context(name: str) -> None:
    """Make NAME the current context."""
    with changing() as contexts:
        contexts.current = contexts.pick(name).name
    say(f"Now in {name}.")


@config.command("delete-context")
@click.argument("name")
def delete_context(name: str) -> None:
    """Forget NAME and its tokens. To end the session on the server too, log out first."""
    with changing() as contexts:
        contexts.pick(name)
        Tokens(name).forget()
        del contexts.by_name[name]
        contexts.current = "" if contexts.current == name else contexts.current
    say(f"Forgot {name}.")
