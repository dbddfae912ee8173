"""Start a program so that it can't outlive us, and stop it together with everything it started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child between fork and exec must not import or open anything.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class SupervisorError(Exception):
    """One sentence for the person at the terminal: what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system account a program runs under when it can't be ours (PostgreSQL refuses root)."""

    uid: int
    gid: int

    @classmethod
    def nobody(cls) -> Account:
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise SupervisorError(
                "PostgreSQL refuses to run as root and this machine has no user 'nobody': start OVIM as another user."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may walk from / down to the folder and into it."""
        return all(self._allowed(step, 0o1) for step in (folder, *folder.parents))

    def can_run(self, program: Path) -> bool:
        return self.can_enter(program.parent) and self._allowed(program, 0o5)

    def _allowed(self, path: Path, bits: int) -> bool:
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return (found.st_mode >> shift) & bits == bits


def _die_with(parent: int, death_signal: int) -> None:
    if _LIBC is None:
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died between our fork and the call above: no signal would ever come
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a part is run, once everything it needs is in place."""

    argv: Sequence[str | Path]
    env: Mapping[str, str]
    cwd: Path
    account: Account | None = None


def spawn(launch: Launch, *, log: Path, death_signal: int = signal.SIGKILL) -> subprocess.Popen[bytes]:
    """Start it in a session of its own. Call this from a thread that lives as long as the program may: Linux sends
    the death signal when the *thread* that forked ends."""
    account = launch.account
    with open_log(log) as out:
        return subprocess.Popen(
            [str(word) for word in launch.argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,  # Ctrl-C is for us; and one signal reaches all that it starts
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            # After setuid and before exec, which is where the kernel keeps the setting.
            preexec_fn=partial(_die_with, os.getpid(), death_signal),  # noqa: PLW1509 - one system call, no locks
        )


def run(launch: Launch, text: str = "") -> tuple[int, str]:
    """Run a short program to its end with this text as its input; its status and everything it said."""
    account = launch.account
    result = subprocess.run(
        [str(word) for word in launch.argv],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(launch.env),
        cwd=launch.cwd,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=partial(_die_with, os.getpid(), signal.SIGKILL),
        check=False,
    )
    return result.returncode, result.stdout


def stop(process: subprocess.Popen[bytes], stop_signal: int = signal.SIGTERM, seconds: float = 10) -> int:
    """Ask, wait, then kill the whole process group. Returns the exit status."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    kill_group(process.pid)
    return process.wait()


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    """True once ready; False when the program ended or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def free_port(*, besides: Collection[int] = ()) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in besides:
            return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that connections lingering in TIME_WAIT don't make a port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; nobody else can read it at any moment."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def full_disk(folder: Path, least_mib: int) -> str:
    """A sentence when less than that is left where the folder is, else nothing."""
    usage = shutil.disk_usage(folder)
    free, size = usage.free >> 20, usage.total >> 20
    if free >= least_mib:
        return ""
    return f"The disk that {folder} is on is full: {free} MiB of {size} MiB are free, at least {least_mib} are needed."


def open_log(log: Path) -> BinaryIO:
    """Logs may quote what failed, so they are for us alone."""
    return open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def last_lines(log: Path, count: int = 15) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(_shortened(line) for line in text.splitlines()[-count:])


def _shortened(line: str) -> str:
    """Beginning and end: a log line of JSON carries a whole traceback, whose last words are what matters."""
    return line if len(line) <= 500 else f"{line[:240]} … {line[-240:]}"
