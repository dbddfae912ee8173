"""A sandbox cluster as a process of its own, for tests: started once a session, spoken to only over HTTP."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TOKEN = "sandbox-test-token"


class Sandbox:
    """`with Sandbox("--plain") as sandbox: sandbox.url`; faults through `fault`, `control`."""

    def __init__(self, *options: str, port: int | None = None, tls: Path | None = None) -> None:
        """`tls`: the folder of its certificates; without it plain HTTP is spoken."""
        self.options = (*options, "--tls", str(tls)) if tls else options
        self.tls = tls
        self.port = port or _free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.token = TOKEN
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "clusters.sandbox",
                "serve",
                "--port",
                str(self.port),
                "--token",
                TOKEN,
                *self.options,
            ],
            cwd=Path(__file__).resolve().parent.parent,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                self.open(urllib.request.Request(f"{self.url}/readyz"), timeout=1).close()
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None:
                    raise RuntimeError("the sandbox ended while it started") from None
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the sandbox did not start within 20 s")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            os.kill(self.process.pid, number)
            self.process.wait(timeout=10)
            self.process = None

    def control(self, verb: str, **body: Any) -> Any:
        """An order to its fault interface."""
        return self.request("POST" if verb != "show" else "GET", f"/_sandbox/{verb}", body)

    def kubeconfig(self, name: str, *groups: str, **more: Any) -> Any:
        """Of a user by a new client certificate: `python -m clusters.sandbox ctl kubeconfig`. It takes `tls`."""
        assert self.tls is not None
        ca = (self.tls / "ca.crt").read_text()
        return self.control("kubeconfig", server=self.url, name=name, groups=groups, ca=ca, **more)

    def fault(self, action: str, **options: Any) -> None:
        """The next matching requests fail: `status` (code), `reset`, `lost` (done, answer lost), `latency`."""
        self.control("faults", action=action, **options)

    def clear(self) -> None:
        self.control("clear")

    def request(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if method != "GET" and body is not None else None,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with self.open(request) as answer:
            return json.load(answer)

    def open(self, request: urllib.request.Request, timeout: float = 10) -> Any:
        trust = ssl.create_default_context(cafile=str(self.tls / "ca.crt")) if self.tls else None
        return urllib.request.urlopen(request, timeout=timeout, context=trust)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
