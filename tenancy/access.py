"""The access decision: one predicate per right, an OR over the places where the actor has it (Promise 6).

Called through `core.access`; nothing else decides what anybody sees.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from core.access import Scope
from core.actor import Actor, Grant, Level
from core.rights import Right

# What an organization shares with everybody bound in it, in whichever VDC.
SHARED_IN_ORGANIZATION = frozenset({Right.ORGANIZATION_VIEW, Right.CATALOG_VIEW, Right.IMAGE_USE})
# What the provider shares with every organization: rows that belong to none.
SHARED_BY_PROVIDER = frozenset({Right.CATALOG_VIEW, Right.IMAGE_USE})


def reach(actor: Actor, scope: Scope, right: Right) -> Q | None:
    """The rows of a model on which the actor has the right. Q() means all of them, None means none."""
    if right in (Right.SELF, Right.ACCOUNT):
        return _own(actor, scope)
    grants = actor.grants_of(right)
    if any(grant.level is Level.SYSTEM for grant in grants):
        return Q()
    where = _at(scope.organization, _organizations(grants, scope, right))
    if scope.vdc is not None:
        where |= _at(scope.vdc, {grant.vdc_id for grant in grants if _in_vdc(grant, scope, right)})
    if scope.vm is not None:
        where |= _at(scope.vm, {grant.vm_id for grant in grants if grant.level is Level.VM})
    if scope.owner is not None and actor.user_id is not None:
        where |= _owned(actor.user_id, scope, [grant for grant in grants if grant.own_only])
    if grants and right in SHARED_BY_PROVIDER and scope.organization is not None:
        where |= Q(**{f"{scope.organization}__isnull": True})
    return where or None


def covers(
    actor: Actor,
    rights: frozenset[Right],
    organization_id: UUID | None,
    vdc_id: UUID | None,
    vm_id: UUID | None = None,
) -> bool:
    """Whether the actor himself has all these rights at that place: what he does not lack he may give or take."""
    held: set[Right] = set()
    for grant in actor.grants:
        if stands_over(grant, organization_id, vdc_id, vm_id):
            held |= grant.rights
    return rights <= held


def outranks(actor: Actor, grants: Iterable[Grant]) -> bool:
    """Whether the actor has all that is granted, wherever it is."""
    return all(covers(actor, g.rights, g.organization_id, g.vdc_id, g.vm_id) for g in grants)


def stands_over(grant: Grant, organization_id: UUID | None, vdc_id: UUID | None, vm_id: UUID | None) -> bool:
    """The grant is for all that is at this place."""
    if grant.level is Level.SYSTEM or grant.own_only:
        return grant.level is Level.SYSTEM
    if grant.level is Level.ORGANIZATION:
        return organization_id is not None and grant.organization_id == organization_id
    if grant.level is Level.VDC:
        return vdc_id is not None and grant.vdc_id == vdc_id
    return vm_id is not None and grant.vm_id == vm_id


def _in_vdc(grant: Grant, scope: Scope, right: Right) -> bool:
    """Whoever was given a VM sees the VDC that it is in, itself, and nothing else in it."""
    if grant.level is Level.VM:
        return scope.vdc == "id" and right is Right.VDC_VIEW
    return grant.level is Level.VDC and _whole(grant, scope)


def _organizations(grants: list[Grant], scope: Scope, right: Right) -> set[UUID | None]:
    return {
        grant.organization_id
        for grant in grants
        if right in SHARED_IN_ORGANIZATION or (grant.level is Level.ORGANIZATION and _whole(grant, scope))
    }


def _whole(grant: Grant, scope: Scope) -> bool:
    """An own-only grant reaches the VDC itself, not everything in it: rows without an owner stay hidden."""
    return not grant.own_only or scope.vdc == "id"


def _owned(user_id: UUID, scope: Scope, grants: list[Grant]) -> Q:
    """Own rows, and only where the grant still holds: who was taken out of a VDC has lost what he owns there."""
    places = Q()
    if scope.vdc is not None:
        places |= _at(scope.vdc, {grant.vdc_id for grant in grants if grant.level is Level.VDC})
    places |= _at(scope.organization, {g.organization_id for g in grants if g.level is Level.ORGANIZATION})
    return Q(**{str(scope.owner): user_id}) & places if places else Q()


def _own(actor: Actor, scope: Scope) -> Q | None:
    if scope.owner is None or actor.user_id is None:
        return None
    return Q(**{scope.owner: actor.user_id})


def _at(path: str | None, ids: set[UUID | None]) -> Q:
    """`path` is one of the ids. One id compares directly: the planner then knows how many rows to expect."""
    known = sorted(pk for pk in ids if pk is not None)
    if path is None or not known:
        return Q()
    return Q(**{path: known[0]}) if len(known) == 1 else Q(**{f"{path}__in": known})
