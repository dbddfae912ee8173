"""Reads: who may do what at a place, for those who have to tell somebody else (clusters) of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from core.actor import Actor, Level
from core.rights import Right
from tenancy.models import RoleBinding, User
from tenancy.selectors import actors_of_users
from tenancy.subjects import Person


@dataclass(frozen=True)
class Bound:
    """Somebody with his rights at a place. `own`: those that he has there on what is his own."""

    person: Person
    rights: frozenset[Right]
    own: frozenset[Right]


def bound_in(organization_id: UUID, vdc_id: UUID | None, user_id: UUID | None = None) -> list[Bound]:
    """Everybody who is bound in an organization (`vdc_id` None: as a whole) or in a VDC of it, by the access decision.

    So who is disabled, has yet to choose a password or to enrol a second factor, or belongs to what is disabled is not
    here. Nor are service accounts, which no identity provider knows, and what is bound at the system. `user_id`: him alone.
    """
    reach = Q(vdc_id=None) if vdc_id is None else Q(vdc_id=None) | Q(vdc_id=vdc_id)
    bindings = RoleBinding.objects.filter(reach, organization_id=organization_id)
    users = User.objects.filter(pk__in=bindings.values("user_id"), is_service=False, is_active=True)
    if user_id is not None:
        users = users.filter(pk=user_id)
    people = {row.pk: row for row in users.only("id", "username", "email")}
    actors = actors_of_users(sorted(people))
    return [
        Bound(_person(row), *_rights(actors[pk], organization_id, vdc_id))
        for pk, row in sorted(people.items(), key=lambda item: item[1].username)
        if pk in actors
    ]


def bound(user_id: UUID | None, organization_id: UUID, vdc_id: UUID | None) -> Bound | None:
    """The same of one person; None where he is not bound."""
    found = bound_in(organization_id, vdc_id, user_id) if user_id is not None else []
    return found[0] if found else None


def _person(user: User) -> Person:
    return Person(user.username, user.email)


def _rights(actor: Actor, organization_id: UUID, vdc_id: UUID | None) -> tuple[frozenset[Right], frozenset[Right]]:
    there = [
        grant
        for grant in actor.grants
        if grant.organization_id == organization_id
        and (grant.level is Level.ORGANIZATION or (grant.level is Level.VDC and grant.vdc_id == vdc_id))
    ]
    whole = frozenset[Right]().union(*(grant.rights for grant in there if not grant.own_only))
    return whole, frozenset[Right]().union(*(grant.rights for grant in there if grant.own_only))


def organizations_of(user_ids: Sequence[UUID]) -> set[UUID]:
    """Where these people are bound to anything."""
    found = RoleBinding.objects.filter(user_id__in=user_ids, organization_id__isnull=False)
    return set(found.values_list("organization_id", flat=True))
