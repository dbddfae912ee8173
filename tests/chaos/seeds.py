"""Seeds that once failed, each with what it found. They are run first: `python -m tests.chaos --kept`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    seed: int
    operations: int
    found: str


KEPT = (
    Kept(1, 150, "a machine whose disk was lost was not told to halt, nor made again when it was deleted, too"),
    Kept(1, 1000, "a sandbox killed between an owner's end and its dependents' never took those away"),
)
