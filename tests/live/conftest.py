"""The live server as a process of its own, and listeners that speak HTTP with it."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tenancy.api import tokens
from tenancy.models import Session
from tests.cast import make_person, session_of

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LiveServer:
    """`uvicorn ovim_site.live.app:app`, as the supervisor starts it."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | environment

    def __enter__(self) -> "LiveServer":
        command = ("-m", "uvicorn", "--port", str(self.port), "--log-level", "warning", "ovim_site.live.app:app")
        self.process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.environment)
        answers(f"{self.url}/healthz")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)


def answers(url: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.1)


@dataclass
class Listener:
    """Somebody at the stream. `heard` fills in a thread; `ended` is set when the server closes it."""

    url: str
    session: Session
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    since: str = ""
    last_id: str = ""

    def start(self) -> "Listener":
        token = tokens.issue(self.session)["access"]
        request = urllib.request.Request(
            f"{self.url}/live/v1/stream",
            headers={"Authorization": f"Bearer {token}", "Host": "127.0.0.1"} | self._last(),
        )
        self.answer = urllib.request.urlopen(request, timeout=30)
        threading.Thread(target=self._listen, daemon=True).start()
        self.until(lambda: self.heard)
        return self

    def _last(self) -> dict[str, str]:
        return {"Last-Event-ID": self.since} if self.since else {}

    def leave(self) -> str:
        """Go away; the id of the last event that was heard."""
        self.answer.close()
        return self.last_id

    def _listen(self) -> None:
        name = ""
        try:
            for line in self.answer:
                word, _, rest = line.decode().strip().partition(": ")
                if word == "id":
                    self.last_id = rest
                elif word == "event":
                    name = rest
                elif word == "data":
                    self.heard.append((name, json.loads(rest)))
        except (OSError, AttributeError, ValueError):
            pass  # closed, by the server or by `leave` (under the reader's feet)
        self.ended.set()

    def until(self, holds: Callable[[], Any], seconds: float = 10) -> Any:
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, self.heard
            time.sleep(0.02)
        return found

    def ids(self) -> list[str]:
        return [data["id"] for name, data in self.heard if name == "change"]

    def signs(self) -> list[str]:
        return [name for name, _ in self.heard if name != "change"]


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[LiveServer]:
    with LiveServer() as running:
        yield running


@pytest.fixture
def live(live_db: None, server: LiveServer) -> LiveServer:
    return server


@pytest.fixture
def listen(live: LiveServer) -> Callable[[str], Listener]:
    """`listen("alice")`: she is at the stream, and has heard its beginning."""

    def start(name: str) -> Listener:
        return Listener(live.url, session_of(make_person(name))).start()

    return start
