"""Who acts: the frozen value every service takes first. It is built once per request, by tenancy."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from core.rights import Right


class Level(StrEnum):
    """How far a grant reaches. OWN: only rows in the VDC that the actor owns."""

    SYSTEM = "system"
    ORGANIZATION = "organization"
    VDC = "vdc"
    OWN = "own"


@dataclass(frozen=True)
class Grant:
    """Some rights at one place. `scope_id` is the organization's or VDC's id; None at system level."""

    rights: frozenset[Right]
    level: Level
    scope_id: UUID | None = None


@dataclass(frozen=True)
class Actor:
    """A person, or OVIM itself, doing something. `user_id` None: OVIM itself."""

    user_id: UUID | None
    name: str
    grants: tuple[Grant, ...] = ()
    session_id: UUID | None = None
    address: str = ""
    request_id: str = ""
    # Organizations the person belongs to, whatever his rights there: what he may know to exist.
    organizations: frozenset[UUID] = field(default_factory=frozenset)

    def grants_of(self, right: Right) -> list[Grant]:
        return [grant for grant in self.grants if right in grant.rights]

    def holds(self, right: Right) -> bool:
        """Has the right somewhere. Rows are still scoped: see `core.access`."""
        return right is Right.SELF or any(right in grant.rights for grant in self.grants)


def system_actor(name: str) -> Actor:
    """OVIM acting by itself (a reconciler, a sweep, a set-up command): every right, no user."""
    return Actor(user_id=None, name=name, grants=(Grant(frozenset(Right), Level.SYSTEM),))
