"""Killing a worker at a chosen step: before or after any write to the cluster, before or after any fenced transaction.

The patches stand at the edges only (the socket, the transaction); what they let through is the real thing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from clusters import fence, inventory
from clusters.client import Client
from tests.engine.driver import Killed


class Reaper:
    """Counts steps; at the chosen one raises Killed. `reached` tells whether the run was long enough."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    @property
    def reached(self) -> bool:
        return self.count > self.at

    def step(self) -> None:
        self.count += 1
        if self.count == self.at + 1:
            raise Killed


@contextlib.contextmanager
def dying_at(step: int) -> Iterator[Reaper]:
    """Within this, the worker dies at the given step (0, 1, 2 …)."""
    reaper = Reaper(step)
    write, fenced, stroke = Client._write, inventory.fenced, fence.stroke

    def dying_write(self: Client, *args: Any, **kwargs: Any) -> Any:
        reaper.step()
        answer = write(self, *args, **kwargs)
        reaper.step()
        return answer

    @contextlib.contextmanager
    def dying_fenced(row: Any, lease: Any) -> Iterator[None]:
        reaper.step()
        with fenced(row, lease):
            yield
        reaper.step()

    def dying_stroke(*args: Any, **options: Any) -> Any:
        reaper.step()
        found = stroke(*args, **options)
        reaper.step()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "_write", dying_write)
        patch.setattr(inventory, "fenced", dying_fenced)
        patch.setattr(fence, "stroke", dying_stroke)
        yield reaper
