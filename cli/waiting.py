"""Waiting until a VM is as wanted, by asking again; and seeing changes of a list (later by the live stream: same callers)."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from cli.client import Client, Row
from cli.errors import CliError, Exit, Problem
from cli.nouns import vm_phase
from cli.output import plain

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 2.0
PHASES = (
    "Pending",
    "Provisioning",
    "Starting",
    "Running",
    "Stopping",
    "Stopped",
    "Paused",
    "Failed",
    "Terminating",
    "Unknown",
)


@dataclass(frozen=True)
class Wish:
    """What is waited for: `deleted`, `phase=Running` or `condition=Ready[=True]`."""

    kind: str
    name: str = ""
    status: str = "True"

    @classmethod
    def parse(cls, text: str) -> "Wish":
        kind, _, rest = text.partition("=")
        name, _, status = rest.partition("=")
        if text.lower() in ("deleted", "delete"):
            return cls("deleted")
        if kind == "phase" and not status:
            phase = next((phase for phase in PHASES if phase.lower() == name.lower()), "")
            if phase:
                return cls("phase", phase)
        if kind == "condition" and name:
            return cls("condition", name, (status or "True").capitalize())
        raise CliError(
            Exit.USAGE,
            f"{text!r} is nothing to wait for: write deleted, phase=PHASE or condition=TYPE[=True|False].",
            f"Phases: {', '.join(PHASES)}",
        )

    def __str__(self) -> str:
        if self.kind == "condition":
            return f"condition {self.name}={self.status}"
        return self.kind if self.kind == "deleted" else f"phase {self.name}"

    def holds(self, row: Row | None) -> bool:
        """Of what the cluster showed after the last change: what it showed before is no answer."""
        if row is None or self.kind == "deleted":
            return row is None
        if row["observed_generation"] < row["generation"]:
            return False
        if self.kind == "phase":
            return bool(row["phase"] == self.name)
        return any(c["type"] == self.name and c["status"] == self.status for c in row["conditions"] or ())

    def is_hopeless(self, row: Row | None) -> bool:
        """Gone while something else was wanted, or settled as failed: more of waiting would only hide the cause."""
        if self.kind == "deleted":
            return False
        if row is None:
            return True
        settled = row["observed_generation"] >= row["generation"]
        return bool(settled and row["phase"] == "Failed" and self.name != "Failed" and self.status != "False")


def wait(client: Client, vm: Row, wish: Wish, timeout: float) -> Row | None:
    """The VM once it is as wanted (None: gone). Progress goes to stderr where that is a terminal."""
    end, pause, failures = time.monotonic() + timeout, FIRST_PAUSE, 0
    line = Line()
    try:
        while True:
            row = _look(client, vm["id"], end)
            if wish.holds(row):
                return row
            failures = failures + 1 if wish.is_hopeless(row) else 0
            if failures > 1:  # seen twice: not a flicker between two tries
                raise CliError(Exit.FAILED, f"{vm['name']} is not going to be {wish}: {why(row)}")
            left = end - time.monotonic()
            if left <= 0:
                raise CliError(Exit.TIMEOUT, f"{vm['name']} is not yet {wish} after {timeout:g} s: {why(row)}")
            line.show(f"{vm['name']}: {_progress(row)} ({timeout - left:.0f} s)")
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, LONGEST_PAUSE)
    finally:
        line.clear()


def _look(client: Client, pk: str, end: float) -> Row | None:
    """The VM as it is now. A server that is away for a moment is asked again until the time is up."""
    while True:
        try:
            return client.get(f"vms/{pk}")
        except CliError as error:
            if isinstance(error, Problem) and error.status == 404:
                return None
            if error.code != Exit.UNREACHABLE or time.monotonic() + LONGEST_PAUSE > end:
                raise
        time.sleep(LONGEST_PAUSE)


def why(row: Row | None) -> str:
    """Where it stands, with the cause the cluster gives."""
    if row is None:
        return "it is gone."
    ready: Row = next((c for c in row["conditions"] or () if c["type"] == "Ready"), {})
    cause = ready.get("message") or ready.get("reason") or ""
    return f"it is {vm_phase(row)}" + (f": {cause}" if cause else ".")


def _progress(row: Row | None) -> str:
    return "gone" if row is None else vm_phase(row).replace("(", "disk ", 1).rstrip(")")


class Line:
    """One line on a terminal's stderr that is written over and over; nothing where it is no terminal."""

    def __init__(self) -> None:
        self._shown, self._terminal = False, sys.stderr.isatty()

    def show(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{plain(text)}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def changes(client: Client, path: str, query: dict[str, str], seconds: float) -> Iterator[tuple[Row, bool]]:
    """Every row as it is now, then each that changes, for ever; True: it is gone."""
    known: dict[str, Row] = {}
    while True:
        found = {row["id"]: row for row in client.rows(path, None, **query)}
        for pk, row in found.items():
            if known.get(pk) != row:
                yield row, False
        for pk in known.keys() - found.keys():
            yield known[pk], True
        known = found
        time.sleep(seconds)
