"""`ovim login` and `logout`. Passwords come from a prompt or stdin, never from argv."""

import os
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import click

from cli.client import Client, pair_of
from cli.config import Context, Contexts, changing, clean_server, is_plain
from cli.errors import CliError, Exit, Problem
from cli.output import say
from cli.tokens import Tokens
from cli.web_sign_in import by_browser, is_possible
from cli.wire import Answer, Wire


@click.command()
@click.option("--server", metavar="URL", envvar="OVIM_SERVER", help="https://HOST. Default: the current context's.")
@click.option("--username", metavar="NAME", help="Default: the context's, else it is asked for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin's first line.")
@click.option("--code", metavar="CODE", help="Of your second factor. Without it it is asked for, if it is needed.")
@click.option("--ca-file", metavar="FILE", help="Trust the authorities in this PEM file instead of the system's.")
@click.option("--client-certificate", "client_cert", metavar="FILE", help="Your own certificate, if the server asks.")
@click.option("--client-key", metavar="FILE", help="The key of it.")
@click.option("--insecure-skip-tls-verify", "insecure", is_flag=True, help="Trust anybody. Said at every use.")
@click.option("--live-server", metavar="URL", help="Where the live stream is, if not at the server.")
@click.option("--web", is_flag=True, help="Sign in by a browser, in whichever way your organization has.")
@click.option("--no-browser", is_flag=True, help="With --web: open none, print the address only.")
@click.option("--no-keyring", is_flag=True, help="Keep the tokens in a file even where there is a keyring.")
@click.option("--context", "name", metavar="NAME", help="What to call this server. Default: its host and port.")
def login(
    *,
    server: str | None,
    username: str | None,
    password_stdin: bool,
    code: str | None,
    web: bool,
    no_browser: bool,
    no_keyring: bool,
    name: str | None,
    **trust: Any,
) -> None:
    """Sign in to a server and make it the current context."""
    if web and (username or password_stdin or code):
        raise CliError(Exit.USAGE, "With --web you sign in in the browser: leave user name, password and code out.")
    context = _context(server, username, name, trust)
    if is_plain(context.server):
        what = "tokens" if web else "password"
        say(f"Warning: {context.server} is not encrypted: your {what} can be read on the way.")
    answer = by_browser(Wire(context), opens=not no_browser) if web else _by_password(context, password_stdin, code)
    _keep(context, answer, no_keyring)


def _by_password(context: Context, from_stdin: bool, code: str | None) -> Answer:
    username = context.username or _asked("User name")
    password = _password(from_stdin)
    wire = Wire(context)
    try:
        return _signed_in(wire, {"username": username, "password": password}, code)
    except Problem as problem:
        if problem.name != "unauthenticated" or not is_possible(wire):
            raise
        hint = "Do you sign in by your organization's provider? Then: ovim login --web"
        raise CliError(problem.code, *problem.lines, hint) from None


def _keep(context: Context, answer: Answer, no_keyring: bool) -> None:
    signed_in = str(answer.body["user"]["username"])
    tokens = Tokens(context.name)
    with tokens.lock():
        kept = tokens.save(pair_of(answer.body), in_keyring=not no_keyring)
    with changing() as contexts:
        contexts.by_name[context.name] = replace(context, username=signed_in)
        contexts.current = context.name
    where = "your keyring" if kept == "keyring" else "a file that only you can read"
    say(f"Signed in to {context.server} as {signed_in}. The tokens are in {where}.")


def _signed_in(wire: Wire, body: dict[str, str], code: str | None) -> Answer:
    """With a code of the second factor, if the server wants one: it is asked for only then."""
    try:
        return wire.send("POST", "auth/login", body=body | ({"code": code} if code else {}))
    except Problem as problem:
        if problem.name != "second_factor_required":
            raise
        if not sys.stdin.isatty():
            raise CliError(problem.code, *problem.lines, "There is no terminal to ask on: give --code.") from None
    code = _asked("Code of your authenticator app (or a recovery code)")
    return wire.send("POST", "auth/login", body=body | {"code": code})


def _context(server: str | None, username: str | None, name: str | None, trust: dict[str, Any]) -> Context:
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
    return with_trust(replace(known, username=username or known.username), trust)


def with_trust(context: Context, given: dict[str, Any]) -> Context:
    """With the files as absolute paths: the next command may be run from elsewhere."""
    found = {key: os.path.abspath(given[key]) for key in ("ca_file", "client_cert", "client_key") if given.get(key)}
    if given.get("live_server"):
        found["live_server"] = clean_server(given["live_server"])
    return replace(context, **found, insecure=bool(given.get("insecure")))


def _asked(what: str, *, hidden: bool = False, again: bool = False) -> str:
    if not sys.stdin.isatty():
        option = "--password-stdin" if hidden else "--username"
        raise CliError(Exit.USAGE, f"There is no terminal to ask on: give {option}.")
    answer: str = click.prompt(what, hide_input=hidden, confirmation_prompt=again, err=True)
    return answer


def _password(from_stdin: bool, *, again: bool = False) -> str:
    if not from_stdin:
        return _asked("Password", hidden=True, again=again)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CliError(Exit.USAGE, "There is no password on stdin.")
    return password


def new_password(from_stdin: bool) -> str:
    return _password(from_stdin, again=True)


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
