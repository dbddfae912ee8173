"""What breaks: parts that are killed, stopped and restarted, and the faults that the sandbox has on order.

All of it happens in the main thread: Linux ends a part when the thread that started it ends.
"""

import heapq
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping

from django.db import DatabaseError, connection

from clusters import fence
from ovim_site.supervisor.process import kill_group
from tests.bench.ground import Ground
from tests.chaos.kubectl import Kubectl
from tests.chaos.plan import Event

SECOND = "worker-2"
WORKERS = ("worker", SECOND)
PARTS = ("sandbox", "web", "worker", SECOND, "beat", "watcher")


class Parts:
    """The installation's processes: each is brought back when its time has come, whatever took it away."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0

    def begin(self, name: str) -> "subprocess.Popen[bytes]":
        one = ("--concurrency", "1")
        if name == SECOND:
            return self.ground.begin("worker", *one, "--hostname", "second@%h", under=SECOND)
        return self.ground.begin(name, *(one if name == "worker" else ()))

    def end(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.ground.running[name]
        if process.poll() is None:
            if number == signal.SIGKILL:
                kill_group(process.pid)
            else:
                process.send_signal(number)
            process.wait(timeout=20)
            kill_group(process.pid)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._number, act))

    def tend(self, *, at_once: bool = False) -> None:
        """Do what is due, and bring back what ended by itself."""
        while self._due and (at_once or self._due[0][0] <= time.monotonic()):
            heapq.heappop(self._due)[2]()
        planned = bool(self._due)
        for name in PARTS:
            if not planned and self.ground.running[name].poll() is not None:
                self.begin(name)


class Faults:
    """Carries out one event after the other."""

    def __init__(self, parts: Parts, kubectl: Kubectl) -> None:
        self.parts, self.kubectl = parts, kubectl
        self.done: Counter[str] = Counter()

    def do(self, event: Event) -> None:
        self.done[event.what] += 1
        TABLE[event.what](self, event)

    def _gone_for(self, name: str, event: Event, number: int = signal.SIGKILL) -> None:
        self.parts.end(name, number)
        self.parts.later(event.seconds, lambda: self._bring_back(name))

    def _bring_back(self, name: str) -> None:
        if self.parts.ground.running[name].poll() is not None:
            self.parts.begin(name)

    def worker(self, event: Event) -> None:
        """Killed in whatever it does. In half of the cases its leases are over at once, as if a minute had passed."""
        self._gone_for(WORKERS[int(event.dice * 10) % 2], event)
        if event.dice < 0.5:
            self.parts.later(event.seconds, expire_leases)

    def stopped_worker(self, event: Event) -> None:
        """It sleeps past its lease and goes on where it was, while another has its work."""
        process = self.parts.ground.running[WORKERS[int(event.dice * 10) % 2]]
        if process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGSTOP)
        expire_leases()

        def wake() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)

        # Later than what it last proved is good for: within that, its lease would really still be its own.
        self.parts.later(fence.PROVEN_SECONDS + 0.5 + event.seconds, wake)

    def valkey(self, event: Event) -> None:
        server = self.parts.ground.site.valkey
        assert server is not None
        assert server._process is not None
        if server._process.poll() is None:
            kill_group(server._process.pid)
            server._process.wait(timeout=10)
            self.parts.later(event.seconds, server.start)

    def postgres(self, event: Event, number: int) -> None:
        """SIGINT is PostgreSQL's fast mode; after SIGQUIT, its immediate one, it recovers from its log."""
        server = self.parts.ground.site.postgres
        assert server is not None
        assert server._process is not None
        if server._process.poll() is None:
            os.kill(server._process.pid, number)
            server._process.wait(timeout=30)
            self.parts.later(event.seconds, server.start)

    def requests(self, event: Event, action: str, **options: int | str) -> None:
        methods = ("PATCH", "PATCH", "DELETE", "GET", "")
        which = methods[int(event.dice * 1000) % len(methods)]
        self.kubectl.control(
            "faults", action=action, method=which, path="/apis?/", count=1 + int(event.dice * 4), **options
        )

    def stall(self, event: Event) -> None:
        self.kubectl.control("watches/stall")
        self.parts.later(event.seconds + 0.5, lambda: self.kubectl.control("watches/release"))


TABLE: Mapping[str, Callable[[Faults, Event], object]] = {
    "kill_worker": Faults.worker,
    "stop_worker": Faults.stopped_worker,
    "kill_watcher": lambda faults, event: faults._gone_for("watcher", event),
    "kill_beat": lambda faults, event: faults._gone_for("beat", event),
    "kill_web": lambda faults, event: faults._gone_for("web", event),
    "kill_valkey": Faults.valkey,
    "postgres_fast": lambda faults, event: faults.postgres(event, signal.SIGINT),
    "postgres_immediate": lambda faults, event: faults.postgres(event, signal.SIGQUIT),
    "kill_sandbox": lambda faults, event: faults._gone_for("sandbox", event),
    "end_sandbox": lambda faults, event: faults._gone_for("sandbox", event, signal.SIGTERM),
    "latency": lambda faults, event: faults.requests(event, "latency", delay_ms=int(200 + 1800 * event.dice)),
    "too_many": lambda faults, event: faults.requests(event, "status", code=429, retry_after=1),
    "error": lambda faults, event: faults.requests(
        event, "status", code=(500, 503, 504, 409, 403)[int(event.dice * 5)]
    ),
    "reset": lambda faults, event: faults.requests(event, "reset"),
    "lost": lambda faults, event: faults.requests(event, "lost"),
    "drop_watches": lambda faults, _event: faults.kubectl.control("watches/drop"),
    "stall_watches": Faults.stall,
    "compact": lambda faults, _event: faults.kubectl.control("compact"),
}


def expire_leases() -> None:
    """A minute passes for whoever holds a lease. While the database is away, nobody can say so.

    An item that a stopped process has locked is left alone: it can't be told to anybody either.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH w AS (SELECT id FROM clusters_workitem WHERE lease_token IS NOT NULL "
                "ORDER BY kind, object_id FOR UPDATE SKIP LOCKED) "
                "UPDATE clusters_workitem i SET leased_until = clock_timestamp() - interval '1 second' "
                "FROM w WHERE i.id = w.id"
            )
    except DatabaseError:
        connection.close()
