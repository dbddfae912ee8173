"""Who listens, and what he may hear of: the same sessions and the same access decision as everywhere (Promise 6)."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections
from django.db.models import Q
from starlette.requests import Request

from clusters import kinds
from core import access, tenants
from core.actor import Actor
from core.errors import Unauthenticated
from core.rights import Right
from ovim_site.live.inbox import Change
from tenancy.access import covers
from tenancy.api import tokens
from tenancy.middleware import COOKIE_KEY
from tenancy.selectors import actor_of_token
from tenancy.services import access_tokens

# Which right a person needs to hear of a row of a kind. A kind that is not here is told to nobody.
RIGHTS: Mapping[str, Right] = {
    "vm": Right.VM_VIEW,
    "vdc": Right.VDC_VIEW,
    "placed-organization": Right.ORGANIZATION_VIEW,
    "namespace-access": Right.VDC_VIEW,
}
SEEN_SECONDS = 3.0  # so long a decision is trusted: what a revoked right still lets through
MOST_SEEN = 5000
Place = Mapping[str, object]  # a row's organization, VDC and owner, by the paths of its scope
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
        if text.strip().startswith(access_tokens.PREFIX):
            return _by_access_token(text.strip())
        return tokens.read(text.strip(), tokens.Kind.ACCESS).session_id
    cookie = request.cookies.get(settings.SESSION_COOKIE_NAME)
    stored = import_module(settings.SESSION_ENGINE).SessionStore(cookie).load() if cookie else {}
    try:
        return UUID(str(stored[COOKIE_KEY]))
    except (KeyError, ValueError):
        raise Unauthenticated("Nobody is signed in.") from None


def _by_access_token(text: str) -> UUID:
    """Its id, which stands where a session's does."""
    found = actor_of_token(access_tokens.digest_of(text)) if len(text) <= access_tokens.LONGEST else None
    if found is None or found[0].token_id is None:
        raise Unauthenticated(access_tokens.NO_GOOD)
    return found[0].token_id


@dataclass(eq=False)
class Viewer:
    """One person at one stream. What he was told last of an object decides whether he hears that it is gone."""

    session_id: UUID
    actor: Actor
    told: dict[tuple[str, str], bool] = field(default_factory=dict)
    _where: dict[str, Q | None] = field(default_factory=dict)

    @cached_property
    def rights_mark(self) -> str:
        """Stands for what he may see: who comes back with other rights has not heard all that he may hear now."""
        told = sorted(
            f"{sorted(grant.rights)} {grant.level} {grant.organization_id} {grant.vdc_id} {grant.vm_id} {grant.own_only}"
            for grant in self.actor.grants
        )
        return hashlib.sha256("\n".join([str(self.actor.user_id), *told]).encode()).hexdigest()[:12]

    def is_still(self, actor: Actor | None) -> bool:
        """Signed in, with the rights he came with. Anything else ends the stream: the next one starts afresh."""
        return actor is not None and frozenset(actor.grants) == frozenset(self.actor.grants)

    async def may_hear(self, changes: Sequence[Change], places: "Places") -> list[Change]:
        found = await places.of([change for change in changes if not change.deleted])
        for change in changes:
            if change.deleted:
                # The row is gone, nobody can be asked about it: what was decided last, or what an admin sees anyway.
                self.told[change.key] = self.told.get(change.key, False) or self._covers(change)
            else:
                self.told[change.key] = self._sees(change.kind, found[change.key])
        heard = [change for change in changes if self.told[change.key]]
        if len(self.told) > MOST_SEEN:
            self.told = dict(list(self.told.items())[-MOST_SEEN // 2 :])
        return heard

    def _sees(self, kind: str, values: Place | None) -> bool:
        if values is None:
            return False
        if kind not in self._where:
            self._where[kind] = access.reach(self.actor, kinds.by_name(kind).rows(), RIGHTS[kind])
        return access.holds(self._where[kind], values)

    def _covers(self, change: Change) -> bool:
        right = RIGHTS.get(change.kind)
        return right is not None and covers(self.actor, frozenset({right}), UUID(change.organization_id), None)


class Places:
    """Where changed objects belong, read once for everybody: a change costs one question, however many listen."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Place | None, float]] = {}
        self._reading = asyncio.Lock()

    async def of(self, changes: Sequence[Change]) -> dict[tuple[str, str], Place | None]:
        """By key; None: there is no such row, or nobody may hear of its kind."""
        keys = [change.key for change in changes]
        async with self._reading:  # who waits here finds what the one before him has read
            now = time.monotonic()
            asked = [key for key in keys if key not in self._known or self._known[key][1] < now]
            if asked:
                found = await in_thread(_places, asked)
                until = time.monotonic() + SEEN_SECONDS
                self._known |= {key: (found.get(key), until) for key in asked}
            answer = {key: self._known[key][0] for key in keys}
            if len(self._known) > MOST_SEEN:
                self._known = {key: known for key, known in self._known.items() if known[1] >= now}
        return answer


def _scope(kind: str) -> access.Scope:
    scope: access.Scope = kinds.by_name(kind).rows().scope  # type: ignore[attr-defined]  # whoever has a right here has it
    return scope


def _places(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """One question to the database for each kind."""
    found: dict[tuple[str, str], Place] = {}
    for kind in RIGHTS:
        ids = [pk for name, pk in keys if name == kind]
        if not ids:
            continue
        scope = _scope(kind)
        paths = scope.paths
        rows = kinds.by_name(kind).rows()._default_manager.filter(pk__in=ids)
        with tenants.everything():  # read once for all who listen; who hears of it is decided for each (ADR 11)
            values = list(rows.values_list("pk", *paths))
        found |= {(kind, str(pk)): dict(zip(paths, rest, strict=True)) for pk, *rest in values}
    return found
