"""Seeds that once failed, each with what it found. They are run first: `python -m tests.chaos --kept`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    seed: int
    operations: int
    found: str


KEPT: tuple[Kept, ...] = ()
