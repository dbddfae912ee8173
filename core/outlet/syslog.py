"""Entries as syslog messages (RFC 5424): over UDP one a datagram, over TCP and TLS with their length in front (RFC 6587).

Syslog has no acknowledgement. Over TCP a batch counts as delivered when the server has closed its side after ours, or
keeps quiet for a moment after it took all bytes; over UDP when it was sent.
"""

import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import orjson
import ssrfguard
from django.conf import settings
from ssrfguard import SSRFGuardError

from core.models import Outcome
from core.outlet.target import Target, Undelivered

SECONDS = 10.0
QUIET_SECONDS = 1.0
LONGEST_DATAGRAM = 60_000
AUDIT = 13  # the facility "log audit"
SEVERITY = {Outcome.DONE: 6, Outcome.REFUSED: 4, Outcome.FAILED: 3}  # informational, warning, error


def message(entry: dict[str, Any], longest: int | None = None) -> bytes:
    """The line of one entry. Where it would be longer, before and after are left out, and it says so."""
    priority = AUDIT * 8 + SEVERITY[Outcome(entry["outcome"])]
    host = urlsplit(settings.OVIM_PUBLIC_URL).hostname or "-"
    head = f"<{priority}>1 {entry['at']} {host} ovim - audit - \ufeff".encode()
    line = head + orjson.dumps(entry)
    if longest is not None and len(line) > longest:
        line = head + orjson.dumps(entry | {"before": None, "after": None, "shortened": True})
    return line


def send(target: Target, entries: Sequence[dict[str, Any]]) -> None:
    """Deliver a batch, or Undelivered."""
    try:
        if target.scheme == "syslog+udp":
            _datagrams(target, [message(entry, LONGEST_DATAGRAM) for entry in entries])
        else:
            lines = [message(entry) for entry in entries]
            _stream(target, b"".join(b"%d %s" % (len(line), line) for line in lines))
    except (SSRFGuardError, OSError) as error:
        raise Undelivered(f"{type(error).__name__}: {error}") from None


def _addresses(target: Target) -> Sequence[ssrfguard.Address]:
    """Those that may be connected to. The guard knows addresses of the web only, so it is asked for such a one."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    policy = target.policy
    return ssrfguard.resolve(policy.check_url(f"https://{host}:{target.port}/"), policy=policy)


def _datagrams(target: Target, lines: Sequence[bytes]) -> None:
    address = _addresses(target)[0]
    with socket.socket(address.family, socket.SOCK_DGRAM) as out:
        out.connect(address.sockaddr)
        for line in lines:
            out.send(line)


def _stream(target: Target, body: bytes) -> None:
    until = time.monotonic() + SECONDS
    with ssrfguard.connect(_addresses(target), policy=target.policy, timeout=SECONDS / 2) as plain:
        if target.scheme != "syslog+tls":
            _put(plain, body, until)
            plain.shutdown(socket.SHUT_WR)
            _taken(plain)
            return
        with target.tls.wrap_socket(plain, server_hostname=target.host) as out:
            _put(out, body, until)
            out.settimeout(QUIET_SECONDS)
            with suppress(TimeoutError, ssl.SSLEOFError):  # it took everything and does not say goodbye
                out.unwrap()


def _put(out: socket.socket, body: bytes, until: float) -> None:
    """All bytes before the time is up, however slowly they are taken."""
    left = memoryview(body)
    while left:
        out.settimeout(max(until - time.monotonic(), 0.001))
        left = left[out.send(left) :]


def _taken(out: socket.socket) -> None:
    out.settimeout(QUIET_SECONDS)
    with suppress(TimeoutError):  # it does not close: nothing was said against the batch
        while out.recv(1024):
            pass
