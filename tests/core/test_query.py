"""What the query of a request may say: fields to show, parameters that there are, and what may be done to each row."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogs.models import Catalog, CatalogItem
from tenancy.models import AccessToken, RoleBinding, RoleName
from tests.cast import Api, make_person, make_user, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db
OFF, ON, NOTHING = "It is off already.", "It is on already.", "Nothing about it needs an order."
LISTS = [
    "organizations",
    "users",
    "role-bindings",
    "audit-entries",
    "vdcs",
    "vms",
    "catalogs",
    "catalog-items",
    "clusters",
    "tokens",
    "service-accounts",
    "invitations",
]


def test_only_the_fields_that_were_asked_for(api, cluster):
    vm = a_vm(a_vdc())
    root = api("root")
    assert root.get("vms?fields=name,phase").json()["items"] == [{"name": "web", "phase": "Pending"}]
    assert root.get(f"vms/{vm.pk}?fields=id,disks").json().keys() == {"id", "disks"}
    assert root.get("vms?fields=vdc_name").json()["items"] == [{"vdc_name": "dev"}]
    assert root.get("vdcs?fields=limits").json()["items"] == [{"limits": {}}]
    page = root.get("vms?fields=name&limit=1")
    assert page.json()["next"] is None


@pytest.mark.parametrize("path", LISTS)
def test_each_list_shows_any_one_of_its_fields(api, cluster, path):
    a_vm(a_vdc())
    root = api("root")
    for name in next(iter(root.get(path).json()["items"]), {}):
        answer = root.get(f"{path}?fields={name}")
        assert {tuple(item) for item in answer.json()["items"]} == {(name,)}, answer.content


@pytest.mark.parametrize("fields", ["colour", "name,colour", "", "name,", "name, phase", "user_data", "name,name2"])
def test_a_field_that_there_is_not_is_named_with_those_there_are(api, cluster, fields):
    answer = api("root").get(f"vms?fields={fields}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["rule"]) == (400, "fields", "unknown_field")
    assert "power_state" in error["message"]


def test_user_data_comes_only_when_it_is_among_the_fields(api, cluster):
    vdc = a_vdc()
    vm = a_vm(vdc, user_data="#cloud-config\npassword: hunter2\n")
    bob = make_person("bob")
    VirtualMachine.objects.filter(pk=vm.pk).update(owner=bob)
    assert "hunter2" in api("bob").get(f"vms/{vm.pk}?fields=user_data").json()["user_data"]
    assert api("root").get(f"vms/{vm.pk}?fields=name").json() == {"name": "web"}


@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_parameter_of_a_list_is_named(api, cluster, path):
    answer = api("root").get(f"{path}?colour=red")
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["field"], error["rule"]) == (400, "colour", "unknown_parameter")
    assert "limit" in error["message"]


def test_an_unknown_parameter_is_named_everywhere(api, cluster):
    root, vm = api("root"), a_vm(a_vdc())
    for method, path in (
        ("get", f"vms/{vm.pk}"),
        ("get", "me"),
        ("get", "auth/info"),
        ("post", "vms"),
        ("patch", f"vms/{vm.pk}"),
        ("delete", f"vms/{vm.pk}"),
        ("post", f"vms/{vm.pk}/stop"),
        ("post", "auth/login"),
        ("get", f"organizations/{vm.organization_id}/quota"),
    ):
        body: dict[str, str] | None = {} if method in ("post", "patch") else None
        answer = root.request(method, f"{path}?limit=5", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "limit"), (method, path)
    assert VirtualMachine.objects.get().deletion_requested_at is None


def test_without_a_sign_in_nobody_is_told_of_parameters(api):
    assert api(None).get("vms?colour=red").status_code == 401


def actions(client, path="vms"):
    return client.get(f"{path}?fields=allowed_actions").json()["items"][0]["allowed_actions"]


def test_the_state_of_a_vm_says_what_can_be_done(api, cluster):
    vm = a_vm(a_vdc())
    alice = api("alice")
    assert actions(alice) == {"edit": None, "start": ON, "stop": None, "order": NOTHING, "delete": None}
    assert alice.get(f"vms/{vm.pk}").json()["allowed_actions"] == actions(alice)
    assert alice.post(f"vms/{vm.pk}/stop").json()["allowed_actions"] == {
        "edit": None, "start": None, "stop": OFF, "order": NOTHING, "delete": None,
    }  # fmt: skip
    going = alice.delete(f"vms/{vm.pk}").json()["allowed_actions"]
    assert set(going.values()) == {"It is being deleted.", NOTHING}


def test_what_is_told_as_impossible_is_refused(api, cluster):
    """The table and the services agree: what can't be done by state is a 409 or changes nothing."""
    vm = a_vm(a_vdc())
    root = api("root")
    vm.organization.enabled = False
    vm.organization.save()
    told = actions(root)
    assert told["start"] == told["edit"] == "Its organization is disabled."
    assert told["stop"] is None
    assert root.patch(f"vms/{vm.pk}", {"description": "x"}).status_code == 409
    assert root.post(f"vms/{vm.pk}/start").status_code == 409
    assert root.post(f"vms/{vm.pk}/stop").status_code == 200
    type(vm.vdc).objects.update(deletion_requested_at=timezone.now() - timedelta(hours=1))
    vm.organization.enabled = True
    vm.organization.save()
    assert actions(root)["start"] == "Its VDC is being deleted."
    assert root.post(f"vms/{vm.pk}/start").status_code == 409


def test_a_role_that_lacks_a_right_is_told_so(api, cluster):
    a_vdc("dev")
    make_person("vera")
    told = actions(api("vera"), "vdcs")
    assert told["create_vm"] is None
    assert told["edit"] == "You lack the right vdc.edit here."
    assert actions(api("alice"), "vdcs") == {"edit": None, "delete": None, "create_vm": None}
    assert actions(api("alice"), "organizations") == {
        "edit": None,
        "create_vdc": None,
        **dict.fromkeys(
            ("delete", "disable", "enable", "undo_deletion"), "You lack the right organization.delete here."
        ),
    }
    assert actions(api("alice"), "role-bindings") == {"edit": None, "delete": None}
    assert actions(api("vera"), "role-bindings") == dict.fromkeys(
        ("edit", "delete"), "You lack the right binding.edit here."
    )


def test_who_has_different_rights_at_different_places_is_told_row_by_row(api, cluster):
    acme, globex = an_organization("acme"), an_organization("globex")
    for organization in (acme, globex):
        a_vdc("lab", organization=organization)
    mixed = make_user("mixed", RoleName.ORG_ADMIN, organization=acme)
    lab = globex.vdcs.get(name="lab")
    RoleBinding.objects.create(user=mixed, role=RoleName.VDC_ADMIN, organization=globex, vdc_id=lab.pk)
    client = Api(session_of(mixed))
    items = client.get("vdcs?fields=organization_name,allowed_actions").json()["items"]
    edit = {item["organization_name"]: item["allowed_actions"]["edit"] for item in items}
    assert edit == {"acme": None, "globex": "You lack the right vdc.edit here."}
    assert client.patch(f"vdcs/{lab.pk}", {"description": "x"}).status_code == 403


def test_allowed_actions_cost_no_query(api, cluster):
    a_vm(a_vdc())
    alice = api("alice")
    alice.get("vms")
    with CaptureQueriesContext(connection) as captured:
        alice.get("vms")
    assert len(captured) <= 2


MINE = {"delete": None}
NOT_MINE = {"delete": "You lack the right user.edit here."}


def test_what_may_be_done_to_access_tokens_and_service_accounts(api, acme):
    alice, root = api("alice"), api("root")
    account = alice.post("service-accounts", {"name": "ci", "organization": str(acme.pk)}).json()
    assert account["allowed_actions"]["create_token"] is None
    assert alice.post("tokens", {"name": "mine"}).json()["allowed_actions"] == MINE
    made = alice.post("tokens", {"name": "its", "service_account": account["id"]}).json()
    assert made["allowed_actions"] == MINE
    rights = ["organization.view", "user.view"]
    alice.post("roles", {"name": "looker", "organization": str(acme.pk), "rights": rights})
    lena = make_user("lena", home=acme)
    alice.post("role-bindings", {"user": str(lena.pk), "role": "looker", "organization": str(acme.pk)})
    client = Api(session_of(lena))
    assert client.post("tokens", {"name": "hers"}).status_code == 201
    told = {row["name"]: row["allowed_actions"] for row in client.get("tokens").json()["items"]}
    assert told == {"hers": MINE, "its": NOT_MINE}
    assert client.delete(f"tokens/{made['id']}").status_code == 403
    seen = client.get(f"service-accounts/{account['id']}").json()["allowed_actions"]
    assert seen["create_token"] == "You lack the right user.edit here."
    assert client.post("tokens", {"name": "x", "service_account": account["id"]}).status_code == 403
    for whole in (alice, root):
        assert {str(row["allowed_actions"]) for row in whole.get("tokens").json()["items"]} == {str(MINE)}
    assert root.delete(f"tokens/{made['id']}").status_code == 204


def test_what_may_be_done_with_catalogs_and_their_items(api, cluster):
    vdc, item = a_vdc(), an_item()
    alice, body = api("alice"), {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(item.pk)}
    for path in ("catalogs", "catalog-items"):
        assert actions(alice, path) == {"use": None}
    CatalogItem.objects.update(image=None)
    assert (actions(alice, "catalogs"), actions(alice, "catalog-items")) == ({"use": None}, {"use": "It has no image."})
    assert alice.post("vms", body).status_code == 422
    CatalogItem.objects.update(image=item.image)
    Catalog.objects.update(enabled=False)
    assert actions(alice, "catalogs") == {"use": "It is disabled."}
    assert actions(alice, "catalog-items") == {"use": "Its catalog is disabled."}
    assert alice.post("vms", body).status_code == 422
    Catalog.objects.update(enabled=True)
    rights = ["organization.view", "catalog.view", "vdc.view", "vm.view", "vm.create"]
    acme = vdc.organization
    alice.post("roles", {"name": "looker", "organization": str(acme.pk), "rights": rights})
    lena = make_user("lena", home=acme)
    alice.post("role-bindings", {"user": str(lena.pk), "role": "looker", "organization": str(acme.pk)})
    client = Api(session_of(lena))
    for path in ("catalogs", "catalog-items"):
        assert actions(client, path) == {"use": "You lack the right image.use here."}
    assert client.post("vms", body).status_code == 403
    assert alice.post("vms", body).status_code == 201


@pytest.mark.parametrize(
    "path", ["tokens", "service-accounts", "catalogs", "catalog-items", "role-bindings", "invitations"]
)
def test_they_cost_the_same_however_many_there_are(api, cluster, path):
    """For a person with rights at one place as for one with rights at all of them."""
    organization = an_organization("acme")
    an_item("one", organization=organization)
    for who in ("alice", "root"):
        client, counts = api(who), []
        for more in (0, 3):
            for number in range(more):
                account = make_user(f"robot-{who}-{number}", RoleName.USER, organization=organization)
                type(account).objects.filter(pk=account.pk).update(is_service=True)
                AccessToken.objects.create(
                    user=account, name="t", digest=f"{who}-{number}", expires_at=timezone.now() + timedelta(days=1)
                )
                an_item(f"{who}-{number}", organization=organization)
                body = {"organization": str(organization.pk), "email": f"{who}-{number}@example.org", "role": "user"}
                assert client.post("invitations", body).status_code == 201
            client.get(path)
            with CaptureQueriesContext(connection) as captured:
                assert client.get(path).status_code == 200
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 2, [query["sql"] for query in captured.captured_queries]
