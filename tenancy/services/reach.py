"""That what somebody may do has changed, for the clusters in which it has to hold (ADR 24).

Called by each verb that changes it, inside its transaction. The rows stand above us: they are found by their kind.
"""

from collections.abc import Iterable
from uuid import UUID

from clusters import along, kinds
from core import tenants
from tenancy.models import Group, Organization, RoleBinding, User
from tenancy.people_bound import organizations_of

KIND = "namespace-access"


def changed_at(organization_id: UUID | None, vdc_id: UUID | None = None) -> None:
    """Of people bound at this place. What is bound at the system holds in no cluster."""
    if organization_id is None:
        return
    where = {"organization_id": organization_id} | ({"vdc_id": vdc_id} if vdc_id else {})
    along.bump(kinds.by_name(KIND), **where)


@tenants.everything()
def changed_of(users: Iterable[User]) -> None:
    """Of these people, wherever they are bound."""
    _changed_in(organizations_of([user.pk for user in users]))


@tenants.everything()
def changed_by(group: Group) -> None:
    """Of this group's people, where it is bound."""
    bound = RoleBinding.objects.filter(group=group, organization_id__isnull=False)
    _changed_in(set(bound.values_list("organization_id", flat=True)))


@tenants.everything()
def changed_of_people_of(organization: Organization) -> None:
    """Of an organization's people, and of whoever is bound in it."""
    people = User.objects.filter(organization=organization).values_list("pk", flat=True)
    _changed_in(organizations_of(list(people)) | {organization.pk})


def _changed_in(organizations: set[UUID]) -> None:
    if organizations:
        along.bump(kinds.by_name(KIND), organization_id__in=organizations)
