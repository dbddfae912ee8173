"""Waiting without polling: a signal, the end of a child, a command or a change of a file ends the pause at once."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable


class Wake:
    """A pipe that everything writes to that has news. One of it in a process, used from the main thread;
    `wake` may be called from any."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._also: dict[int, Callable[[], None]] = {}

    def listen(self) -> None:
        """From here on signals wake us, and so does the end of a child."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler the signal would not reach the pipe
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of news already
            os.write(self._writer, b"!")

    def also(self, descriptor: int, act: Callable[[], None]) -> None:
        """Do this, too, whenever that can be read."""
        self._also[descriptor] = act

    def forget(self, descriptor: int) -> None:
        self._also.pop(descriptor, None)

    def wait(self, seconds: float) -> None:
        """Until there is news, at most so long."""
        readable, _, _ = select.select([self._reader, *self._also], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass
        for descriptor in readable:
            if descriptor in self._also:
                self._also[descriptor]()

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        os.close(self._writer)
