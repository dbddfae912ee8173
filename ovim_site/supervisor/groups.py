"""Process groups that must not outlive us, even when we are killed by a signal that nobody can handle.

Three nets, one behind the other: the kernel ends each part when its parent dies (`process._die_with`); a guard, forked
before the first part, sees our pipe close and ends what the parts had started; and the next start ends whatever the
list in `running.json` still shows alive, should the guard have been killed as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ovim_site.supervisor.process import kill_group, write_private
from ovim_site.supervisor.var import Var

GRACE_SECONDS = 5.0


class Groups:
    """The list of groups that run, kept in a file and told to the guard."""

    def __init__(self, var: Var, say: Callable[[str], None]) -> None:
        self._file = _list_in(var)
        self._say = say
        self._running: dict[int, str] = {}
        self._guard: int | None = None
        self._pipe: int | None = None

    def start_guard(self) -> None:
        reader, self._pipe = os.pipe()
        self._guard = os.fork()
        if self._guard == 0:
            try:
                _guard(reader)
            finally:
                os._exit(0)
        os.close(reader)

    def add(self, group: int) -> None:
        self._running[group] = _birth(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._running.pop(group, None)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """The guard sees the pipe close, finds nothing to end and leaves."""
        if self._pipe is not None and self._guard is not None:
            os.close(self._pipe)
            os.waitpid(self._guard, 0)
            self._pipe = self._guard = None

    def _tell(self, line: str) -> None:
        if self._pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # the guard was killed: the next start has the list
                os.write(self._pipe, line.encode())
        try:
            write_private(self._file, json.dumps({"boot": _boot(), "groups": self._running}))
        except OSError as error:  # a full disk: the kernel and the guard are nets enough to go on
            self._say(f"{self._file} can't be written: {error.strerror}")


def end_leftovers(var: Var) -> None:
    """End what an earlier, killed supervisor left. `var` is ours, so nobody has a use for it."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        left = json.loads(_list_in(var).read_text())
        if left.get("boot") == _boot():
            end(int(group) for group, born in left["groups"].items() if _is_the_same(int(group), born))


def _list_in(var: Var) -> Path:
    return var.folder / "running.json"


def end(groups: Iterable[int]) -> None:
    """Ask all of them, wait together, then kill."""
    left = list(groups)
    for group in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := [group for group in left if _alive(group)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in left:
        kill_group(group)


def _guard(reader: int) -> None:
    """In the forked process: remember groups until the pipe closes, then end them."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # whoever reads our output sees it end with us
        os.dup2(null, descriptor)
    os.closerange(3, reader)  # the lock above all: it must be free the moment the supervisor is gone
    os.closerange(reader + 1, 4096)
    groups: set[int] = set()
    with os.fdopen(reader) as lines:
        for line in lines:
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end(groups)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_the_same(group: int, born: str) -> bool:
    """A number is not given out again while a group still carries it: so either its leader is the one we started, or
    the leader is gone and those left are its children."""
    return _alive(group) and _birth(group) in ("", born)


def _birth(pid: int) -> str:
    """When the process started, in ticks since the machine did; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
