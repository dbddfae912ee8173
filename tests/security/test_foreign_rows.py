"""Another tenant's rows do not exist: every route that names a row answers its neighbour's admin 404, by API and by page."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core.models import AuditEntry, SavedView
from tenancy.models import AccessToken, Group, Invitation, Membership, Role, RoleBinding, RoleName, Session
from tenancy.oidc.rows import Identity, IdentityProvider
from tests.cast import make_person, make_user, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from tests.portal import browser
from tests.test_permissions import PAGES, TABLE

pytestmark = pytest.mark.django_db
ID = "<uuid:pk>"
# Rows of the provider's: the door is shut to tenants, whichever row it is (tests/test_permissions.py).
PROVIDERS = ("clusters", "orphans")


@pytest.fixture
def neighbours(cluster) -> dict[str, Any]:
    """First part of an address → a row of globex, of the kind that such an address names."""
    globex = an_organization("globex")
    vdc = a_vdc("main", organization=globex)
    item = an_item("private", organization=globex)
    vm = a_vm(vdc, "db", catalog_item=item)
    charlie = make_person("charlie")
    dora = make_user("dora", RoleName.USER, organization=globex, vdc_id=vdc.pk)
    role = Role.objects.create(organization=globex, name="helpers", rights=["vm.view"])
    group = Group.objects.create(organization=globex, name="friends")
    robot = make_user("robot", home=globex)
    type(robot).objects.filter(pk=robot.pk).update(is_service=True)
    entry = AuditEntry.objects.create(actor_name="charlie", action="vm.create", organization_id=globex.pk)
    token = AccessToken.objects.create(
        user=charlie, name="t", digest="d" * 64, expires_at=session_of(charlie).expires_at
    )
    provider = IdentityProvider.objects.create(organization=globex, name="sso", issuer="https://sso.example.org")
    identity = Identity.objects.create(provider=provider, issuer=provider.issuer, subject="s-1", user=charlie)
    ends = session_of(charlie).expires_at
    invitation = Invitation.objects.create(
        organization=globex, email="e@globex.example", role="user", digest="e" * 64, expires_at=ends
    )
    return {
        "identity-providers": provider, "account/identities": identity, "me/identities": identity,
        "invitations": invitation,
        "orgs": globex, "organizations": globex, "vdcs": vdc, "vms": vm, "people": dora, "users": dora,
        "catalog": item, "catalog-items": item, "catalogs": item.catalog, "groups": group, "own-roles": role,
        "memberships": Membership.objects.create(group=group, user=dora), "service-accounts": robot,
        "activity": entry, "audit-entries": entry, "tokens": token, "account/tokens": token,
        "account/sessions": session_of(charlie), "me/sessions": Session.objects.filter(user=charlie).first(),
        "views": SavedView.objects.create(owner_id=charlie.pk, listing="vms", name="mine", query="q=x"),
        "role-bindings": RoleBinding.objects.get(user=dora), "roles": role,
        "page of a role": RoleBinding.objects.get(user=dora),
    }  # fmt: skip


def named(route: str, rows: dict[str, Any]) -> Any:
    path = route.removeprefix("api/v1/")
    if route.startswith("roles/"):  # the portal's page of a binding
        return rows["page of a role"]
    first, second = [*path.split("/"), ""][:2]
    return rows.get(f"{first}/{second}") or rows.get(first)


def with_rows(table: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    return sorted(
        (method, route)
        for method, route in table
        if ID in route and route.removeprefix("api/v1/").split("/")[0] not in PROVIDERS
    )


API = with_rows({row: cells for row, cells in TABLE.items() if row[1].startswith("api/v1/")})
PORTAL = with_rows(PAGES)


def address(route: str, pk: Any) -> str:
    return "/" + route.replace(ID, str(pk)).replace("<str:name>", "web")


def test_every_route_with_a_row_has_one_here(neighbours):
    assert [route for _, route in API + PORTAL if named(route, neighbours) is None] == []


def test_the_neighbours_rows_are_there_for_those_whose_they_are(api, neighbours):
    """Else every 404 below would prove nothing."""
    charlie = api("charlie")
    for path in ("organizations", "vdcs", "vms", "users", "catalogs", "catalog-items", "groups", "service-accounts"):
        assert charlie.get(f"{path}/{neighbours[path].pk}").status_code == 200, path
    page = browser("charlie")
    for path in ("orgs", "vdcs", "vms", "people", "catalog", "groups", "activity"):
        assert page.get(f"/{path}/{neighbours[path].pk}/").status_code == 200, path


@pytest.mark.parametrize("who", ["alice", "vera", "bob"])
def test_over_the_api(api, neighbours, who):
    client, headers = Client(raise_request_exception=False), api(who).headers

    def ask(method: str, where: str) -> Any:
        body = {} if method == "get" else {"data": {}, "content_type": "application/json"}
        return getattr(client, method)(where, headers=headers, **body)

    for method, route in API:
        same_as_none(ask, method, route, named(route, neighbours))


@pytest.mark.parametrize("who", ["alice", "vera", "bob"])
def test_by_pages_in_a_browsers_session(neighbours, who):
    client = browser(who)
    for method, route in PORTAL:
        same_as_none(lambda method, where: getattr(client, method)(where), method, route, named(route, neighbours))


def same_as_none(ask: Callable[[str, str], Any], method: str, route: str, row: Any) -> None:
    """What is asked of the neighbour's row is answered as of a row that there is not: mostly 404.

    403: the door is shut to the role, whichever row it is. 422: the body was looked at first.
    """
    theirs, nobodys = ask(method, address(route, row.pk)), ask(method, address(route, uuid4()))
    assert theirs.status_code == nobodys.status_code, (method, route, theirs.content[:200])
    assert theirs.status_code in (403, 404, 422), (method, route, theirs.status_code)
