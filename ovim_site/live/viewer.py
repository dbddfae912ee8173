"""Who listens, and what he may hear of: the same sessions and the same access decision as everywhere (Promise 6)."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections
from starlette.requests import Request

from clusters import kinds
from core import access
from core.actor import Actor
from core.errors import Unauthenticated
from core.rights import Right
from ovim_site.live.inbox import Change
from tenancy.access import covers
from tenancy.api import tokens
from tenancy.middleware import COOKIE_KEY
from tenancy.selectors import actor_of_session

# Which right a person needs to hear of a row of a kind. A kind that is not here is told to nobody.
RIGHTS: Mapping[str, Right] = {
    "vm": Right.VM_VIEW,
    "vdc": Right.VDC_VIEW,
    "placed-organization": Right.ORGANIZATION_VIEW,
}
SEEN_SECONDS = 3.0  # so long a decision is trusted: what a revoked right still lets through
MOST_SEEN = 5000
P = ParamSpec("P")
T = TypeVar("T")

# Django's database calls block: they run here, never in the event loop.
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="database")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    def run() -> T:
        close_old_connections()
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_THREADS, run)


def session_of(request: Request) -> UUID:
    """The session that a request comes with: a bearer token's, or the portal's signed cookie's."""
    header = request.headers.get("authorization", "")
    if header:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("The Authorization header must be: Bearer <access token>.")
        return tokens.read(text.strip(), tokens.AccessToken).session_id
    cookie = request.cookies.get(settings.SESSION_COOKIE_NAME)
    stored = import_module(settings.SESSION_ENGINE).SessionStore(cookie).load() if cookie else {}
    try:
        return UUID(str(stored[COOKIE_KEY]))
    except (KeyError, ValueError):
        raise Unauthenticated("Nobody is signed in.") from None


@dataclass
class Viewer:
    """One person at one stream. `seen`: (kind, id) → whether he may hear of it, and until when that stands."""

    session_id: UUID
    actor: Actor
    seen: dict[tuple[str, str], tuple[bool, float]] = field(default_factory=dict)

    @property
    def rights_mark(self) -> str:
        """Stands for what he may see: who comes back with other rights has not heard all that he may hear now."""
        told = sorted(
            f"{sorted(grant.rights)} {grant.level} {grant.organization_id} {grant.vdc_id} {grant.own_only}"
            for grant in self.actor.grants
        )
        return hashlib.sha256("\n".join([str(self.actor.user_id), *told]).encode()).hexdigest()[:12]

    async def still_the_same(self) -> bool:
        """Signed in, with the rights he came with. Anything else ends the stream: the next one starts afresh."""
        actor = await in_thread(actor_of_session, self.session_id)
        return actor is not None and frozenset(actor.grants) == frozenset(self.actor.grants)

    async def may_hear(self, changes: Iterable[Change]) -> list[Change]:
        now = time.monotonic()
        asked: list[Change] = []
        for change in changes:
            known = self.seen.get(change.key)
            if change.deleted:
                # The row is gone, nobody can be asked about it: what was decided last, or what an admin sees anyway.
                self.seen[change.key] = ((known is not None and known[0]) or self._covers(change), now)
            elif known is None or known[1] < now:
                asked.append(change)
        if asked:
            found = await in_thread(_visible, self.actor, asked)
            until = time.monotonic() + SEEN_SECONDS
            self.seen |= {change.key: (change.key in found, until) for change in asked}
        told = [change for change in changes if self.seen[change.key][0]]
        if len(self.seen) > MOST_SEEN:
            self.seen = dict(list(self.seen.items())[-MOST_SEEN // 2 :])
        return told

    def _covers(self, change: Change) -> bool:
        right = RIGHTS.get(change.kind)
        return right is not None and covers(self.actor, frozenset({right}), UUID(change.organization_id), None)


def _visible(actor: Actor, changes: list[Change]) -> set[tuple[str, str]]:
    """One question to the database for each kind."""
    found: set[tuple[str, str]] = set()
    for kind, right in RIGHTS.items():
        ids = [change.id for change in changes if change.kind == kind]
        if ids and actor.holds(right):
            rows = kinds.by_name(kind).rows()._default_manager.filter(pk__in=ids)
            found |= {(kind, str(pk)) for pk in access.visible(actor, rows, right).values_list("pk", flat=True)}
    return found
