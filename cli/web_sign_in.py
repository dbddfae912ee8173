"""`ovim login --web`: the person signs in in a browser and confirms a code; the command waits for it (RFC 8628)."""

import re
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CliError, Exit, Problem
from cli.output import say
from cli.wire import Answer, Wire

SLOWER_SECONDS = 5  # by so much the pause grows each time that the server says slow_down
LONGEST_SECONDS = 60.0  # between two questions, while the server can't be reached
ENDED = ("access_denied", "expired_token", "invalid_grant")
AGAIN = "Begin anew with: ovim login --web"


def by_browser(wire: Wire, *, opens: bool) -> Answer:
    """The tokens, as soon as somebody has confirmed the code. `opens`: a browser, if this is a terminal."""
    told = _begun(wire)
    page, code = str(told["verification_uri_complete"]), str(told["user_code"])
    if urlsplit(page).scheme not in ("http", "https"):
        raise CliError(Exit.FAILED, f"The server sends you to {page}, which is no page.")
    say(f"Open {page}")
    say(f"and sign in there. Confirm it if the page shows this code: {code}")
    if opens and sys.stderr.isatty():
        _open(page)
    until = time.monotonic() + told["expires_in"]
    return _waited_for(wire, str(told["device_code"]), float(told["interval"]), until)


def is_possible(wire: Wire) -> bool:
    """Whether the server says so; no word from it is none."""
    try:
        return "device" in (wire.send("GET", "auth/info").body.get("methods") or ())
    except CliError:
        return False


def _begun(wire: Wire) -> dict[str, Any]:
    try:
        body: dict[str, Any] = wire.send("POST", "auth/device", body={"host": _host()}).body
    except Problem as problem:
        if problem.status != 404:
            raise
        raise CliError(Exit.FAILED, "This server does not know it: sign in by password, without --web.") from None
    return body


def _host() -> str:
    """What this machine is called, of it what may be shown."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-._")
    return name[:64] or "unknown"


def _open(page: str) -> None:
    import webbrowser  # noqa: PLC0415  # it looks for browsers as it is imported

    webbrowser.open(page)


def _waited_for(wire: Wire, secret: str, pause: float, until: float) -> Answer:
    """Asked for again and again, as often as the server wants. It says when there is nothing to wait for any more;
    while it can't be reached, `until` does (in seconds of `time.monotonic`)."""
    while True:
        time.sleep(pause)
        try:
            return wire.send("POST", "auth/device/token", body={"device_code": secret})
        except CliError as error:
            name = error.name if isinstance(error, Problem) else ""
            if error.code == Exit.UNREACHABLE and time.monotonic() < until:
                pause = min(pause * 2, LONGEST_SECONDS)  # RFC 8628, 3.5
            elif name == "slow_down":
                pause += SLOWER_SECONDS
            elif name != "authorization_pending":
                code = Exit.NOT_ALLOWED if name in ENDED else error.code
                raise CliError(code, *error.lines, AGAIN) from None
