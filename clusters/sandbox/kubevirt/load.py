"""A plausible load of a machine that follows from its uid and the time: the same question has the same answer.

Every machine has a level of its own, on which a slow wave of the day and a quicker one ride. Counters are the integral
of that curve since the machine started, so they never fall and their rate is the load.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import Any

from clusters.sandbox.clock import CLOCK, FORMAT
from clusters.sandbox.kubevirt.launcher_resources import guest_memory, vcpus

Object = dict[str, Any]
DAY, QUICK = 86_400.0, 600.0
MIB = 1024**2


class Load:
    def __init__(self, vmi: Object) -> None:
        self.vmi = vmi
        self.uid = str(vmi["metadata"]["uid"])
        self.now = CLOCK.now().timestamp()
        self.began = self._began()

    def share(self, what: str) -> float:
        """A fixed number from 0 to 1 for this machine and that purpose."""
        digest = hashlib.sha256(f"{self.uid}/{what}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    def _began(self) -> float:
        stamps = self.vmi.get("status", {}).get("phaseTransitionTimestamps") or []
        running = [item["phaseTransitionTimestamp"] for item in stamps if item["phase"] == "Running"]
        stamp = running[0] if running else self.vmi["metadata"].get("creationTimestamp")
        return datetime.strptime(stamp, FORMAT).replace(tzinfo=UTC).timestamp() if stamp else self.now

    @property
    def login(self) -> float:
        """When the user logged in: seconds since 1970, a minute after the boot."""
        return self.began + 60

    @property
    def seconds(self) -> float:
        return max(0.0, self.now - self.began)

    def level(self, what: str = "cpu") -> float:
        """The load now, 0 to 1: base, and two waves that never carry it below zero."""
        base, swing, ripple, phase = self._curve(what)
        day = math.sin(2 * math.pi * self.now / DAY + phase)
        return base + swing * day + ripple * math.sin(2 * math.pi * self.now / QUICK + phase)

    def _curve(self, what: str) -> tuple[float, float, float, float]:
        base = 0.05 + 0.45 * self.share(what) ** 2
        return base, base * 0.5, base * 0.3, 2 * math.pi * self.share(f"{what}/phase")

    def integral(self, what: str = "cpu") -> float:
        """Load seconds since the start."""
        base, swing, ripple, phase = self._curve(what)
        total = base * self.seconds
        for height, period in ((swing, DAY), (ripple, QUICK)):
            turn = 2 * math.pi / period
            total += height / turn * (math.cos(turn * self.began + phase) - math.cos(turn * self.now + phase))
        return max(0.0, total)

    # what follows from it

    def cpu_seconds(self) -> float:
        return self.integral("cpu") * vcpus(self.vmi["spec"])

    def cores(self) -> float:
        return self.level("cpu") * vcpus(self.vmi["spec"])

    def memory_used(self) -> int:
        """Bytes the guest itself uses."""
        return int(guest_memory(self.vmi["spec"]) * min(0.95, 0.15 + self.level("memory")))

    def counter(self, what: str, per_second: float) -> int:
        """A counter whose mean rate is about half of `per_second`."""
        return int(self.integral(what) * per_second)

    def used(self, volume: str, total: int) -> int:
        """Bytes used on a file system: grows slowly, and is never full."""
        grown = 1 - math.exp(-self.seconds / (30 * DAY))
        return int(total * min(0.93, 0.12 + 0.5 * self.share(f"disk/{volume}") * (0.3 + 0.7 * grown)))
