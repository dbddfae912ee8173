"""What a part is, and the ways to see that it is ready."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import urllib3

from ovim_site.supervisor.process import Launch

Check = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """One program of an installation. `prepare` puts everything it needs in place, from any state, and says how it
    is run; it is called again before every restart."""

    name: str
    prepare: Callable[[], Launch]
    ready: Check = lambda: True
    address: str = ""  # where it listens, for people; empty: nowhere
    once: bool = False  # runs to its end (a migration) before the next stage starts
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL
    patience: float = 120  # seconds until it must be ready, and a one-shot must have ended; a busy machine is slow
    stop_seconds: float = 8


# Parts of one stage start together; the next stage when all of them are ready.
Stages = tuple[tuple[Part, ...], ...]


def listens(port: int) -> Check:
    def check() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    return check


def answers(url: str) -> Check:
    """An HTTP 2xx."""

    def check() -> bool:
        try:
            with urllib3.PoolManager(retries=False, timeout=2) as http:
                return 200 <= http.request("GET", url).status < 300
        except urllib3.exceptions.HTTPError:
            return False

    return check


def says(log: Path, words: str) -> Check:
    """For programs that listen nowhere: a line of their log. The log is new at each start, and only appended to."""
    seen = 0

    def check() -> bool:
        nonlocal seen
        try:
            with log.open("rb") as file:
                file.seek(seen)
                text = file.read()
        except FileNotFoundError:
            return False
        if words.encode() in text:
            seen += len(text)  # after a restart only what is said from here on counts
            return True
        return False

    return check
