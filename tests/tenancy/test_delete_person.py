"""An account that goes for good: what it takes along, what it hands over, and when it stays."""

import pytest

from core.models import AuditEntry, SavedView
from tenancy.models import RoleBinding, RoleName, Session, User
from tests.cast import actor_of, make_organization, make_person, make_user
from tests.domain import a_vdc, a_vm
from tests.portal import browser
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db


def problem(answer, status, field=None, rule=None):
    assert answer.status_code == status, answer.content
    body = answer.json()
    if field:
        assert (body["errors"][0]["field"], body["errors"][0]["rule"]) == (field, rule)
    return body


@pytest.fixture
def vdc(cluster):
    return a_vdc()


def bobs_vm(vdc, name="web"):
    return a_vm(vdc, name, actor=actor_of(make_person("bob")), power_state="off")


def test_it_goes_with_sessions_and_roles_and_the_audit_log_keeps_the_name(api, vdc):
    bob, signed_in = make_person("bob"), api("bob")
    SavedView.objects.create(owner_id=bob.pk, listing="vm", name="mine")
    gone = api("alice").delete(f"users/{bob.pk}", If_Match='"1"')
    assert (gone.status_code, gone.content) == (204, b"")
    assert signed_in.get("vdcs").status_code == 401
    assert not User.objects.filter(pk=bob.pk).exists()
    assert not Session.objects.filter(user_id=bob.pk).exists()
    assert not RoleBinding.objects.filter(user_id=bob.pk).exists()
    assert not SavedView.objects.exists()
    entry = AuditEntry.objects.get(action="user.delete")
    assert entry.before is not None
    assert (entry.actor_name, entry.object_name, entry.before["roles"]) == ("alice", "bob", ["user"])
    (told,) = api("alice").get("audit-entries?action=user.delete").json()["items"]
    assert told["object_name"] == "bob"
    problem(api("alice").delete(f"users/{bob.pk}"), 404)


def test_what_he_owns_keeps_him_until_an_heir_is_named(api, vdc):
    vm, vera, bob = bobs_vm(vdc), make_person("vera"), make_person("bob")
    kept = problem(api("alice").delete(f"users/{bob.pk}"), 409, "heir", "required")
    assert "1 virtual machine (" in kept["detail"]
    assert "web" in kept["detail"]
    assert User.objects.filter(pk=bob.pk).exists()
    assert api("alice").delete(f"users/{bob.pk}?heir={vera.pk}").status_code == 204
    vm.refresh_from_db()
    assert vm.owner == vera
    told = api("alice").get(f"vms/{vm.pk}").json()
    assert (told["owner_name"], told["generation"]) == ("vera", vm.generation)
    sentences = [item["sentence"] for item in api("alice").get(f"vms/{vm.pk}/timeline").json()["items"]]
    assert sentences[0] == "alice handed it over"
    assert sentences[-1].startswith("bob made it")


def test_an_heir_has_to_be_somebody_who_sees_what_he_is_given(api, vdc):
    bobs_vm(vdc)
    bob, alice = make_person("bob"), api("alice")
    make_person("charlie")
    stranger = make_user("eve", home=make_organization("acme"))
    off = make_user("kim", RoleName.USER, organization=make_organization("acme"))
    User.objects.filter(pk=off.pk).update(is_active=False)
    address = f"users/{bob.pk}?heir="
    problem(alice.delete(f"{address}{bob.pk}"), 422, "heir", "other")
    problem(alice.delete(f"{address}{off.pk}"), 422, "heir", "enabled")
    problem(alice.delete(f"{address}{User.objects.get(username='charlie').pk}"), 422, "heir", "not_found")
    problem(alice.delete(f"{address}x"), 400, "heir", "type")
    assert "web" in problem(alice.delete(f"{address}{stranger.pk}"), 409, "heir", "role")["detail"]
    assert VirtualMachine.objects.get().owner == bob


def test_machines_where_the_admin_has_no_say_are_not_named(api, vdc):
    """He made one in another organization and has lost the role there since."""
    bob = make_person("bob")
    theirs = a_vm(a_vdc("main", organization=make_organization("globex")), "secret", power_state="off")
    VirtualMachine.objects.filter(pk=theirs.pk).update(owner=bob)
    told = problem(api("alice").delete(f"users/{bob.pk}?heir={make_person('vera').pk}"), 409)
    assert "secret" not in str(told)
    assert "a system admin can do this" in told["detail"]


def test_oneself_and_the_last_admin_stay_and_the_list_says_so_before(api, vdc):
    root, alice = make_person("root"), make_person("alice")
    assert "own account" in problem(api("alice").delete(f"users/{alice.pk}"), 409)["detail"]
    assert "last organization admin of acme" in problem(api("root").delete(f"users/{alice.pk}"), 409)["detail"]
    second = make_user("second", RoleName.SYSTEM_ADMIN)
    User.objects.filter(pk=second.pk).update(is_active=False)
    assert "own account" in problem(api("root").delete(f"users/{root.pk}"), 409)["detail"]
    for path in ("users", f"users/{alice.pk}"):
        body = api("alice").get(path).json()
        rows = {row["username"]: row["allowed_actions"] for row in body.get("items", [body])}
        own = "It is your own account: another admin can do that."
        assert (rows["alice"]["disable"], rows["alice"]["delete"]) == (own, own)
        assert rows["alice"]["edit"] is None
    bob = make_person("bob")
    allowed = api("alice").get(f"users/{bob.pk}").json()["allowed_actions"]
    assert (allowed["disable"], allowed["delete"]) == (None, None)


def test_who_is_above_or_elsewhere_is_not_deleted(api, acme):
    admin = User.objects.create(username="founder", organization=acme)
    admin.bindings.create(role="system_admin")
    problem(api("alice").delete(f"users/{admin.pk}"), 403)
    for name in ("root", "charlie"):
        problem(api("alice").delete(f"users/{make_person(name).pk}"), 404)
    bob = make_person("bob")
    problem(api("alice").delete(f"users/{bob.pk}", If_Match='"7"'), 412)
    problem(api("vera").delete(f"users/{bob.pk}"), 403)


def test_a_trial_deletes_nobody(api, vdc):
    vm, bob = bobs_vm(vdc), make_person("bob")
    plan = api("alice").delete(f"users/{bob.pk}?dry_run=true&heir={make_person('vera').pk}")
    assert (plan.status_code, plan.json()["status"]) == (200, 204)
    vm.refresh_from_db()
    assert vm.owner == bob


def test_the_page_asks_for_the_name_and_for_an_heir(vdc):
    vm, bob = bobs_vm(vdc), make_person("bob")
    make_person("vera")
    alice = browser("alice")
    address = f"/people/{bob.pk}/delete/"
    assert address in alice.get(f"/people/{bob.pk}/").content.decode()
    seen = alice.get(address)
    assert "not its name" in alice.fill(address, seen=seen, confirm="bo").content.decode()
    refused = alice.fill(address, seen=alice.get(address), confirm="bob")
    assert refused.status_code == 409
    assert "name an heir" in refused.content.decode()
    unknown = alice.fill(address, seen=alice.get(address), confirm="bob", heir="zoe")
    assert "nobody of this user name" in unknown.content.decode()
    done = alice.fill(address, seen=alice.get(address), confirm="bob", heir="vera")
    assert (done.status_code, done.headers["Location"]) == (302, "/people/")
    vm.refresh_from_db()
    assert vm.owner.username == "vera"
    own = User.objects.get(username="alice")
    assert "/delete/" not in alice.get(f"/people/{own.pk}/").content.decode()
