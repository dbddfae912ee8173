"""How fast the sandbox's machinery moves: short but visible, or as fast as it can.

`OVIM_SANDBOX_PACE=fast` is for tests; a number stretches or shrinks every wait ("2" is twice as slow).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "OVIM_SANDBOX_PACE"


@dataclass(frozen=True)
class Pace:
    """Seconds for the steps people watch."""

    bind: float = 0.15
    import_at_least: float = 1.6
    import_tick: float = 0.2
    retry_import: float = 3.0
    schedule: float = 0.15
    start: float = 0.5
    agent: float = 1.0
    stop: float = 0.4
    retry_quota: float = 1.0
    crash: float = 10.0  # the first wait after a start that failed
    pull: float = 2.0  # from a failed pull of an image to its back-off
    node_grace: float = 5.0  # how long a silent node keeps its pods

    def scaled(self, factor: float) -> Pace:
        return Pace(**{name: value * factor for name, value in vars(self).items()})


FAST = Pace(
    bind=0,
    import_at_least=0,
    import_tick=0.02,
    retry_import=0.2,
    schedule=0,
    start=0,
    agent=0.02,
    stop=0,
    retry_quota=0.2,
    crash=1.0,
    pull=0.3,
    node_grace=0.3,
)


def chosen(text: str | None = None) -> Pace:
    """The pace asked for by argument, else by the environment."""
    wanted = text or os.environ.get(VARIABLE, "")
    if wanted == "fast":
        return FAST
    return Pace().scaled(float(wanted)) if wanted else Pace()
