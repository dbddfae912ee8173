"""`ovim logs`: what happened to an object as plain lines, oldest first, and on and on with -f.

They are the lines of its timeline: people's acts, what OVIM did, what the cluster told of it. A guest's own output is none
of them: nothing of it reaches OVIM.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import click

from cli import names, plan
from cli.client import LARGEST_PAGE, Client, Row, client_of
from cli.errors import CliError, Exit, Problem
from cli.events import WITH_TIMELINE
from cli.nouns import NOUNS, Noun
from cli.options import objects, scoped, where
from cli.output import emit, plain, say
from cli.stream import ASK_SECONDS, heard

PAGE = 50  # looked at for news; further pages only if all of one are news
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SLACK = timedelta(minutes=1)  # the cluster's clock is not ours: lines stand a little out of the order of their times


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    ago = re.fullmatch(r"(\d{1,9})([smhd])", value)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise CliError(Exit.USAGE, f"--since {value}: write 90s, 10m, 2h, 1d or 2026-01-31T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@objects
@scoped
@click.option("-f", "--follow", is_flag=True, help="Then go on with what happens, until Ctrl-C.")
@click.option("--since", metavar="TIME", callback=_moment, help="Nothing older: 90s, 10m, 2h, 1d, or a moment (UTC).")
@click.option("--tail", metavar="N", type=click.IntRange(min=0), help="Only the last so many. Default: all.")
@click.pass_obj
def logs(
    context_name: str | None,
    /,
    *,
    wanted: tuple[str, ...],
    follow: bool,
    since: datetime | None,
    tail: int | None,
    **options: object,
) -> None:
    """What happened to virtual machines, VDCs or organizations, one line each: people, OVIM, the cluster."""
    place, meant = where(dict(options)), names.targets(wanted)
    other = next((noun for noun, _ in meant if noun.path not in WITH_TIMELINE), None)
    if other is not None:
        raise CliError(Exit.USAGE, f"A {other.name} has no log. What is known: ovim events {other.words[0]} NAME")
    client = client_of(context_name)
    told = [Log(client, noun, names.find(client, noun, name, place), several=len(meant) > 1) for noun, name in meant]
    lines = sorted((entry["id"], log.line(entry)) for log in told for entry in log.past(since, tail))
    for _, line in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
        emit(line)
    if follow:
        _follow(client, told)


@dataclass
class Log:
    """One object's. `known`: how often each line had happened when it was shown last."""

    client: Client
    noun: Noun
    row: Row
    several: bool
    known: dict[str, int] = field(default_factory=dict)
    progress: str = ""

    def past(self, since: datetime | None, tail: int | None) -> Iterator[Row]:
        """What is there already, newest first."""
        for number, entry in enumerate(self._entries(), 1):
            at = datetime.fromisoformat(entry["at"])
            over = (tail is not None and number > tail) or (since is not None and at < since - SLACK)
            if over and number > PAGE:
                return
            self._keep(entry)  # what is not shown is no news later either
            if not over and (since is None or at >= since):
                yield entry

    def news(self) -> list[str]:
        """The lines that were not there before, oldest first."""
        found: list[Row] = []
        for number, entry in enumerate(self._entries(page_size=PAGE), 1):
            fresh = self.known.get(entry["id"], 0) < entry["count"]
            found += [entry] if fresh else []
            if number % PAGE == 0 and len(found) < number:
                break
        for entry in found:
            self._keep(entry)
        lines = [self.line(entry | {"at": entry["last_at"]}) for entry in reversed(found)]
        return lines + self._further()

    def line(self, entry: Row) -> str:
        times = f" ({entry['count']} times)" if entry["count"] > 1 else ""
        took = "" if entry["duration_ms"] is None else f" [{entry['duration_ms'] / 1000:.3f} s]"
        wrong = "" if entry["ok"] else "! "
        return self._said(entry["at"], entry["source"], f"{wrong}{entry['sentence']}{times}{took}")

    def _said(self, at: str, source: str, sentence: str) -> str:
        whose = f"{plan.target(self.noun, self.row)}: " if self.several else ""
        return plain(f"{at[:23]}Z {source:<7} {whose}{sentence}")

    def _further(self) -> list[str]:
        """How far its disk's import is: of the row alone, for the timeline it is no news."""
        if self.noun is not NOUNS["vms"]:
            return []
        row = self.client.get(f"vms/{self.row['id']}", fields="phase,progress,updated_at")
        progress = str(row["progress"] or "") if row["phase"] in ("Pending", "Provisioning") else ""
        if not progress.endswith("%") or progress == self.progress:
            return []
        self.progress = progress
        return [self._said(row["updated_at"], "cluster", f"disk import {progress}")]

    def _entries(self, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        return self.client.rows(f"{self.noun.path}/{self.row['id']}/timeline", limit=str(page_size))

    def _keep(self, entry: Row) -> None:
        self.known[entry["id"]] = entry["count"]


def _follow(client: Client, told: list[Log]) -> None:
    """What changes is looked at when the stream says so, and all of it whenever the stream has been quiet for a while."""
    by_id = {log.row["id"]: log for log in told}
    stream = heard(client)
    while by_id:
        try:
            name, data = next(stream)
        except StopIteration as end:
            say(f"No live stream ({end.value}): asking every {ASK_SECONDS:g} s.")
            break
        if name == "paused":
            say("Live changes stand still for the moment.")
        elif name != "change":
            _look(by_id, list(by_id))
        elif data.get("id") in by_id:
            _look(by_id, [data["id"]])
    while by_id:
        time.sleep(ASK_SECONDS)
        _look(by_id, list(by_id))


def _look(by_id: dict[str, Log], ids: list[str]) -> None:
    for pk in ids:
        try:
            lines = by_id[pk].news()
        except Problem as problem:
            if problem.status != 404:
                raise
            say(f"{plan.target(by_id[pk].noun, by_id.pop(pk).row)} is gone.")
            continue
        for line in lines:
            emit(line)
