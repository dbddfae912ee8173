"""A trial: a service is run for real and rolled back, to see what it would have done. What it touched is noted here.

Rolled back with it are its rows, its audit entries and its wake-ups, which wait for a commit that never comes.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction


@dataclass
class Trial:
    """What a service touched: organizations it wrote the audit log of, and rows it asked to be reconciled."""

    organizations: set[UUID] = field(default_factory=set)
    requested: dict[Any, None] = field(default_factory=dict)  # keys of `clusters.queue`, in order, each once


_current: ContextVar[Trial | None] = ContextVar("trial", default=None)


@contextmanager
def trial() -> Iterator[Trial]:
    """A transaction that is always rolled back. Whoever looks at what was done does it before this ends."""
    found = Trial()
    token = _current.set(found)
    try:
        with transaction.atomic():
            yield found
            transaction.set_rollback(True)
    finally:
        _current.reset(token)


def running() -> bool:
    """Whether all that is done now is rolled back: what is costly and seen by nobody can be left out."""
    return _current.get() is not None


def audited(organization_id: UUID | None) -> None:
    """An audit entry is being written for this organization."""
    now = _current.get()
    if now is not None and organization_id is not None:
        now.organizations.add(organization_id)


def requested(keys: Iterable[Any]) -> None:
    """These rows are being asked to be reconciled."""
    now = _current.get()
    if now is not None:
        now.requested |= dict.fromkeys(keys)
