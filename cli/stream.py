"""Seeing changes of a list as they happen: by the live stream, or where there is none, by asking again and again."""

import json
import time
from collections.abc import Generator, Iterator
from typing import Any

from cli.client import Client, Row
from cli.config import is_plain
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.output import say

ASK_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 2.0, 0.5, 10.0
STEADY_SECONDS = 60.0  # a stream that lived so long was fine: it ended for a reason of its own


def changes(client: Client, noun: Noun, query: dict[str, str]) -> Iterator[tuple[Row, bool]]:
    """Every row as it is now, then each that changes, for ever; True: it is gone."""
    watch = _Watch(client, noun, query)
    yield from watch.all()
    if not noun.live:
        say(f"There is no live stream of {noun.plural}: asking every {ASK_SECONDS:g} s.")
    else:
        reason = yield from watch.streamed()
        say(f"No live stream ({reason}): asking every {ASK_SECONDS:g} s.")
    while True:
        time.sleep(ASK_SECONDS)
        yield from watch.all()


def address(client: Client) -> str:
    """Where the live server is: as the context says, else as the server says, else at the server itself."""
    context = client.context
    if context.live_server:
        return context.live_server
    told = str(client.wire.send("GET", "auth/info").body.get("live_url") or "").rstrip("/")
    if is_plain(told) and not is_plain(context.server):
        raise CliError(Exit.UNREACHABLE, f"The server names {told} for it, which is not encrypted.")
    return told or context.server


def heard(client: Client) -> Generator[tuple[str, Row], None, str]:
    """What the live stream says, for ever; ends when there is none, and returns why.

    A connection that is lost is made anew. `quiet`: the stream lives and has nothing to say.
    """
    pause = FIRST_PAUSE
    while True:
        began = time.monotonic()
        try:
            url = f"{address(client)}/live/v1/stream"
            yield from _events(client.wire.listen(url, client.bearer()))
        except CliError as error:
            if error.code != Exit.UNREACHABLE or "is no live stream" in error.lines[0]:
                if isinstance(error, Problem) and error.status == 401 and time.monotonic() - began > 1:
                    continue  # the token's time was up: the next one is a fresh one
                return error.lines[0].rstrip(".")
            if pause > LONGEST_PAUSE:
                return error.lines[0].rstrip(".")
        # It ends when rights change or the server is started anew: come back, and look at what was missed.
        pause = FIRST_PAUSE if time.monotonic() - began > STEADY_SECONDS else pause * 2
        time.sleep(min(pause, LONGEST_PAUSE))


class _Watch:
    """What has been shown, to tell what is new."""

    def __init__(self, client: Client, noun: Noun, query: dict[str, str]) -> None:
        self.client, self.noun, self.query = client, noun, query
        self.known: dict[str, Row] = {}

    def all(self) -> Iterator[tuple[Row, bool]]:
        found = {row["id"]: row for row in self.client.rows(self.noun.path, None, **self.query)}
        for pk, row in found.items():
            if self.known.get(pk) != row:
                yield row, False
        for pk in self.known.keys() - found.keys():
            yield self.known[pk], True
        self.known = found

    def streamed(self) -> Generator[tuple[Row, bool], None, str]:
        """Until there is no stream any more; returns why."""
        stream = heard(self.client)
        while True:
            try:
                name, data = next(stream)
            except StopIteration as end:
                return str(end.value)
            yield from self._told(name, data)

    def _told(self, name: str, data: Row) -> Iterator[tuple[Row, bool]]:
        if name == "resync":
            yield from self.all()
        elif name == "paused":
            say("Live changes stand still for the moment.")
        elif name == "change" and data.get("kind") == self.noun.live:
            yield from self._one(str(data["id"]))

    def _one(self, pk: str) -> Iterator[tuple[Row, bool]]:
        """The row anew. What only the server can decide (a search) is left to it: then the list is asked for."""
        if "q" in self.query:
            yield from self.all()
            return
        try:
            row = self.client.get(f"{self.noun.path}/{pk}")
        except Problem as problem:
            if problem.status != 404:
                raise
            row = None
        before = self.known.get(pk)
        if row is None or any(_text(row.get(key)) != value for key, value in self.query.items()):
            if before is not None:
                del self.known[pk]
                yield row or before, row is None
            return
        if before is not None:
            row = {key: row[key] for key in before if key in row}
        if row != before:
            self.known[pk] = row
            yield row, False


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Row]]:
    name, data = "message", ""
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line.startswith(":"):
            yield "quiet", {}
        elif field == "event":
            name = value
        elif field == "data":
            data += value
        elif not line:
            if data:
                yield name, _json(data)
            name, data = "message", ""


def _json(text: str) -> Row:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
