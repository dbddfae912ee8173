"""`ovim doctor`: from the context to the rights, what works and what does not, each with a sentence and what to do."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import click

from cli import __version__
from cli.client import Client, Row
from cli.config import SIGN_IN, Context, Contexts, is_plain
from cli.errors import CliError, Exit
from cli.output import emit, plain, structured
from cli.stream import address
from cli.wire import Wire

SECONDS = 10.0
MOST_SKEW = 30.0  # tokens are good for minutes; beyond this they seem to be over too early or too late


@dataclass(frozen=True)
class Finding:
    """One check. `state`: ok, warning, failed or skipped (something before it failed)."""

    check: str
    state: str
    message: str
    hint: str = ""
    code: Exit = Exit.OK


class Wrong(Exception):
    """A check that failed."""

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.FAILED, *, warning: bool = False) -> None:
        super().__init__(message)
        self.message, self.hint, self.code, self.warning = message, hint, code, warning


@click.command()
@click.option(
    "-o", "--output", "style", type=click.Choice(("table", "json", "yaml")), default="table", show_default=True
)
@click.pass_obj
def doctor(context_name: str | None, /, style: str) -> None:
    """Check everything between here and there. The exit code is that of the first thing that is wrong."""
    found = Examination(context_name).findings()
    if style == "table":
        for item in found:
            emit(plain(f"{item.state:<8} {item.check}: {item.message}"))
            if item.hint:
                emit(plain(f"{'':<8} → {item.hint}"))
    else:
        lines = [{key: getattr(item, key) for key in ("check", "state", "message", "hint")} for item in found]
        emit(structured({"checks": lines}, style))
    wrong = next((item for item in found if item.state == "failed"), None)
    if wrong is not None:
        raise click.exceptions.Exit(wrong.code)


class Examination:
    """The checks in order. Each answers a sentence or raises Wrong; after one that failed, what needs it is skipped."""

    def __init__(self, context_name: str | None) -> None:
        self._name = context_name
        self._context: Context | None = None
        self._me: Row = {}

    @property
    def context(self) -> Context:
        assert self._context is not None, "no check runs after the first has failed"
        return self._context

    def findings(self) -> list[Finding]:
        checks: list[tuple[str, Callable[[], str]]] = [
            ("context", self.check_context),
            ("address", self.check_address),
            ("connection", self.check_connection),
            ("server", self.check_alive),
            ("readiness", self.check_ready),
            ("version", self.check_version),
            ("clock", self.check_clock),
            ("token", self.check_token),
            ("rights", self.check_rights),
            ("live stream", self.check_live),
        ]
        found: list[Finding] = []
        for name, check in checks:
            needed = BASIC | NEEDS.get(name, set())
            if any(item.state == "failed" and item.check in needed for item in found):
                found.append(Finding(name, "skipped", "what it needs does not work"))
            else:
                found.append(_finding(name, check))
        return found

    def check_context(self) -> str:
        self._context = Contexts.load().pick(self._name)
        where = " ".join(part for part in (self.context.org, self.context.vdc) if part)
        told = f"{self.context.name}: {self.context.server}" + (f", in {where}" if where else "")
        if is_plain(self.context.server):
            raise Wrong(f"{told}, not encrypted", "Use https.", warning=True)
        if self.context.insecure:
            raise Wrong(f"{told}, its certificate is not checked", "ovim config set-context --secure", warning=True)
        return told

    def check_address(self) -> str:
        host = urlsplit(self.context.server).hostname or ""
        try:
            found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
        except OSError as error:
            raise Wrong(f"{host} has no address: {error.strerror}.", "Check the name, and the network.",
                        Exit.UNREACHABLE) from None  # fmt: skip
        return f"{host} is {', '.join(sorted(found))}"

    def check_connection(self) -> str:
        """TCP, and TLS as the context trusts it: what requests do, so that a proxy is not passed by."""
        began = time.monotonic()
        self._look("/healthz")
        secure = "encrypted" if self.context.server.startswith("https:") else "plain"
        return f"answers ({secure}, {(time.monotonic() - began) * 1000:.0f} ms with the connection)"

    def check_alive(self) -> str:
        status, _, _ = self._look("/healthz")
        if status != 200:
            raise Wrong(
                f"/healthz answers {status}.", "Is it OVIM's address? ovim config get-contexts", Exit.UNREACHABLE
            )
        return "the web server lives"

    def check_ready(self) -> str:
        import json  # noqa: PLC0415  # with urllib3, which has loaded it

        status, _, data = self._look("/readyz")
        try:
            parts: dict[str, Any] = json.loads(data)["parts"]
        except (ValueError, KeyError, TypeError):
            raise Wrong(f"/readyz answers {status} and not what OVIM says there.", "Is it OVIM's address?",
                        Exit.UNREACHABLE) from None  # fmt: skip
        bad = [f"{name} {state}" for name, state in parts.items() if state != "ok"]
        if status != 200:
            raise Wrong("; ".join(bad) or f"not ready ({status})", "Tell whoever runs the server.", Exit.UNREACHABLE)
        if bad:
            raise Wrong("; ".join(bad), "It serves nevertheless. Tell whoever runs the server.", warning=True)
        return "it can serve: " + ", ".join(parts)

    def check_version(self) -> str:
        """The API's version is in its address; this command speaks v1."""
        body = Wire(self.context, SECONDS).send("GET", "auth/info").body
        methods = ", ".join(body.get("methods") or ()) or "none"
        return f"API v1, this command is {__version__}; ways to sign in: {methods}"

    def check_clock(self) -> str:
        _, headers, _ = self._look("/healthz")
        if "Date" not in headers:
            raise Wrong("the server does not tell its time", warning=True)
        skew = time.time() - parsedate_to_datetime(headers["Date"]).timestamp()
        if abs(skew) > MOST_SKEW:
            which = "ahead of" if skew > 0 else "behind"
            raise Wrong(f"this machine is {abs(skew):.0f} s {which} the server", "Set the clock (NTP).")
        return "this machine and the server agree"

    def check_token(self) -> str:
        self._me = Client(self.context, SECONDS).get("me")
        return f"good; you are {self._me['username']}"

    def check_rights(self) -> str:
        rights = self._me.get("rights") or ()
        if not rights:
            raise Wrong("you have no role anywhere, so there is nothing you can see",
                        "An admin of your organization can bind you one.", Exit.NOT_ALLOWED)  # fmt: skip
        levels = sorted({str(grant["level"]) for grant in self._me.get("grants") or ()})
        return f"{len(rights)} rights, at the level {' and '.join(levels)}"

    def check_live(self) -> str:
        client = Client(self.context, SECONDS)
        try:
            url = f"{address(client)}/live/v1/stream"
            next(client.wire.listen(url, client.bearer()))
        except (CliError, StopIteration) as error:
            reason = error.lines[0] if isinstance(error, CliError) else "it ends at once"
            raise Wrong(f"{reason} --watch asks every 2 s instead.",
                        "If it is elsewhere: ovim config set-context --live-server URL", warning=True) from None  # fmt: skip
        return "it speaks"

    def _look(self, path: str) -> Any:
        return Wire(self.context, SECONDS).look(path)


BASIC = {"context", "address", "connection", "server"}
NEEDS = {"token": {"readiness"}, "rights": {"readiness", "token"}, "live stream": {"readiness", "token"}}


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", check())
    except Wrong as wrong:
        state = "warning" if wrong.warning else "failed"
        return Finding(name, state, wrong.message, wrong.hint, Exit.OK if wrong.warning else wrong.code)
    except CliError as error:
        first, *more = error.lines
        hint = " ".join(more) or (SIGN_IN if error.code == Exit.NOT_ALLOWED else "")
        return Finding(name, "failed", first, hint, error.code)
