"""If-Match: a write that was decided on an old view of a row is refused, wherever a row can be changed."""

import pytest

from core.actor import system_actor
from core.api.preconditions import allowed
from core.errors import BadParameter
from tenancy.models import Group, Organization, Role
from tenancy.oidc.rows import IdentityProvider
from tenancy.services.service_accounts import create_service_account
from tests.cast import PASSWORD, make_cluster, make_organization, make_person
from tests.domain import a_vdc, a_vm
from tests.test_permissions import TABLE

pytestmark = pytest.mark.django_db
# Every write to a row that has a generation: method, address, a body that changes something.
WRITES = {
    ("patch", "api/v1/organizations/<uuid:pk>"): {"description": "new"},
    ("delete", "api/v1/organizations/<uuid:pk>"): None,
    ("patch", "api/v1/users/<uuid:pk>"): {"full_name": "New"},
    ("delete", "api/v1/users/<uuid:pk>"): None,
    ("post", "api/v1/users/<uuid:pk>/reset-password"): {"password": PASSWORD + " 12"},
    ("post", "api/v1/users/<uuid:pk>/disable"): None,
    ("post", "api/v1/users/<uuid:pk>/enable"): None,
    ("put", "api/v1/organizations/<uuid:pk>/quota"): {"limits": {}, "mode": "elastic"},
    ("patch", "api/v1/vdcs/<uuid:pk>"): {"description": "new"},
    ("delete", "api/v1/vdcs/<uuid:pk>"): None,
    ("patch", "api/v1/vms/<uuid:pk>"): {"description": "new"},
    ("delete", "api/v1/vms/<uuid:pk>"): None,
    ("post", "api/v1/vms/<uuid:pk>/start"): None,
    ("post", "api/v1/vms/<uuid:pk>/stop"): None,
    ("post", "api/v1/vms/<uuid:pk>/orders"): {"order": "repair"},
    ("patch", "api/v1/service-accounts/<uuid:pk>"): {"full_name": "builds"},
    ("post", "api/v1/service-accounts/<uuid:pk>/disable"): None,
    ("post", "api/v1/service-accounts/<uuid:pk>/enable"): None,
    ("delete", "api/v1/service-accounts/<uuid:pk>"): None,
    ("patch", "api/v1/roles/<uuid:pk>"): {"display_name": "New"},
    ("delete", "api/v1/roles/<uuid:pk>"): None,
    ("patch", "api/v1/groups/<uuid:pk>"): {"display_name": "New"},
    ("delete", "api/v1/groups/<uuid:pk>"): None,
    ("post", "api/v1/organizations/<uuid:pk>/disable"): {"vms": "keep"},
    ("post", "api/v1/organizations/<uuid:pk>/enable"): None,
    ("patch", "api/v1/identity-providers/<uuid:pk>"): {"display_name": "New"},
    ("delete", "api/v1/identity-providers/<uuid:pk>"): None,
    ("patch", "api/v1/clusters/<uuid:pk>"): {"display_name": "New"},
    ("post", "api/v1/clusters/<uuid:pk>/drain"): None,
    ("delete", "api/v1/clusters/<uuid:pk>"): None,
}
# Nothing that somebody decided on is changed, or no generation says so.
UNVERSIONED = {
    ("delete", "api/v1/orphans/<uuid:pk>"),  # by the uid of the object itself
    ("delete", "api/v1/me/sessions/<uuid:pk>"),
    ("delete", "api/v1/tokens/<uuid:pk>"),
    ("post", "api/v1/users/<uuid:pk>/reset-second-factor"),
    ("post", "api/v1/clusters/<uuid:pk>/audit"),
    ("post", "api/v1/clusters/<uuid:pk>/check"),
    ("post", "api/v1/clusters/<uuid:pk>/forget"),  # by its name, typed
    ("post", "api/v1/vdcs/<uuid:pk>/unmanaged/<str:name>/adopt"),  # of a machine that has no row yet
    ("patch", "api/v1/role-bindings/<uuid:pk>"),
    ("delete", "api/v1/role-bindings/<uuid:pk>"),
    ("delete", "api/v1/memberships/<uuid:pk>"),
    ("put", "api/v1/organizations/<uuid:pk>/audit-retention"),
    ("put", "api/v1/organizations/<uuid:pk>/logo"),
    ("delete", "api/v1/organizations/<uuid:pk>/logo"),
    ("post", "api/v1/organizations/<uuid:pk>/undo-deletion"),
    ("delete", "api/v1/invitations/<uuid:pk>"),
    ("post", "api/v1/invitations/<uuid:pk>/resend"),
    ("post", "api/v1/identity-providers/<uuid:pk>/check"),
    ("post", "api/v1/identity-providers/<uuid:pk>/try"),
    ("delete", "api/v1/me/identities/<uuid:pk>"),
}


ASKS_A_CLUSTER = {("put", "api/v1/clusters/<uuid:pk>/access")}  # tests/clusters/test_register.py


def test_every_write_to_a_row_is_here():
    written = {row for row in TABLE if "<uuid:pk>" in row[1] and row[1].startswith("api/") and row[0] != "get"}
    assert written == set(WRITES) | UNVERSIONED | ASKS_A_CLUSTER


def a_row(route: str) -> str:
    """The address of a row that the write may be done to."""
    noun = route.split("/")[2]
    if noun == "organizations":
        pk = a_vdc().organization_id
        Organization.objects.filter(pk=pk).update(enabled=not route.endswith("enable"))
    elif noun == "clusters":
        pk = make_cluster("east", default=False).pk
    elif noun == "service-accounts":
        pk = create_service_account(actor=system_actor("test"), name="ci").pk
    elif noun == "roles":
        pk = Role.objects.create(organization=make_organization("acme"), name="operator", rights=["vm.view"]).pk
    elif noun == "groups":
        pk = Group.objects.create(organization=make_organization("acme"), name="ops").pk
    elif noun == "identity-providers":
        pk = IdentityProvider.objects.create(
            organization=make_organization("acme"), name="sso", display_name="SSO", issuer="https://sso.example.org",
            client_id="ovim",
        ).pk  # fmt: skip
    elif noun == "users":
        pk = make_person("bob").pk
    else:
        pk = a_vdc().pk if noun == "vdcs" else a_vm(a_vdc()).pk
    return "/" + route.replace("<uuid:pk>", str(pk))


@pytest.mark.parametrize(("method", "route"), sorted(WRITES))
def test_an_old_etag_is_412_with_the_current_one(api, cluster, method, route):
    root, address, body = api("root"), a_row(route), WRITES[method, route]
    verbs = ("start", "stop", "orders", "reset-password", "disable", "enable", "drain")
    address_of_row = address.rpartition("/")[0] if address.endswith(verbs) else address
    current = root.get(address_of_row).headers["ETag"]
    for stale in ('"999"', f"W/{current}", '"x"', '"998", "999"', '""', "", ","):
        answer = root.request(method, address, body, If_Match=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale"), (stale, answer.content)
        assert f'"{answer.json()["current"]}"' == current
    for malformed in ("1", "W/1", '"1', '"1" "2"', "*, *", '"1", *', '"3, 4"', '"a\x7f"'):
        answer = root.request(method, address, body, If_Match=malformed)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "If-Match"), malformed
    assert root.get(address_of_row).headers["ETag"] == current
    if (method == "delete" and "organizations" in route) or route.endswith("/orders"):
        return  # it has a VDC, or nothing to be ordered; that the right tag passes is shown by what is then refused
    answer = root.request(method, address, body, If_Match=f'"999", {current}')
    assert answer.status_code in (200, 202, 204), answer.content


def test_an_organization_with_the_right_etag_goes(api, cluster, acme):
    root = api("root")
    tag = root.get(f"organizations/{acme.pk}").headers["ETag"]
    assert root.delete(f"organizations/{acme.pk}", If_Match='"999"').status_code == 412
    assert root.delete(f"organizations/{acme.pk}", If_Match=tag).status_code == 202


def test_a_star_and_no_header_are_unconditional(api, cluster):
    root, vm = api("root"), a_vm(a_vdc())
    assert root.patch(f"vms/{vm.pk}", {"description": "a"}, If_Match=" * ").status_code == 200
    assert root.patch(f"vms/{vm.pk}", {"description": "b"}).status_code == 200


def test_what_has_no_etag_meets_no_condition_but_the_star(api, cluster):
    root, bob = api("root"), make_person("bob")
    binding = root.get(f"role-bindings?user={bob.pk}").json()["items"][0]["id"]
    assert root.delete(f"role-bindings/{binding}", If_Match='"1"').status_code == 412
    assert root.delete(f"role-bindings/{binding}", If_Match="*").status_code == 204


def test_if_match_says_nothing_about_what_is_new(api, cluster):
    body = {"username": "dora", "password": PASSWORD + " 12"}
    assert api("root").post("users", body, If_Match='"1"').status_code == 201
    assert api("root").post("users", body, If_Match="1").status_code == 400


@pytest.mark.parametrize(
    ("header", "generations"),
    [
        (None, None),
        ("*", None),
        ('"3"', {3}),
        ('"3","4" , W/"5"', {3, 4}),
        (',"3",,', {3}),
        ('W/"3"', set()),
        ('"' + "9" * 30 + '"', set()),
    ],
)
def test_forms_of_if_match(header, generations):
    assert allowed(header) == generations


def test_a_header_of_any_length_is_looked_at_once():
    with pytest.raises(BadParameter):
        allowed('"3",' * 5000)
    with pytest.raises(BadParameter):
        allowed(" " * 4000 + "x")
