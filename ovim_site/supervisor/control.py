"""Talking to a running supervisor: `status` and `restart` through a socket in its folder, one line of JSON each way."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ovim_site.supervisor.process import SupervisorError
from ovim_site.supervisor.var import Var

NAME = "control"
PATIENCE_SECONDS = 30.0  # a restart waits for the part to end, which may take a worker some seconds
MOST_BYTES = 65_536

Request = dict[str, Any]
Answer = dict[str, Any]


class Control:
    """The supervisor's end. `serve_one` answers whoever has called; it never raises and never waits long."""

    def __init__(self, var: Var, act: Callable[[Request], Answer]) -> None:
        self._act = act
        self._file = var.folder / NAME
        self._file.unlink(missing_ok=True)  # of a killed supervisor: the folder is ours
        self._socket = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # only our own account, and root, may command
        try:
            with _short(self._file) as address:
                self._socket.bind(address)
        finally:
            os.umask(before)
        self._socket.listen(8)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def serve_one(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            caller, _ = self._socket.accept()
            with caller:
                caller.settimeout(1)
                request = json.loads(_line(caller))
                try:
                    answer = self._act(request)
                except (SupervisorError, KeyError, TypeError) as error:
                    answer = {"error": str(error)}
                caller.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        self._socket.close()
        self._file.unlink(missing_ok=True)


def ask(folder: Path, request: Request) -> Answer:
    """What the supervisor of that folder answers; SupervisorError when none runs, or when it refuses."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_SECONDS)
        try:
            with _short(folder.absolute() / NAME) as address:
                line.connect(address)
            line.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(_line(line))
        except PermissionError:
            raise SupervisorError(f"The OVIM in {folder} belongs to another account: ask as that one.") from None
        except TimeoutError:
            raise SupervisorError(f"The OVIM in {folder} does not answer.") from None
        except (OSError, ValueError):
            raise SupervisorError(f"No OVIM runs in {folder}: name its folder with --var.") from None
    if "error" in answer:
        raise SupervisorError(str(answer["error"]))
    return dict(answer)


def table(parts: Sequence[Mapping[str, Any]], now: float | None = None) -> str:
    """The status for people."""
    now = time.time() if now is None else now
    head = ("part", "state", "pid", "address", "since", "restarts", "last line of its log")
    lines = [head, *(_row(part, now) for part in parts)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    shown = (
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1])) for line in lines
    )
    return "\n".join(line.rstrip() for line in shown)


def _row(part: Mapping[str, Any], now: float) -> tuple[str, ...]:
    began = part["since"]
    age = f"{_when(began)} ({_age(now - began)})" if began else ""
    pid = str(part["pid"] or "")
    return (part["name"], part["state"], pid, part["address"], age, str(part["restarts"]), part["last"][:120])


def _when(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _line(line: socket.socket) -> bytes:
    found = b""
    while b"\n" not in found and len(found) < MOST_BYTES * 4:
        if not (more := line.recv(MOST_BYTES)):
            break
        found += more
    return found


@contextmanager
def _short(file: Path) -> Iterator[str]:
    """An address of a socket has 107 bytes at most; the folder's may have more: it goes by a descriptor's name."""
    if len(os.fsencode(file)) < 100 or not Path("/proc/self/fd").exists():
        yield str(file)
        return
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)
