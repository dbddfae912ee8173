"""Who acts: the frozen value every service takes first. It is built once per request, by tenancy."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from core.rights import Right


class Level(StrEnum):
    """How far a grant reaches."""

    SYSTEM = "system"
    ORGANIZATION = "organization"
    VDC = "vdc"
    VM = "vm"


@dataclass(frozen=True)
class Grant:
    """Some rights at one place. A VDC's grant names its organization too: what that shares reaches into its VDCs.

    A VM's names both. `own_only`: of what has an owner, only the rows that are the actor's own.
    """

    rights: frozenset[Right]
    level: Level
    organization_id: UUID | None = None
    vdc_id: UUID | None = None
    vm_id: UUID | None = None
    own_only: bool = False


@dataclass(frozen=True)
class Actor:
    """A person, or OVIM itself, doing something. `user_id` None: OVIM itself."""

    user_id: UUID | None
    name: str
    grants: tuple[Grant, ...] = ()
    session_id: UUID | None = None
    address: str = ""
    request_id: str = ""
    # Where the person is from; None: the provider's people. His grants may lie elsewhere too.
    organization_id: UUID | None = None
    # His password is known to somebody else: until he has set another one he has no grants.
    must_change_password: bool = False
    # His organization wants a second factor of him: until he has one he has no grants.
    must_enrol: bool = False
    # The access token he came with, which is also the `session_id`; None: he has signed in himself.
    token_id: UUID | None = None
    # Who really looks, where somebody sees what this person sees (`tenancy.services.previews`): nothing is written.
    previewed_by: str = ""
    previewer_id: UUID | None = None

    @property
    def account_id(self) -> UUID:
        """Whose account it is, where only somebody with one can be."""
        assert self.user_id is not None, "OVIM itself has no account"
        return self.user_id

    def in_person(self) -> "Actor":
        """Who answers for it: in a preview the one who looks, without rights; else the actor."""
        if not self.previewed_by:
            return self
        return Actor(
            self.previewer_id,
            self.previewed_by,
            session_id=self.session_id,
            address=self.address,
            request_id=self.request_id,
        )

    @property
    def organizations(self) -> frozenset[UUID]:
        """Organizations the person has some right in, or is from."""
        ids = {grant.organization_id for grant in self.grants} | {self.organization_id}
        return frozenset(pk for pk in ids if pk is not None)

    def grants_of(self, right: Right) -> list[Grant]:
        return [grant for grant in self.grants if right in grant.rights]

    def holds(self, right: Right) -> bool:
        """Has the right somewhere. Rows are still scoped: see `core.access`."""
        if right is Right.ACCOUNT:
            return self.user_id is not None and self.token_id is None and not self.previewed_by
        return right is Right.SELF or any(right in grant.rights for grant in self.grants)


def system_actor(name: str) -> Actor:
    """OVIM acting by itself (a reconciler, a sweep, a set-up command): every right, no user."""
    return Actor(user_id=None, name=name, grants=(Grant(frozenset(Right), Level.SYSTEM),))
