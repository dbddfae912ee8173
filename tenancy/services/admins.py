"""The last admin stays: of OVIM itself, and of each organization. Whatever may take one away is done inside `kept`.

An admin is a person who can sign in and has the built-in role, himself or through a group. One whose role ends on some
day is an admin until then, but is not who stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core import tenants
from core.errors import Conflict
from tenancy.models import Organization, RoleBinding, RoleName, User

ADMINS = (RoleName.SYSTEM_ADMIN, RoleName.ORG_ADMIN)
_LOCK = 0x0_A0_71_5  # any constant: an advisory lock's name


@contextmanager
def kept(people: QuerySet[User], *, but: UUID | None = None) -> Iterator[None]:
    """Around a change, in its transaction, that may take an admin role from these people. `but`: not in that organization.

    One lock for all such changes, taken before any row's: two admins removing each other at the same moment would both
    find the other. Conflict, and all is rolled back, if no admin is left where one of these was.
    """
    lock()
    before = {pk for pk in _administered(people) if but is None or pk != but}
    yield
    for organization_id in before:
        _require_one(organization_id)


def require_others(organization: Organization) -> None:
    """Inside a transaction, before any row is locked: Conflict if what its people administer elsewhere had nobody else."""
    lock()
    others = User.objects.exclude(organization=organization)
    for pk in _administered(User.objects.filter(organization=organization)) - {organization.pk}:
        _require_one(pk, others)


def lock() -> None:
    """For whoever decides that enough admins are left, until the transaction ends."""
    if not connection.in_atomic_block:
        raise RuntimeError("the last admin is kept inside a transaction: else the lock is gone at once")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@tenants.everything()
def _administered(people: QuerySet[User]) -> set[UUID | None]:
    """The organizations that some of these people are admins of now; None: OVIM itself."""
    now = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    found = RoleBinding.objects.filter(now, _of_somebody(people), role__in=ADMINS)
    return set(found.values_list("organization_id", flat=True))


@tenants.everything()
def _require_one(organization_id: UUID | None, people: QuerySet[User] | None = None) -> None:
    role = RoleName.SYSTEM_ADMIN if organization_id is None else RoleName.ORG_ADMIN
    here = Q(organization_id=organization_id) if organization_id else Q(organization=None)
    held = RoleBinding.objects.filter(_of_somebody(people), here, role=role)
    if held.filter(expires_at=None).exists():
        return
    where = "of OVIM" if organization_id is None else f"of {Organization.objects.get(pk=organization_id)}"
    ends = held.filter(expires_at__gt=timezone.now()).exists()
    who = "another one whose role has no end" if ends else "another one"
    raise Conflict(f"This is the last {role.label.lower()} {where}: name {who} first.")


def _of_somebody(people: QuerySet[User] | None) -> Q:
    """Bindings of a person who can sign in, or of a group that such a one is in. `people`: of these."""
    return _who("user", people) | _who("group__memberships__user", people)


def _who(path: str, people: QuerySet[User] | None) -> Q:
    # Whose own organization is disabled still is what he is elsewhere; with one that is deleted he goes.
    stays = (
        Q(**{f"{path}__organization": None})
        | Q(**{f"{path}__organization__deletion_requested_at": None})
        | Q(**{f"{path}__organization": F("organization")})  # and nobody has to stay in that itself
    )
    alive = Q(**{f"{path}__is_active": True, f"{path}__is_service": False}) & stays
    return alive if people is None else alive & Q(**{f"{path}__in": people.order_by().values("pk")})
