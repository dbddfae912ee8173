"""Reads: who may do what at a place, for those who have to tell somebody else (clusters) of it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from core.actor import Grant, Level
from core.rights import Right
from tenancy.models import RoleBinding, User
from tenancy.oidc.rows import Identity
from tenancy.roles import grant_of
from tenancy.selectors import actors_of_users
from tenancy.subjects import Person


@dataclass(frozen=True)
class Bound:
    """Somebody with his rights at a place. `own`: those that he has there on what is his own."""

    person: Person
    rights: frozenset[Right]
    own: frozenset[Right]


@dataclass(frozen=True)
class BoundGroup:
    """A group that the identity provider knows as `external`, with the rights that it gives."""

    external: str
    rights: frozenset[Right]
    own: frozenset[Right]


def bound_in(organization_id: UUID, vdc_id: UUID | None, user_id: UUID | None = None) -> list[Bound]:
    """Everybody who is bound in an organization (`vdc_id` None: as a whole) or in a VDC of it, by the access decision.

    So whoever is disabled, has yet to choose a password or to enrol a second factor, or belongs to what is disabled is not
    here. Nor are service accounts, which no identity provider knows, and what is bound at the system or at one VM.
    `user_id`: him alone.
    """
    bindings = _bindings(organization_id, vdc_id)
    named = Q(pk__in=bindings.values("user_id")) | Q(memberships__group__in=bindings.values("group_id"))
    users = User.objects.filter(named, is_service=False, is_active=True).distinct()
    if user_id is not None:
        users = users.filter(pk=user_id)
    people = {row.pk: row for row in users.only("id", "username", "email")}
    actors, links = actors_of_users(sorted(people)), _links(people)
    return [
        Bound(
            Person(row.username, row.email, tuple(links.get(pk, ()))),
            *_rights(actors[pk].grants, organization_id, vdc_id),
        )
        for pk, row in sorted(people.items(), key=lambda item: item[1].username)
        if pk in actors
    ]


def bound(user_id: UUID | None, organization_id: UUID, vdc_id: UUID | None) -> Bound | None:
    """The same of one person; None where he is not bound."""
    found = bound_in(organization_id, vdc_id, user_id) if user_id is not None else []
    return found[0] if found else None


def groups_in(organization_id: UUID, vdc_id: UUID | None) -> list[BoundGroup]:
    """The groups bound there that an identity provider knows by name. Who is in them only it can say."""
    bindings = _bindings(organization_id, vdc_id).filter(organization__enabled=True)
    known = bindings.filter(group__isnull=False).exclude(group__external="").select_related("custom")
    grants: dict[str, list[Grant]] = {}
    for row in known.order_by("pk").annotate(external=F("group__external")):
        grants.setdefault(row.external, []).append(grant_of(row))
    return [BoundGroup(name, *_rights(given, organization_id, vdc_id)) for name, given in sorted(grants.items())]


def next_end(organization_id: UUID, vdc_id: UUID | None) -> datetime | None:
    """When the next of the roles there ends."""
    ends: datetime | None = _bindings(organization_id, vdc_id).aggregate(at=Min("expires_at"))["at"]
    return ends


def organizations_of(user_ids: Sequence[UUID]) -> set[UUID]:
    """Where these people are bound to anything."""
    theirs = Q(user_id__in=user_ids) | Q(group__memberships__user_id__in=user_ids)
    found = RoleBinding.objects.filter(theirs, organization_id__isnull=False)
    return set(found.values_list("organization_id", flat=True))


def _bindings(organization_id: UUID, vdc_id: UUID | None) -> QuerySet[RoleBinding]:
    """What is bound there and has not ended."""
    reach = Q(vdc_id=None) if vdc_id is None else Q(vdc_id=None) | Q(vdc_id=vdc_id)
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return RoleBinding.objects.filter(reach, lasting, organization_id=organization_id, vm_id=None)


def _links(user_ids: Collection[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    """Whom identity providers know them as. A provider that is switched off signs nobody in, here or there."""
    found: dict[UUID, list[tuple[str, str]]] = {}
    rows = Identity.objects.filter(user_id__in=user_ids, provider__enabled=True).order_by("issuer", "subject")
    for pk, issuer, subject in rows.values_list("user_id", "issuer", "subject"):
        found.setdefault(pk, []).append((issuer, subject))
    return found


def _rights(
    grants: Iterable[Grant], organization_id: UUID, vdc_id: UUID | None
) -> tuple[frozenset[Right], frozenset[Right]]:
    there = [
        grant
        for grant in grants
        if grant.organization_id == organization_id
        and (grant.level is Level.ORGANIZATION or (grant.level is Level.VDC and grant.vdc_id == vdc_id))
    ]
    return _all(grant.rights for grant in there if not grant.own_only), _all(
        grant.rights for grant in there if grant.own_only
    )


def _all(rights: Iterable[Collection[Right]]) -> frozenset[Right]:
    return frozenset[Right]().union(*rights)
