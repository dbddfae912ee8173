"""Starts the parts in order, keeps them running, stops them all."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovim_site.supervisor.control import Answer, Control, Request
from ovim_site.supervisor.groups import Groups
from ovim_site.supervisor.parts import Part, Stages
from ovim_site.supervisor.process import SupervisorError, full_disk, kill_group, last_lines, spawn
from ovim_site.supervisor.var import Var
from ovim_site.supervisor.wake import Wake

TICK = 0.05
FULL_MIB = 16  # less than this left explains why a part died
CALM_TICK = 1.0  # when all is well only news wakes us
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
CALM_SECONDS = 60.0  # a part that ran this long is not in a crash loop
START_ATTEMPTS = 3

Say = Callable[[str], None]


class StopRequested(Exception):
    """Ctrl-C or SIGTERM came."""


class PartFailed(SupervisorError):
    """A part could not be started. `name` says which."""

    def __init__(self, name: str, story: str) -> None:
        super().__init__(story)
        self.name = name


@dataclass
class _Running:
    part: Part
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    ready: bool = False
    failures: int = 0
    restarts: int = 0
    restart_at: float = 0.0
    since: float = 0.0  # as the clock on the wall says it, for people
    given_up: bool = False  # a one-shot that failed on a restart: another restart tries it again

    @property
    def state(self) -> str:
        if self.given_up:
            return "failed"
        if self.ready:
            return "done" if self.part.once else "runs"
        return "starting" if self.process else "waiting"

    @property
    def done(self) -> bool:
        return self.ready and self.part.once

    @property
    def delay(self) -> float:
        return float(min(FIRST_DELAY * 2.0 ** min(self.failures - 1, 10), LONGEST_DELAY))


class Supervisor:
    """Use from the main thread only: parts end with the thread that started them."""

    def __init__(self, var: Var, stages: Stages, say: Say) -> None:
        self._var = var
        self._stages = stages
        self._say = say
        self._groups = Groups(var, say)
        self._running: list[_Running] = []
        self._signals = 0
        self._control: Control | None = None
        self._wake = Wake()

    @property
    def wake(self) -> Callable[[], None]:
        """For other threads: look again now."""
        return self._wake.wake

    def start(self) -> None:
        """Returns when every part is ready; SupervisorError when one can't be, StopRequested on a signal."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means to outlive the terminal
            signal.signal(signal.SIGHUP, self._on_signal)
        self._groups.start_guard()
        self._wake.listen()
        self._listen()
        for stage in self._stages:
            self._start_stage([_Running(part, self._var.log(part.name)) for part in stage])

    def keep(self, until: Callable[[], bool], pause: float = CALM_TICK) -> None:
        """Restart what dies, until the condition holds or a signal comes. It is looked at after all news, and after
        this pause."""
        while not until():
            self._check_signals()
            for running in self._running:
                self._tend(running, starting=False)
            calm = all(running.ready or running.given_up for running in self._running)
            self._wake.wait(pause if calm else TICK)

    def restart(self, names: Collection[str]) -> None:
        """End these parts together and start them again, each when what it follows is done."""
        chosen = [running for running in self._running if running.part.name in names]
        self._stop_together(chosen, self._signals)
        for running in chosen:
            running.ready = running.given_up = False
            running.failures, running.restart_at = 0, 0.0
            running.restarts += 1

    def status(self) -> list[dict[str, Any]]:
        """Every part, in the order of their start."""
        return [
            {
                "name": running.part.name,
                "state": running.state,
                "pid": running.process.pid if running.process else None,
                "address": running.part.address,
                "since": running.since,
                "restarts": running.restarts,
                "last": last_lines(running.log, 1),
            }
            for running in self._running
        ]

    def stop(self) -> None:
        """End everything, last started first; a second signal makes it at once."""
        patient = self._signals
        for number in range(len(self._stages), 0, -1):
            names = {part.name for part in self._stages[number - 1]}
            self._stop_together([r for r in self._running if r.part.name in names], patient)
        self._running.clear()
        self._groups.close()
        if self._control is not None:
            self._wake.forget(self._control.fileno())
            self._control.close()
            self._control = None

    def _listen(self) -> None:
        try:
            self._control = Control(self._var, self._command)
        except OSError as error:  # a file system without sockets: everything else works
            self._say(f"status and restart are not to be had here: {error}")
        else:
            self._wake.also(self._control.fileno(), self._control.serve_one)

    def _command(self, request: Request) -> Answer:
        if request["verb"] == "status":
            return {"parts": self.status()}
        names = [running.part.name for running in self._running]
        asked = [str(name) for name in request["parts"]]
        unknown = [name for name in asked if name not in names]
        if request["verb"] != "restart" or not asked or unknown:
            raise SupervisorError(f"There is no part {', '.join(unknown or ['named'])}: there are {', '.join(names)}.")
        self._say(f"restarting {', '.join(asked)}")
        self.restart(asked)
        return {"parts": [part for part in self.status() if part["name"] in asked]}

    def _start_stage(self, stage: Sequence[_Running]) -> None:
        began = time.monotonic()
        self._running.extend(stage)
        while not all(running.ready for running in stage):
            self._check_signals()
            for running in self._running:
                self._tend(running, starting=True)
                if not running.ready and time.monotonic() - began > running.part.patience:
                    story = self._story(running, f"was not ready after {running.part.patience:.0f} seconds")
                    raise PartFailed(running.part.name, story)
            self._wake.wait(TICK)

    def _tend(self, running: _Running, *, starting: bool) -> None:
        """One look at one part: start, notice its end, notice that it is ready."""
        now = time.monotonic()
        if running.done or running.given_up:
            return
        if running.process is None:
            if now >= running.restart_at and not self._held(running):
                self._launch(running, starting=starting)
        elif running.process.poll() is not None:
            self._ended(running, starting=starting)
        elif not running.ready:
            if not running.part.once and running.part.ready():
                self._is_ready(running)
        elif running.failures and now - running.began > CALM_SECONDS:
            running.failures = 0

    def _held(self, running: _Running) -> bool:
        """Whether something runs to its end that this part must not run beside: a migration, on a restart."""
        before = self._running[: self._running.index(running)]
        return any(other.part.once and not (other.done or other.given_up) for other in before)

    def _launch(self, running: _Running, *, starting: bool) -> None:
        running.began, running.since = time.monotonic(), time.time()
        try:
            launch = running.part.prepare()
            running.process = spawn(launch, log=running.log, death_signal=running.part.death_signal)
        except (SupervisorError, OSError) as error:
            told = f"{running.part.name} can't be started: {error}{self._full()}"
            if starting:
                raise PartFailed(running.part.name, told) from None
            self._again(running, told)
            return
        self._groups.add(running.process.pid)

    def _is_ready(self, running: _Running) -> None:
        running.ready = True
        took = time.monotonic() - running.began
        if running.failures:
            self._say(f"{running.part.name} is back after {took:.1f} s")
        else:
            self._say(f"{'✓ ' + running.part.name:<12} {took:5.1f} s")

    def _ended(self, running: _Running, *, starting: bool) -> None:
        assert running.process is not None
        status = running.process.returncode
        self._forget(running)
        if running.part.once and status == 0:
            self._is_ready(running)
            return
        what = f"was ended by signal {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        if starting and (running.part.once or running.failures + 1 >= START_ATTEMPTS):
            raise PartFailed(running.part.name, self._story(running, what))
        if running.part.once:
            running.given_up = True
            self._say(self._story(running, what))
            return
        running.restarts += 1
        self._again(running, self._story(running, what))

    def _again(self, running: _Running, story: str) -> None:
        running.failures += 1
        running.ready = False
        running.restart_at = time.monotonic() + running.delay
        self._say(f"{story}\n  starting {running.part.name} again in {running.delay:g} s")

    def _story(self, running: _Running, what: str) -> str:
        tail = "".join(f"\n  | {line}" for line in last_lines(running.log).splitlines())
        return f"{running.part.name} {what}; the end of {running.log}:{tail or ' (empty)'}{self._full()}"

    def _full(self) -> str:
        """The cause that no log can tell of: it could not be written."""
        full = full_disk(self._var.folder, FULL_MIB)
        return f"\n  {full}" if full else ""

    def _stop_together(self, stage: Sequence[_Running], patient: int) -> None:
        began = time.monotonic()
        for running in stage:
            if running.process is not None and running.process.poll() is None:
                running.process.send_signal(running.part.stop_signal)
        for running in stage:
            while running.process is not None:
                late = time.monotonic() - began > running.part.stop_seconds
                if running.process.poll() is not None or late or self._signals > patient:
                    self._forget(running)
                else:
                    time.sleep(TICK)

    def _forget(self, running: _Running) -> None:
        """The part is over: nothing it started may stay."""
        assert running.process is not None
        kill_group(running.process.pid)
        running.process.wait()
        self._groups.remove(running.process.pid)
        running.process = None

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._signals += 1

    def _check_signals(self) -> None:
        if self._signals:
            raise StopRequested
