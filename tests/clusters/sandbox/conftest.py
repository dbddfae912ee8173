"""A sandbox in its own process, and a small client to talk to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "admin-token"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
WIDGETS = "/apis/test.example/v1/namespaces/default/widgets"
WIDGET_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.example"},
    "spec": {
        "group": "test.example",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "maximum": 100},
                                    "tier": {"type": "string", "default": "gold"},
                                    "args": {"type": "array", "items": {"type": "string"}},
                                },
                            },
                            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answer:
    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.data.decode()

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Sandbox:
    """A server process; requests carry the administrator's token."""

    def __init__(self, *arguments: str, port: int | None = None, tls: Path | None = None) -> None:
        self.port = port or free_port()
        self.arguments = arguments
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.http = urllib3.PoolManager(retries=False, ca_certs=str(tls / "ca.crt") if tls else None, timeout=20)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "clusters.sandbox", "serve", "--port", str(self.port), "--token", TOKEN]
        process = subprocess.Popen([*command, *self.arguments], cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            try:
                if self.http.request("GET", self.url + "/readyz", timeout=1).status == 200:
                    return process
            except (urllib3.exceptions.HTTPError, FileNotFoundError, OSError):
                time.sleep(0.05)
        process.kill()
        raise RuntimeError("the sandbox did not start")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        token: str = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        everything = {"Authorization": f"Bearer {token}", "Content-Type": media, **(headers or {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        return Answer(self.http.request(method, self.url + path, body=data, headers=everything))

    def apply(self, path: str, body: Any, manager: str = "m1", **query: str) -> Answer:
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        return self.call("PATCH", f"{path}?fieldManager={manager}{extra}", body, media=APPLY)

    def order(self, what: str, **body: Any) -> Any:
        answer = self.call("POST", f"/_sandbox/{what}", body)
        assert answer.status == 200, answer.text
        return answer.body

    def show(self) -> Any:
        return self.call("GET", "/_sandbox/show").body

    def watch(self, path: str, **query: str) -> Iterator[Any]:
        """Events until the server ends the watch; a cut connection raises."""
        arguments = "&".join(f"{name}={value}" for name, value in {"watch": "1", **query}.items())
        response = self.http.request(
            "GET", f"{self.url}{path}?{arguments}", headers={"Authorization": f"Bearer {TOKEN}"}, preload_content=False
        )
        left = b""
        for chunk in response.stream(65536):
            left += chunk
            *lines, left = left.split(b"\n")
            for line in lines:
                yield json.loads(line)

    def widgets(self) -> None:
        answer = self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGET_CRD)
        assert answer.status == 201, answer.text

    def widget(self, name: str, size: int = 1, **metadata: Any) -> Any:
        body = {
            "apiVersion": "test.example/v1",
            "kind": "Widget",
            "metadata": {"name": name, **metadata},
            "spec": {"size": size},
        }
        answer = self.call("POST", WIDGETS, body)
        assert answer.status == 201, answer.text
        return answer.body

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        self.http.clear()

    def restart(self) -> None:
        self.process = self._start()


def eventually(check: Callable[[], bool], seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes with the given arguments; all are stopped at the end."""
    running: list[Sandbox] = []

    def begin(*arguments: str, **named: Any) -> Sandbox:
        running.append(Sandbox("--plain", *arguments, **named))
        return running[-1]

    yield begin
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.stop()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    """A plain sandbox with the Widget kind."""
    out = start()
    out.widgets()
    return out
