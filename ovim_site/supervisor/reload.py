"""`make dev`: when the code changes, the parts that run it are started again. Idle, it only waits for the kernel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import watchfiles

from ovim_site.supervisor.process import SupervisorError
from ovim_site.supervisor.site import ROOT

QUIET_SECONDS = 0.3  # an editor, and a change of branch even more, writes many files: act when it is done
GATHER_MS, STEP_MS, POLL_MS = 100, 50, 2000
SELF = "ovim_site/supervisor/"


def code_folders() -> list[Path]:
    """The packages that parts import, at the top of the checkout; node_modules and .venv are none of them."""
    return sorted(init.parent for init in ROOT.glob("*/__init__.py") if init.parent.name not in ("tests", "cli"))


def parts_of(changed: Iterable[Path], programs: Sequence[str]) -> tuple[str, ...]:
    """Which parts run that code, in the order of their start."""
    names: set[str] = set()
    for path in changed:
        place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
        if place.startswith(SELF):
            continue
        if place.startswith("clusters/sandbox/"):
            names.add("sandbox")
        elif place.startswith("ovim_site/live/"):
            names.add("live")
        else:
            names |= {*programs} | ({"migrate"} if "/migrations/" in place else set())
    return tuple(name for name in ("sandbox", "migrate", *programs) if name in names)


def mistakes(changed: Iterable[Path]) -> list[str]:
    """What Python can't even read, in its words. Nothing is restarted until it is mended."""
    found = []
    for path in sorted(changed):
        try:
            compile(path.read_bytes(), path, "exec", dont_inherit=True)
        except FileNotFoundError:
            continue  # it was deleted: who still imports it says so
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 0
            said = (getattr(error, "text", None) or "").strip()
            told = f"{path}:{line}: {type(error).__name__}: {getattr(error, 'msg', None) or error}"
            found.append(f"{told}\n  | {said}" if said else told)
    return found


class Changes(threading.Thread):
    """Watches code and logs, and wakes the supervisor. `take` answers the changed sources, once all is quiet."""

    def __init__(self, logs: Path, wake: Callable[[], None], say: Callable[[str], None]) -> None:
        super().__init__(name="changes", daemon=True)
        self._logs, self._wake, self._say = logs, wake, say
        self._lock = threading.Lock()
        self._changed: set[Path] = set()
        self._latest = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            self._watch(polling=None)
        except (OSError, RuntimeError) as error:  # no inotify, or too many watches on this machine already
            self._say(f"the system does not tell of changes ({error}): looking every {POLL_MS / 1000:g} s")
            self._watch(polling=True)

    def stop(self) -> None:
        self._stopping.set()

    def take(self) -> set[Path]:
        with self._lock:
            if not self._changed or time.monotonic() - self._latest < QUIET_SECONDS:
                return set()
            changed, self._changed = self._changed, set()
            return changed

    def _watch(self, *, polling: bool | None) -> None:
        for batch in watchfiles.watch(
            *(*code_folders(), self._logs),
            watch_filter=lambda _, path: path.endswith((".py", ".log")),
            debounce=GATHER_MS,
            step=STEP_MS,
            stop_event=self._stopping,
            force_polling=polling,
            poll_delay_ms=POLL_MS,
            raise_interrupt=False,
        ):
            code = {Path(path) for _, path in batch if path.endswith(".py")}
            with self._lock:
                self._changed |= code
                self._latest = time.monotonic() if code else self._latest
            self._wake()
            if code:
                threading.Timer(QUIET_SECONDS * 1.1, self._wake).start()


class Reload:
    """Decides what a change means. `act` is called at every look of the supervisor."""

    def __init__(self, changes: Changes, programs: Sequence[str], say: Callable[[str], None]) -> None:
        self._changes, self._programs, self._say = changes, tuple(programs), say
        self._pending: set[Path] = set()

    def changed(self) -> bool:
        """Whether there is new code that Python can read; says so if it can't."""
        fresh = self._changes.take()
        self._pending |= fresh
        if not fresh:
            return False
        self._say(f"changed: {', '.join(sorted(_short(path) for path in fresh))}")
        if wrong := mistakes(self._pending):
            self._say("\n".join([*wrong, "nothing is restarted until this is mended"]))
            return False
        return True

    def act(self, restart: Callable[[Sequence[str]], None]) -> None:
        if not self.changed():
            return
        done, self._pending = self._pending, set()
        if any(_short(path).startswith(SELF) for path in done):
            self._say("the supervisor itself has changed: end `make dev` and start it again to see it")
        if names := parts_of(done, self._programs):
            self._say(f"restarting {', '.join(names)}")
            try:
                restart(names)
            except SupervisorError as error:
                self._say(str(error))


def _short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
