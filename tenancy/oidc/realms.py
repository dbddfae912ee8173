"""Which providers somebody is offered, by where he says he is from."""

from django.db.models import Q, QuerySet

from core import tenants
from core.errors import NotFound
from tenancy.models import User
from tenancy.oidc.rows import IdentityProvider

MOST = 20


def alive() -> QuerySet[IdentityProvider]:
    """Those by which people can sign in now."""
    rows = IdentityProvider.objects.select_related("organization")
    return rows.filter(Q(organization=None) | Q(organization__enabled=True), enabled=True).order_by("name")


@tenants.everything()
def offered(organization: str) -> list[IdentityProvider]:
    """An organization's, by its name, and those for everybody. An organization that there is not looks like one without any."""
    where = Q(organization=None)
    return list(alive().filter(where | Q(organization__name=organization) if organization else where)[:MOST])


@tenants.everything()
def has_own(organization: str) -> bool:
    """Whether the organization of this name has providers of its own."""
    return alive().filter(organization__name=organization).exists()


@tenants.everything()
def by_slug(slug: str) -> IdentityProvider:
    """As addresses name it: `acme.keycloak` or `keycloak`."""
    home, _, name = slug.rpartition(".")
    where = Q(organization__name=home) if home else Q(organization=None)
    found = alive().filter(where, name=name).first()
    if found is None:
        raise NotFound("There is no such identity provider.")
    return found


@tenants.everything()
def by_id(pk: str) -> IdentityProvider | None:
    """As a cookie of ours names it."""
    return alive().filter(pk=pk).first()


@tenants.everything()
def of_address(address: str) -> IdentityProvider | None:
    """Where people of this e-mail domain sign in."""
    domain = address.rpartition("@")[2].strip().lower()
    return alive().filter(email_domains__contains=[domain]).first() if domain else None


def linkable(user: User) -> QuerySet[IdentityProvider]:
    """Whose identities this person may link to his account."""
    return alive().filter(Q(organization=None) | Q(organization_id=user.organization_id))
