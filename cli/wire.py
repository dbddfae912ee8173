"""HTTP: one request and its answer as JSON, or a sentence saying why there is none. Who asks is `cli.client`'s business."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click

from cli import __version__
from cli.config import LOOPBACK, Context
from cli.errors import CliError, Exit, Problem
from cli.output import say

if TYPE_CHECKING:
    import urllib3

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
QUIET_SECONDS = 40.0  # the live stream says something every 15 s
TRIES, LONGEST_PAUSE = 4, 60  # a server that asks for more patience than that is not waited for
KEY = "Idempotency-Key"
NOTHING_DONE = ("busy", "idempotency_in_progress")  # says so itself, of whatever was asked for


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


class Wire:
    """Requests to one server."""

    def __init__(self, context: Context, seconds: float = READ_SECONDS) -> None:
        self.server, self.context, self._seconds = context.server, context, seconds
        self._made: urllib3.PoolManager | None = None
        self._tries = TRIES if _is_patient() else 1

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        bearer: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer; Problem when it refuses. What the server asks to be sent again later is, a few times (`_pause`).

        So is a request whose answer was lost on the way, if it has an Idempotency-Key: it can't be done twice.
        """
        url = f"{self.server}/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        sent = self._headers(bearer) | dict(headers or {})
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        for left in reversed(range(self._tries)):
            try:
                raw = self._request(method, url, sent, data)
            except Lost as error:
                if KEY not in sent or not left:
                    raise
                self._wait(1, error.lines[0], left)
                continue
            pause = _pause(method, sent, raw) if left else None
            if pause is None:
                return self._answer(raw)
            self._wait(pause, _why(raw), left)
        raise AssertionError("unreachable: the last round returns or raises")

    def _wait(self, seconds: int, why: str, left: int) -> None:
        say(f"{why} Trying again in {seconds} s ({self._tries - left} of {self._tries - 1}).")
        time.sleep(seconds)

    def look(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """GET an address beside the API (/healthz), as it is: status, headers, content."""
        raw = self._request("GET", f"{self.server}{path}", self._headers(""), None)
        return raw.status, raw.headers, raw.data

    def listen(self, url: str, bearer: str) -> Iterator[str]:
        """The lines of a stream as they come, until it ends."""
        from urllib3 import Timeout  # noqa: PLC0415  # as `_pool`
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        headers = self._headers(bearer) | {"Accept": "text/event-stream"}
        how: dict[str, Any] = {
            "timeout": Timeout(connect=CONNECT_SECONDS, read=QUIET_SECONDS),
            "preload_content": False,
        }
        raw = self._request("GET", url, headers, None, **how)
        try:
            kind = raw.headers.get("Content-Type", "")
            if raw.status != 200 or "text/event-stream" not in kind:
                if "json" in kind:
                    raise Problem(raw.status, self._json(raw.status, raw.read()))
                raise CliError(Exit.UNREACHABLE, f"{url} is no live stream (status {raw.status}).")
            left = b""
            while chunk := raw.read1(65536):
                *lines, left = (left + chunk).split(b"\n")
                yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
        except (HTTPError, OSError) as error:
            raise unreachable(url, error) from None
        finally:
            raw.close()

    def download(self, path: str, query: Mapping[str, str], bearer: str) -> Iterator[bytes]:
        """A file in pieces, as they come. Problem before the first one when it is refused; Lost if it ends too soon."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as `_pool`

        url = f"{self.server}/api/v1/{path}?{urlencode(query)}"
        raw = self._request("GET", url, self._headers(bearer) | {"Accept": "*/*"}, None, preload_content=False)
        try:
            if raw.status != 200:
                raise Problem(raw.status, self._json(raw.status, raw.read()))
            yield from raw.stream(65536)
        except (HTTPError, OSError) as error:
            raise Lost(*unreachable(self.server, error).lines) from None
        finally:
            raw.close()

    def _headers(self, bearer: str) -> dict[str, str]:
        found = {"Accept": "application/json", "User-Agent": f"ovim/{__version__}"}
        return found | ({"Authorization": f"Bearer {bearer}"} if bearer else {})

    def _answer(self, raw: Any) -> Answer:
        if 300 <= raw.status < 400:
            target = raw.headers.get("Location", "another address")
            raise CliError(
                Exit.UNREACHABLE,
                f"{self.server} sends us on to {target}.",
                "If that is the right one, sign in there: ovim login --server URL",
            )
        answer = Answer(raw.status, raw.headers, self._json(raw.status, raw.data))
        if answer.status >= 300:
            raise Problem(answer.status, answer.body)
        return answer

    def _request(self, method: str, url: str, headers: Mapping[str, str], data: bytes | None, **how: Any) -> Any:
        from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError  # noqa: PLC0415  # as `_pool`

        try:
            # No redirects: a token goes to the server that was named and to no other.
            return self._pool().request(method, url, body=data, headers=headers, redirect=False, retries=False, **how)
        except (ProtocolError, ReadTimeoutError) as error:
            raise Lost(*unreachable(self.server, error).lines) from None
        except (HTTPError, OSError) as error:
            raise unreachable(self.server, error) from None

    def _json(self, status: int, data: bytes) -> Any:
        if not data:
            return {}
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        raise CliError(
            Exit.UNREACHABLE if status in (404, 502, 503, 504) or status < 300 else Exit.FAILED,
            f"{self.server} answered with status {status} and something that is not OVIM's API.",
            "Check the server's address (ovim config get-contexts).",
        )

    def _pool(self) -> "urllib3.PoolManager":
        if self._made is None:
            import urllib3  # noqa: PLC0415  # half of the start-up time, for what needs no server

            read = self._seconds
            options: dict[str, Any] = {"timeout": urllib3.Timeout(connect=min(CONNECT_SECONDS, read), read=read)}
            options |= _trust(self.context)
            if self.context.insecure:
                urllib3.disable_warnings()  # ours is said in `_trust`, once and in our words
            proxy = _proxy(self.server)
            self._made = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        return self._made


class Lost(CliError):
    """The request went out and no answer came: whether it was done is not known."""

    def __init__(self, *lines: str) -> None:
        super().__init__(Exit.UNREACHABLE, *lines)


def _trust(context: Context) -> dict[str, Any]:
    """Whom to trust, and the certificate to show, as urllib3 takes them."""
    found: dict[str, Any] = {}
    for what, path, option in (
        ("file of trusted authorities", context.ca_file, "ca_certs"),
        ("client certificate", context.client_cert, "cert_file"),
        ("client certificate's key", context.client_key, "key_file"),
    ):
        if path and not os.path.exists(path):
            raise CliError(Exit.FAILED, f"The {what} {path} is not there.")
        if path:
            found[option] = path
    if context.insecure and context.server.startswith("https:"):
        say(
            f"Warning: the certificate of {context.server} is not checked: anybody on the way can read and change this."
        )
        found |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        found.pop("ca_certs", None)
    return found


def _proxy(server: str) -> str:
    """As every other tool: HTTP(S)_PROXY and NO_PROXY."""
    url = urlsplit(server)
    name = f"{url.scheme}_proxy"
    found = os.environ.get(name) or os.environ.get(name.upper())
    if not found:
        return ""
    from urllib.request import proxy_bypass  # noqa: PLC0415  # slow to import, seldom needed

    return "" if url.hostname in LOOPBACK or proxy_bypass(url.netloc) else found


def _is_patient() -> bool:
    """Unless `--no-retry` was said, or OVIM_NO_RETRY is set."""
    context = click.get_current_context(silent=True)
    return context is None or not context.find_root().params.get("no_retry")


def _pause(method: str, headers: Mapping[str, str], raw: Any) -> int | None:
    """After how many seconds it may be sent again; None: not at all. Only what can't be done twice by that."""
    if _body(raw).get("code") not in NOTHING_DONE and (
        raw.status not in (429, 503) or not (method in ("GET", "HEAD") or KEY in headers)
    ):
        return None
    text = raw.headers.get("Retry-After", "1")
    seconds = max(1, int(text)) if text.isdigit() else 1
    return seconds if seconds <= LONGEST_PAUSE else None


def _body(raw: Any) -> Mapping[str, Any]:
    """Of a refusal; what a proxy says in its own words is no body of ours."""
    try:
        found = json.loads(raw.data) if raw.status >= 400 else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _why(raw: Any) -> str:
    return str(_body(raw).get("detail") or f"The server answered with status {raw.status}.")


def unreachable(server: str, error: Exception) -> CliError:
    """No answer at all, in a sentence. A certificate that is not trusted is told apart: there is something to do."""
    cause = _certificate(error)
    if cause:
        return CliError(
            Exit.UNREACHABLE,
            f"The certificate of {server} is not trusted: {cause}.",
            "If the server has an authority of its own: ovim login --server URL --ca-file FILE",
        )
    last = str(getattr(error, "reason", None) or error).rpartition(": ")[2].rpartition("] ")[2]
    return CliError(Exit.UNREACHABLE, f"{server} can't be reached: {last.rstrip(').') or type(error).__name__}.")


def _certificate(error: BaseException | None) -> str:
    import ssl  # noqa: PLC0415  # loaded by urllib3 already when this is asked

    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        inner = next((item for item in error.args if isinstance(item, BaseException)), None)
        error, seen = getattr(error, "reason", None) or inner or error.__cause__ or error.__context__, seen + 1
        if not isinstance(error, BaseException):
            return ""
    return ""
