"""One Redis subscription for the process, handed on to every open stream."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson
import redis.asyncio as redis

from clusters.live import CHANNEL
from ovim_site.live.inbox import Change, Inbox

log = logging.getLogger(__name__)
QUIET_SECONDS = 5.0  # so long nothing is heard before Redis is asked whether it is still there
GATHER_SECONDS = 0.1  # changes of one moment go out together, to everybody: what they need is read once
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
KEPT = 2000  # changes, for those who come back after a moment


class Hub:
    """`run` never ends and never raises: while Redis is away it says so to all streams and tries again."""

    def __init__(self, url: str) -> None:
        self.inboxes: set[Inbox] = set()
        self.up = False
        self._url = url
        self._gathered: list[Change] = []
        self._forget()

    def open(self, since: str = "") -> Inbox:
        """A new reader's inbox. `since`: the mark up to which he heard everything, if he was here before."""
        inbox = _Hashable()
        missed = self._missed(since) if self.up else None
        if missed is not None:
            inbox.sign("resumed")
            for change in missed:
                inbox.put(change)
        else:
            # What changed between the page and its stream was heard by nobody: every stream begins with this.
            inbox.sign("resync" if self.up else "paused")
        self.inboxes.add(inbox)
        return inbox

    def mark(self) -> str:
        """Stands for everything that has been handed to the inboxes so far. Another process' marks mean nothing here."""
        return f"{self._epoch}-{self._heard}"

    def _missed(self, since: str) -> list[Change] | None:
        epoch, _, number = since.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        behind = self._heard - int(number)
        if not 0 <= behind <= len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - behind :]

    def _forget(self) -> None:
        """Changes may have been missed: no mark of before is good any more."""
        self._epoch, self._heard = secrets.token_hex(4), 0
        self._kept: deque[Change] = deque(maxlen=KEPT)

    def close(self) -> None:
        """The process ends: let all streams end, so that the server need not wait for them."""
        for inbox in self.inboxes:
            inbox.close()

    async def run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async for message in self._messages():
                    pause = FIRST_PAUSE
                    self._hand_on(message)
            except (redis.RedisError, OSError) as error:
                if self.up:
                    log.warning("Redis can't be reached, live updates stand still: %s", error)
                self._is(up=False)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _messages(self) -> AsyncIterator[bytes]:
        client = redis.Redis.from_url(self._url, socket_connect_timeout=2, health_check_interval=QUIET_SECONDS)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(CHANNEL)
                await client.ping()
                self._is(up=True)
                while True:
                    message = await channel.get_message(timeout=QUIET_SECONDS)
                    if message is None:
                        await asyncio.wait_for(client.ping(), QUIET_SECONDS)
                    else:
                        yield message["data"]
        finally:
            with suppress(redis.RedisError, OSError):
                await client.aclose()

    def _is(self, *, up: bool) -> None:
        if up != self.up:
            self._forget()
            for inbox in self.inboxes:
                inbox.sign("resync" if up else "paused")
        self.up = up

    def _hand_on(self, message: bytes) -> None:
        try:
            change = Change(**orjson.loads(message))
        except (TypeError, ValueError) as error:  # a newer OVIM beside us: what it says is fetched with the next resync
            log.warning("a change could not be read: %s", error)
            return
        if not self._gathered:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush)
        self._gathered.append(change)

    def _flush(self) -> None:
        """In one go: a mark stands for what all inboxes have."""
        gathered, self._gathered = self._gathered, []
        self._kept.extend(gathered)
        self._heard += len(gathered)
        for inbox in self.inboxes:
            for change in gathered:
                inbox.put(change)


class _Hashable(Inbox):
    """An inbox is itself, whatever waits in it."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__
