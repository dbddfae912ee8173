"""HTTP: one request and its answer as JSON, or a sentence saying why there is none. Who asks is `cli.client`'s business."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from cli import __version__
from cli.errors import CliError, Exit, Problem

if TYPE_CHECKING:
    import urllib3

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
BUSY_TRIES, LONGEST_PAUSE = 3, 5
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def clean_server(text: str) -> str:
    """`cloud.example.org` → `https://cloud.example.org`: scheme, host, port, and a path before /api if any."""
    url = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = url.port
    except ValueError:
        port = -1
    if url.scheme not in ("http", "https") or not url.hostname or port == -1 or url.query or url.fragment:
        raise CliError(Exit.USAGE, f"{text!r} is no server's address: write https://HOST or https://HOST:PORT.")
    if url.username or url.password:
        raise CliError(Exit.USAGE, "Leave user name and password out of the server's address.")
    path = url.path.rstrip("/").removesuffix("/api/v1").removesuffix("/api")
    return f"{url.scheme}://{url.netloc}{path}"


def is_plain(server: str) -> bool:
    """Whether what is sent there can be read on the way."""
    url = urlsplit(server)
    return url.scheme == "http" and url.hostname not in LOOPBACK


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


class Wire:
    """Requests to one server."""

    def __init__(self, server: str, ca_file: str = "") -> None:
        self.server, self.ca_file = server, ca_file
        self._made: urllib3.PoolManager | None = None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        bearer: str = "",
    ) -> Answer:
        """The answer; Problem when it refuses. "Busy, nothing was done" is tried again a few times."""
        url = f"{self.server}/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": f"ovim/{__version__}"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        for left in reversed(range(BUSY_TRIES)):
            answer = self._once(method, url, headers, data)
            if answer.status < 300:
                return answer
            problem = Problem(answer.status, answer.body)
            if problem.name != "busy" or not left:
                raise problem
            time.sleep(_pause(answer))
        raise AssertionError("unreachable: the last round returns or raises")

    def _once(self, method: str, url: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as `_pool`

        try:
            # No redirects: a token goes to the server that was named and to no other.
            raw = self._pool().request(method, url, body=data, headers=headers, redirect=False, retries=False)
        except (HTTPError, OSError) as error:
            raise unreachable(self.server, error) from None
        if 300 <= raw.status < 400:
            target = raw.headers.get("Location", "another address")
            raise CliError(
                Exit.UNREACHABLE,
                f"{self.server} sends us on to {target}.",
                "If that is the right one, sign in there: ovim login --server URL",
            )
        return Answer(raw.status, raw.headers, self._json(raw.status, raw.data))

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

            options: dict[str, Any] = {"timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)}
            if self.ca_file:
                if not os.path.exists(self.ca_file):
                    raise CliError(Exit.FAILED, f"The file of trusted authorities {self.ca_file} is not there.")
                options["ca_certs"] = self.ca_file
            proxy = _proxy(self.server)
            self._made = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        return self._made


def _proxy(server: str) -> str:
    """As every other tool: HTTP(S)_PROXY and NO_PROXY."""
    url = urlsplit(server)
    name = f"{url.scheme}_proxy"
    found = os.environ.get(name) or os.environ.get(name.upper())
    if not found:
        return ""
    from urllib.request import proxy_bypass  # noqa: PLC0415  # slow to import, seldom needed

    return "" if url.hostname in LOOPBACK or proxy_bypass(url.netloc) else found


def _pause(answer: Answer) -> int:
    text = answer.headers.get("Retry-After", "1")
    return min(int(text), LONGEST_PAUSE) if text.isdigit() else 1


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
