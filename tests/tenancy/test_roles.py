"""Roles of an organization's own, groups, roles at a VM, and roles that end: through the API, as people meet them."""

from datetime import timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from core import access
from core.models import AuditEntry
from core.rights import Right
from tenancy.models import Group, Membership, Role, RoleBinding, RoleName, User
from tenancy.roles import GIVEN_TO_ROLES
from tenancy.services import bindings
from tests.cast import Api, actor_of, make_person, make_user, session_of
from tests.domain import OVIM, a_vdc, a_vm
from tests.tenancy.test_resources import refusal
from vms.kinds import RECIPE
from vms.models import Disk, VirtualMachine

pytestmark = pytest.mark.django_db
LOOK = ["organization.view", "vdc.view", "vm.view"]
OPERATOR = [*LOOK, "vm.power"]


def as_(user: User) -> Api:
    return Api(session_of(user))


def a_role(api, organization, name="operator", rights=OPERATOR, who="alice", **more):
    return api(who).post("roles", {"name": name, "organization": str(organization.pk), "rights": rights, **more})


def bind(api, who="alice", **body):
    return api(who).post("role-bindings", {name: str(value) for name, value in body.items()})


def names(client, path="vms"):
    return sorted(row["name"] for row in client.get(path).json()["items"])


def in_hours(hours):
    return (timezone.now() + timedelta(hours=hours)).isoformat()


@pytest.fixture
def dev(cluster, acme):
    make_person("alice")
    return a_vdc("dev", organization=acme)


@pytest.fixture
def nina(acme, dev):
    return make_user("nina", home=acme)


# Roles


def test_a_role_of_ones_own_gives_what_it_says_and_no_more(api, acme, dev, nina):
    assert a_role(api, acme).status_code == 201
    vm = a_vm(dev, "web")
    made = bind(api, user=nina.pk, role="operator", organization=acme.pk, vdc=dev.pk)
    assert (made.status_code, made.json()["role"], made.json()["vdc_name"]) == (201, "operator", "dev")
    client = as_(nina)
    assert names(client) == ["web"]
    assert client.post(f"vms/{vm.pk}/stop").json()["power_state"] == "off"
    refusal(client.patch(f"vms/{vm.pk}", {"description": "x"}), 403)
    refusal(client.delete(f"vms/{vm.pk}"), 403)
    reasons = client.get(f"vms/{vm.pk}").json()["allowed_actions"]
    assert (reasons["start"], reasons["delete"]) == (None, "You lack the right vm.delete here.")


def test_a_change_of_a_role_is_felt_at_the_next_request(api, acme, dev, nina):
    role = a_role(api, acme).json()
    vm = a_vm(dev, "web")
    bind(api, user=nina.pk, role="operator", organization=acme.pk)
    client = as_(nina)
    refusal(client.patch(f"vms/{vm.pk}", {"description": "x"}), 403)
    changed = api("alice").patch(f"roles/{role['id']}", {"rights": [*LOOK, "vm.edit"]}, If_Match='"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert client.patch(f"vms/{vm.pk}", {"description": "x"}).status_code == 200
    refusal(client.post(f"vms/{vm.pk}/stop"), 403)
    entry = AuditEntry.objects.get(action="role.edit")
    assert entry.before == {"rights": sorted(OPERATOR)}
    assert entry.after == {"rights": sorted([*LOOK, "vm.edit"])}


def test_a_role_for_ones_own_machines_shows_no_others(api, acme, dev, nina):
    a_role(api, acme, own_only=True)
    a_vm(dev, "others")
    bind(api, user=nina.pk, role="operator", organization=acme.pk)
    assert names(as_(nina)) == []


def test_what_is_the_providers_or_everybodys_own_is_refused_by_name(api, acme, dev):
    kept = sorted(set(Right) - GIVEN_TO_ROLES)
    assert {
        "cluster.edit",
        "cluster.view",
        "organization.create",
        "admin.open",
        "account",
        "self",
        "engine.operate",
    } <= {str(right) for right in kept}
    for right in kept:
        body = refusal(a_role(api, acme, rights=[*LOOK, right], who="root"), 422, "rights", "not_given")
        assert str(right) in body["detail"]
    assert "vm.fly" in refusal(a_role(api, acme, rights=["vm.fly"]), 422, "rights", "unknown")["detail"]
    refusal(a_role(api, acme, rights=[]), 422, "rights", "empty")
    for name in ("user", "org-admin"):
        refusal(a_role(api, acme, name=name), 422, "name", "reserved")
    assert not Role.objects.exists()


def test_a_role_that_is_bound_is_not_deleted_and_its_name_is_taken_once(api, acme, dev, nina):
    role = a_role(api, acme).json()
    refusal(a_role(api, acme), 409)
    binding = bind(api, user=nina.pk, role="operator", organization=acme.pk).json()
    seen = api("alice").get(f"roles/{role['id']}").json()
    assert seen["allowed_actions"] == {"edit": None, "delete": "It is given to somebody: take it away there first."}
    assert "nina" in refusal(api("alice").delete(f"roles/{role['id']}"), 409)["detail"]
    assert api("alice").delete(f"role-bindings/{binding['id']}").status_code == 204
    assert api("alice").delete(f"roles/{role['id']}").status_code == 204
    assert AuditEntry.objects.filter(action="role.delete", object_name="operator").exists()


def test_roles_and_groups_of_others_are_not_there(api, acme, globex, dev):
    role = a_role(api, acme).json()
    group = api("alice").post("groups", {"name": "ops", "organization": str(acme.pk)}).json()
    for path in (f"roles/{role['id']}", f"groups/{group['id']}"):
        for who in ("charlie", "nobody", "vera"):
            assert api(who).get(path).status_code == (403 if who == "nobody" else 404)
        refusal(api("charlie").delete(path), 404)
        refusal(api("charlie").patch(path, {"display_name": "x"}), 404)
    assert names(api("charlie"), "roles") == names(api("charlie"), "groups") == []
    refusal(a_role(api, acme, who="charlie"), 422, "organization")
    eve = make_user("eve", home=globex)
    refusal(bind(api, "charlie", user=eve.pk, role="operator", organization=globex.pk), 422, "role", "not_found")
    refusal(bind(api, "charlie", group=group["id"], role="user", organization=globex.pk), 422, "group")


# Groups


def a_group(api, organization, *members, name="ops", who="alice"):
    made = api(who).post("groups", {"name": name, "organization": str(organization.pk) if organization else None})
    assert made.status_code == 201, made.content
    for user in members:
        answer = api(who).post("memberships", {"group": made.json()["id"], "user": str(user.pk)})
        assert answer.status_code == 201, answer.content
    return Group.objects.get(pk=made.json()["id"])


def test_a_groups_role_is_its_peoples_as_long_as_they_are_in_it(api, acme, dev, nina):
    group = a_group(api, acme, nina)
    a_vm(dev, "web")
    client = as_(nina)
    refusal(client.get("vms"), 403)
    made = bind(api, group=group.pk, role="vdc_admin", organization=acme.pk, vdc=dev.pk)
    assert (made.json()["group_name"], made.json()["user"]) == ("ops", None)
    assert names(client) == ["web"]
    member = api("alice").get(f"memberships?user={nina.pk}").json()["items"][0]
    assert api("alice").delete(f"memberships/{member['id']}").status_code == 204
    refusal(client.get("vms"), 403)
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"group.create", "group.add_member", "group.remove_member"} <= actions


def test_a_deleted_group_takes_its_roles_with_it(api, acme, dev, nina):
    group = a_group(api, acme, nina)
    bind(api, group=group.pk, role="vdc_admin", organization=acme.pk)
    assert api("alice").delete(f"groups/{group.pk}").status_code == 204
    assert not RoleBinding.objects.filter(role="vdc_admin").exists()
    assert not Membership.objects.exists()
    refusal(as_(nina).get("vms"), 403)
    assert AuditEntry.objects.get(action="group.delete").before == {"name": "ops", "members": ["nina"]}


def test_a_role_is_given_to_a_person_or_a_group(api, acme, dev, nina):
    group = a_group(api, acme)
    refusal(bind(api, role="user", organization=acme.pk), 422, "user", "one")
    refusal(bind(api, role="user", organization=acme.pk, user=nina.pk, group=group.pk), 422, "user", "one")
    refusal(api("alice").post("memberships", {"group": str(group.pk), "user": str(make_person("charlie").pk)}), 422)


def test_the_same_person_is_in_a_group_once(api, acme, nina):
    group = a_group(api, acme, nina)
    refusal(api("alice").post("memberships", {"group": str(group.pk), "user": str(nina.pk)}), 409)


# At one VM


def test_who_is_bound_to_a_vm_sees_and_uses_that_one_alone(api, acme, dev, nina):
    web = a_vm(dev, "web")
    other = a_vm(dev, "other")
    made = bind(api, user=nina.pk, role="user", vm=web.pk)
    told = made.json()
    assert (made.status_code, told["vm_name"], told["vdc"], told["organization_name"]) == (
        201,
        "web",
        str(dev.pk),
        "acme",
    )
    client = as_(nina)
    assert names(client) == ["web"]
    assert client.get(f"vms/{web.pk}").json()["allowed_actions"]["edit"] is None
    assert client.patch(f"vms/{web.pk}", {"description": "mine to use"}).status_code == 200
    assert client.post(f"vms/{web.pk}/stop").status_code == 200
    for verb in ("start", "stop"):
        refusal(client.post(f"vms/{other.pk}/{verb}"), 404)
    refusal(client.get(f"vms/{other.pk}"), 404)
    # What its page needs: the names around it. Nothing can be made there.
    assert (names(client, "vdcs"), names(client, "organizations")) == (["dev"], ["acme"])
    assert client.get("catalog-items").status_code == 403
    refusal(client.post("vms", {"name": "new", "vdc": str(dev.pk)}), 403)
    assert client.delete(f"vms/{web.pk}").status_code == 202


def test_a_vm_of_others_is_no_place_to_give_a_role(api, acme, dev, nina, globex_main):
    theirs = a_vm(a_vdc("west", organization=globex_main.organization), "theirs")
    refusal(bind(api, user=nina.pk, role="user", vm=theirs.pk), 422, "vm", "not_found")
    web = a_vm(dev, "web")
    refusal(bind(api, user=nina.pk, role="user", vm=web.pk, vdc=globex_main.pk), 422, "vm", "not_found")
    refusal(bind(api, user=nina.pk, role="org_admin", vm=web.pk), 422, "vdc", "place")


def test_with_its_vm_a_binding_goes(api, acme, dev, nina):
    web = a_vm(dev, "web")
    bind(api, user=nina.pk, role="user", vm=web.pk)
    RECIPE.gone(web)
    assert not RoleBinding.objects.filter(user=nina).exists()
    assert not Disk.objects.filter(vm=web).exists()
    assert AuditEntry.objects.filter(action="binding.delete").exists()


# Roles that end


def test_a_role_has_no_effect_from_its_end_on_and_is_tidied_away_later(api, acme, dev, nina):
    a_vm(dev, "web")
    made = bind(api, user=nina.pk, role="vdc_admin", organization=acme.pk, expires_at=in_hours(1))
    assert made.status_code == 201
    client = as_(nina)
    assert names(client) == ["web"]
    RoleBinding.objects.filter(user=nina).update(expires_at=timezone.now())
    refusal(client.get("vms"), 403)
    assert RoleBinding.objects.filter(user=nina).exists()
    assert bindings.expire_all() == 1
    entry = AuditEntry.objects.get(action="binding.expire")
    assert (entry.actor_name, (entry.before or {})["user"]) == ("expiry", str(nina.pk))
    assert bindings.expire_all() == 0


def test_what_has_ended_does_not_stand_in_the_way_of_the_same_role(api, acme, nina):
    bind(api, user=nina.pk, role="user", organization=acme.pk, expires_at=in_hours(1))
    refusal(bind(api, user=nina.pk, role="user", organization=acme.pk), 409)
    RoleBinding.objects.filter(user=nina).update(expires_at=timezone.now())
    assert bind(api, user=nina.pk, role="user", organization=acme.pk).status_code == 201


def test_a_moment_that_is_past_is_refused(api, acme, nina):
    refusal(
        bind(api, user=nina.pk, role="user", organization=acme.pk, expires_at=in_hours(-1)), 422, "expires_at", "past"
    )


# Nobody raises himself


def a_giver(api, acme, user, rights, **where):
    """Somebody with a role of the organization's own that gives roles."""
    role = [*LOOK, "user.view", "binding.view", "binding.edit", *rights]
    assert a_role(api, acme, "giver", role).status_code == 201
    made = bind(api, user=user.pk, role="giver", organization=acme.pk, **where)
    assert made.status_code == 201, made.content
    return as_(user)


def test_nobody_gives_or_makes_more_than_he_has(api, acme, dev, nina):
    client = a_giver(api, acme, nina, ["vm.power"])
    eve = make_user("eve", home=acme)
    body = {"user": str(eve.pk), "organization": str(acme.pk)}
    refusal(client.post("role-bindings", body | {"role": "org_admin"}), 403)
    refusal(client.post("role-bindings", body | {"role": "user"}), 403)  # a user may delete machines
    refusal(client.post("roles", {"name": "more", "organization": str(acme.pk), "rights": ["vm.delete"]}), 403)
    made = client.post("roles", {"name": "less", "organization": str(acme.pk), "rights": OPERATOR})
    assert made.status_code == 201
    assert client.post("role-bindings", body | {"role": "less"}).status_code == 201
    refusal(client.patch(f"roles/{made.json()['id']}", {"rights": [*OPERATOR, "vm.edit"]}), 403)
    high = a_role(api, acme, "high", ["vm.delete", "vm.view"]).json()
    refusal(client.patch(f"roles/{high['id']}", {"rights": ["vm.view"]}), 403)  # nor takes it from others
    refusal(client.delete(f"roles/{high['id']}"), 403)


def test_nobody_adds_to_a_role_that_he_has_himself(api, acme, dev, nina):
    client = a_giver(api, acme, nina, ["vm.power"])
    assert bind(api, user=nina.pk, role="vdc_admin", organization=acme.pk, expires_at=in_hours(1)).status_code == 201
    giver = Role.objects.get(name="giver")
    more = client.patch(f"roles/{giver.pk}", {"rights": [*giver.rights, "vm.delete"]})
    assert "yourself" in refusal(more, 409)["detail"]
    less = [name for name in giver.rights if name != "vm.power"]
    assert client.patch(f"roles/{giver.pk}", {"rights": less}).status_code == 200


def test_a_group_with_more_than_one_has_is_not_ones_to_change(api, acme, dev, nina):
    client = a_giver(api, acme, nina, ["vm.power"])
    group = a_group(api, acme, name="admins")
    bind(api, group=group.pk, role="org_admin", organization=acme.pk)
    refusal(client.post("memberships", {"group": str(group.pk), "user": str(nina.pk)}), 403)
    refusal(client.patch(f"groups/{group.pk}", {"external": "everybody"}), 403)
    refusal(client.delete(f"groups/{group.pk}"), 403)
    assert not Membership.objects.exists()


def test_who_gives_roles_in_one_vdc_gives_them_there_alone(api, acme, dev, nina):
    client = a_giver(api, acme, nina, ["vm.power"], vdc=dev.pk)
    prod = a_vdc("prod", organization=acme)
    eve = make_user("eve", home=acme)
    body = {"user": str(eve.pk), "role": "giver", "organization": str(acme.pk)}
    for where in ({"vdc": str(prod.pk)}, {}):
        answer = client.post("role-bindings", body | where)
        assert answer.status_code in (403, 422), answer.content
    assert RoleBinding.objects.filter(user=eve).count() == 0


def test_nobody_makes_his_own_role_last_longer(api, acme, dev, nina):
    ends = in_hours(2)
    assert bind(api, user=nina.pk, role="org_admin", organization=acme.pk, expires_at=ends).status_code == 201
    client = as_(nina)
    body = {"user": str(nina.pk), "organization": str(acme.pk)}
    assert "for longer" in refusal(client.post("role-bindings", body | {"role": "vdc_admin"}), 403)["detail"]
    group = a_group(api, acme, name="admins")
    bind(api, group=group.pk, role="vdc_admin", organization=acme.pk)
    assert (
        "for longer"
        in refusal(client.post("memberships", {"group": str(group.pk), "user": str(nina.pk)}), 403)["detail"]
    )
    assert client.post("role-bindings", body | {"role": "vdc_admin", "expires_at": in_hours(1)}).status_code == 201
    eve = make_user("eve", home=acme)
    assert client.post("memberships", {"group": str(group.pk), "user": str(eve.pk)}).status_code == 201


def test_an_account_of_a_program_gets_nothing_that_outlasts_who_gives_it(api, acme, dev, nina):
    """Its tokens are in his hands: it would be himself for longer."""
    bind(api, user=nina.pk, role="org_admin", organization=acme.pk, expires_at=in_hours(2))
    client = as_(nina)
    robot = client.post("service-accounts", {"name": "ci", "organization": str(acme.pk)}).json()
    body = {"user": robot["id"], "organization": str(acme.pk), "role": "vdc_admin"}
    assert "for longer" in refusal(client.post("role-bindings", body), 403)["detail"]
    assert client.post("role-bindings", body | {"expires_at": in_hours(1)}).status_code == 201
    assert api("alice").post("role-bindings", body | {"role": "user"}).status_code == 201


def test_an_organization_goes_with_its_roles_groups_and_what_is_bound(acme, globex, dev, nina):
    role = Role.objects.create(organization=globex, name="operator", rights=LOOK)
    group = Group.objects.create(organization=globex, name="ops")
    provider = Group.objects.create(organization=None, name="ops")
    Membership.objects.create(group=group, user=nina)
    for holder in ({"user": nina}, {"group": group}, {"group": provider}):
        RoleBinding.objects.create(custom=role, organization=globex, **holder)
    globex.delete()
    assert (Role.objects.count(), list(Group.objects.all()), Membership.objects.count()) == (0, [provider], 0)
    assert not RoleBinding.objects.filter(custom__isnull=False).exists()


def test_only_who_was_given_machines_pays_for_it_in_the_query(acme, dev, nina):
    web = a_vm(dev, "web")
    bindings.bind_role(actor=OVIM, user=nina, role=RoleName.USER, vm_id=web.pk)
    assert access.reach(actor_of(nina), VirtualMachine, Right.VM_VIEW) == Q(id=web.pk)
    for name in ("alice", "vera", "bob"):
        where = access.reach(actor_of(make_person(name)), VirtualMachine, Right.VM_VIEW)
        assert where is not None
        assert "('id'" not in str(where)


def test_who_has_rights_through_a_group_is_above_who_has_them_not(api, acme, dev, nina):
    """Else whoever may set passwords could set that of somebody above himself."""
    eve = make_user("eve", home=acme)
    group = a_group(api, acme, eve, name="admins")
    bind(api, group=group.pk, role="org_admin", organization=acme.pk)
    assert a_role(api, acme, "desk", [*LOOK, "user.view", "user.edit"]).status_code == 201
    bind(api, user=nina.pk, role="desk", organization=acme.pk)
    refusal(as_(nina).post(f"users/{eve.pk}/reset-password", {}), 403)
    tom = make_user("tom", home=acme)
    assert as_(nina).post(f"users/{tom.pk}/reset-password", {}).status_code == 200


# Tokens


def test_a_token_for_a_vdc_has_no_more_of_it_than_ones_vm(api, acme, dev, nina):
    web = a_vm(dev, "web")
    a_vm(dev, "other")
    bind(api, user=nina.pk, role="user", vm=web.pk)
    made = as_(nina).post("tokens", {"name": "ci", "vdcs": [str(dev.pk)]})
    assert made.status_code == 201, made.content
    program = Api()
    program.headers["Authorization"] = f"Bearer {made.json()['token']}"
    assert names(program) == ["web"]


def test_built_in_roles_are_bound_by_ovim_as_before(acme, dev, nina):
    binding = bindings.bind_role(actor=OVIM, user=nina, role=RoleName.USER, organization=acme, vdc_id=dev.pk)
    bindings.unbind_role(actor=OVIM, binding=binding)
    assert not RoleBinding.objects.filter(user=nina).exists()
