"""The second line (ADR 23): PostgreSQL shows the rows of the tenants of who asks, also where a query forgets to.

The first line is `core.access`. This one knows organizations and the person, nothing finer. Nothing is bounded in a
process that works for all tenants (worker, beat, watcher, commands); in the others nothing is seen before somebody is
let `enter`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse

from core.actor import Actor, Level
from core.database.base import DatabaseWrapper
from core.database.bounds import EVERYTHING, NOTHING, Bounds


def _connection() -> DatabaseWrapper:
    """This thread's connection of the application."""
    return cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])


def work_for_all() -> None:
    """This process works on rows of all tenants. To be called where it begins, before it has a connection."""
    DatabaseWrapper.works_for_all = True


@contextmanager
def within(bounds: Bounds) -> Iterator[None]:
    """What is asked inside keeps within these bounds."""
    connection = _connection()
    previous, connection.bounds = connection.bounds, bounds
    try:
        yield
    finally:
        connection.bounds = previous
        if previous is None:
            connection.finish()


@contextmanager
def everything() -> Iterator[None]:
    """For what can only be told by the rows of all tenants. In few places, each listed with its reason in a test."""
    if _connection().bounds is None and DatabaseWrapper.works_for_all:
        yield
        return
    with within(EVERYTHING):
        yield


def enter(actor: Actor) -> None:
    """It is known who asks: what follows in this request keeps within his bounds."""
    connection = _connection()
    if connection.bounds is not None:
        connection.bounds = of(actor)


def of(actor: Actor) -> Bounds:
    """The bounds of an actor: his organizations and himself; everything, if he has any role at system level."""
    if any(grant.level is Level.SYSTEM for grant in actor.grants):
        return EVERYTHING
    return _bounds(actor.organizations, actor.user_id)


@lru_cache(maxsize=4096)
def _bounds(organizations: frozenset[UUID], person: UUID | None) -> Bounds:
    """The same one for the same: the backend compares by identity."""
    return Bounds(organizations, person)


class Bounded:
    """Middleware: a request sees no tenant's row until its actor has entered, and leaves nothing on the connection.

    What is written as it is sent keeps its bounds, a piece at a time: between them no transaction is open.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with within(NOTHING):
            response = self.get_response(request)
            bounds = _connection().bounds or NOTHING
        if response.streaming and bounds is not NOTHING:
            response.streaming_content = _piecewise(response.streaming_content, bounds)  # type: ignore[attr-defined]
        return response


def _piecewise(content: Iterable[bytes], bounds: Bounds) -> Iterator[bytes]:
    pieces = iter(content)
    while True:
        with within(bounds):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
