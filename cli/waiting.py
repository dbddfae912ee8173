"""Waiting until something is as wanted, by asking again. On a terminal a line, or a bar, shows how far it is."""

import sys
import time
from dataclasses import dataclass

from cli.cells import vm_phase
from cli.client import Client, Row
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.output import plain

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 2.0
BAR = 30  # characters
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
        if _is_behind(row):
            return False
        if self.kind == "phase":
            return bool(row.get("phase") == self.name)
        return any(c["type"] == self.name and c["status"] == self.status for c in row.get("conditions") or ())

    def is_hopeless(self, row: Row | None) -> bool:
        """Gone while something else was wanted, or settled as failed: more of waiting would only hide the cause."""
        if self.kind == "deleted":
            return False
        if row is None:
            return True
        failed = row.get("phase") == "Failed" and not _is_behind(row)
        return bool(failed and self.name != "Failed" and self.status != "False")


def _is_behind(row: Row) -> bool:
    return bool(row.get("observed_generation", row["generation"]) < row["generation"])


def wait(client: Client, noun: Noun, row_before: Row, wish: Wish, timeout: float) -> Row | None:
    """The row once it is as wanted (None: gone). Progress goes to stderr where that is a terminal."""
    end, pause, failures = time.monotonic() + timeout, FIRST_PAUSE, 0
    name = row_before[noun.key]
    line = Line()
    try:
        while True:
            row = _look(client, f"{noun.path}/{row_before['id']}", end)
            if wish.holds(row):
                return row
            failures = failures + 1 if wish.is_hopeless(row) else 0
            if failures > 1:  # seen twice: not a flicker between two tries
                raise CliError(Exit.FAILED, f"{name} is not going to be {wish}: {why(row)}")
            left = end - time.monotonic()
            if left <= 0:
                raise CliError(Exit.TIMEOUT, f"{name} is not yet {wish} after {timeout:g} s: {why(row)}")
            line.show(f"{name}: {_progress(row)} ({timeout - left:.0f} s)")
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, LONGEST_PAUSE)
    finally:
        line.clear()


def _look(client: Client, path: str, end: float) -> Row | None:
    """The row as it is now. A server that is away for a moment is asked again until the time is up."""
    while True:
        try:
            return client.get(path)
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
    ready: Row = next((c for c in row.get("conditions") or () if c["type"] == "Ready"), {})
    cause = ready.get("message") or ready.get("reason") or ""
    return f"it is {vm_phase(row)}" + (f": {cause}" if cause else ".")


def _progress(row: Row | None) -> str:
    if row is None:
        return "gone"
    phase, percent = str(row.get("phase", "")), str(row.get("progress") or "")
    if "(" not in vm_phase(row):
        return phase
    try:
        part = min(max(float(percent.rstrip("%")), 0.0), 100.0)
    except ValueError:
        return phase
    full = int(part * BAR / 100)
    return f"{phase} [{'#' * full}{'.' * (BAR - full)}] disk {part:.0f} %"


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
