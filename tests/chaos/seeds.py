"""Seeds that once failed, each with what it found. They are run first: `python -m tests.chaos --kept`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    seed: int
    operations: int
    found: str


KEPT: tuple[Kept, ...] = (
    Kept(1, 1000, "a guard whose uid was never recorded was taken for a stranger's: its VDC could not be deleted"),
    Kept(16, 1000, "a machine whose claim was taken off before its uid was on record was forgotten, and ran on"),
    Kept(18, 1000, "a worker that was stopped inside a transaction held locks that everybody waited for"),
    Kept(30, 1000, "a check: that a start in the cluster was refused is no untruth beside a machine that is stopped"),
)
