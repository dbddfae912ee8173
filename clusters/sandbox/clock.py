"""The controllers' clock: the machine's own, moved by what a `clock` order says.

Only what controllers write and wait for follows it (condition times, back-off, schedules, token ends). Objects get
their creation time from the API server, whose clock stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Clock:
    def __init__(self) -> None:
        self.offset = 0.0  # seconds ahead of the machine's clock

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def stamp(self) -> str:
        return self.now().strftime(FORMAT)

    def until(self, stamp: str) -> float:
        """Seconds from now to a time stamp; negative when it has passed."""
        return (datetime.strptime(stamp, FORMAT).replace(tzinfo=UTC) - self.now()).total_seconds()


CLOCK = Clock()  # a sandbox process is one cluster
