"""Pages of roles, groups, and of who may do what with one VM: made, changed and taken away by forms."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.rights import Right
from tenancy.models import Group, Role, RoleBinding
from tenancy.right_words import in_words, offered
from tenancy.roles import GIVEN_TO_ROLES
from tests.cast import make_person, make_user
from tests.domain import a_vdc, a_vm
from tests.portal import browser, text

pytestmark = pytest.mark.django_db
TICKS = {"right-vm-view": "on", "right-vm-power": "on", "right-vdc-view": "on"}


@pytest.fixture
def dev(cluster, acme):
    make_person("alice")
    return a_vdc("dev", organization=acme)


def test_every_right_of_a_role_has_words():
    told = [right for _, words in offered(GIVEN_TO_ROLES) for right, word in words if word != str(right)]
    assert sorted(told) == sorted(GIVEN_TO_ROLES)
    assert in_words([Right.VM_VIEW, Right.VM_POWER, Right.VDC_VIEW]) == "Machines: see, start and stop · VDCs: see"
    assert in_words([Right.CLUSTER_EDIT]) == "nothing here"


def test_a_role_is_made_changed_and_deleted_in_words(acme, dev):
    alice = browser("alice")
    address = f"/orgs/{acme.pk}/roles/"
    assert alice.fill(f"{address}new/", name="operator", display_name="Operator", **TICKS).status_code == 302
    role = Role.objects.get(name="operator")
    assert role.rights == ["vdc.view", "vm.power", "vm.view"]
    page = text(alice.get(address))
    assert "Operator" in page
    assert "Machines: see, start and stop · VDCs: see" in page
    assert "Organization admin" in page
    edit = alice.get(f"/own-roles/{role.pk}/edit/").content.decode()
    assert 'name="right-vm-view" ' in edit
    assert 'name="right-cluster-edit"' not in edit
    assert (
        alice.fill(f"/own-roles/{role.pk}/edit/", display_name="Watcher", **{"right-vm-view": "on"}).status_code == 302
    )
    role.refresh_from_db()
    assert (role.display_name, role.rights) == ("Watcher", ["vm.view"])
    empty = alice.fill(f"/own-roles/{role.pk}/edit/", display_name="Watcher")
    assert (empty.status_code, "without any right" in text(empty)) == (422, True)
    assert alice.fill(f"/own-roles/{role.pk}/delete/").status_code == 302
    assert not Role.objects.exists()


def test_a_group_is_made_filled_given_a_role_and_deleted(acme, dev):
    alice = browser("alice")
    nina = make_user("nina", home=acme)
    assert alice.fill(f"/orgs/{acme.pk}/groups/new/", name="ops", display_name="Operations").status_code == 302
    group = Group.objects.get()
    address = f"/groups/{group.pk}/"
    assert alice.fill(address, username="nina").status_code == 302
    assert "nina" in text(alice.get(address))
    nobody = alice.fill(address, username="charlie")
    assert (nobody.status_code, "nobody of this user name" in text(nobody)) == (422, True)
    given = {"group": str(group.pk), "role": "vdc_admin", "place": f"vdc:{dev.pk}"}
    assert alice.fill(f"/vdcs/{dev.pk}/people/", **given).status_code == 302
    assert "ops group VDC admin acme / dev" in text(alice.get(f"/vdcs/{dev.pk}/people/"))
    assert "VDC admin by the group ops" in text(alice.get(f"/people/{nina.pk}/"))
    assert "Operations" in text(alice.get(f"/orgs/{acme.pk}/groups/"))
    assert alice.fill(f"{address}edit/", display_name="Ops", external="grp-ops").status_code == 302
    assert alice.fill(f"/memberships/{nina.memberships.get().pk}/remove/").status_code == 302
    assert "Nobody yet" in text(alice.get(address))
    assert alice.fill(f"{address}delete/").status_code == 302
    assert not RoleBinding.objects.filter(role="vdc_admin").exists()


def test_a_role_for_one_vm_with_an_end_is_given_on_its_page(acme, dev):
    alice = browser("alice")
    nina = make_user("nina", home=acme)
    web = a_vm(dev, "web")
    role = Role.objects.create(organization=acme, name="operator", rights=["vm.view", "vm.power"])
    address = f"/vms/{web.pk}/people/"
    assert address in alice.get(f"/vms/{web.pk}/").content.decode()
    until = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    given = {"username": "nina", "role": str(role.pk), "place": f"vm:{web.pk}", "until": until}
    assert alice.fill(address, **given).status_code == 302
    binding = RoleBinding.objects.get(user=nina)
    assert (binding.custom, binding.vm_id, binding.vdc_id, binding.expires_at is not None) == (
        role,
        web.pk,
        dev.pk,
        True,
    )
    page = text(alice.get(address))
    assert f"nina operator acme / dev / web Machines: see, start and stop Ends: {until.replace('T', ' ')}" in page
    assert "alice Organization admin acme Machines: see, change, start and stop, delete" in page
    past = alice.fill(address, **given | {"role": "user", "until": "2020-01-01T00:00"})
    assert (past.status_code, "moment is past" in text(past)) == (422, True)
    assert alice.fill(f"/roles/{binding.pk}/remove/").status_code == 302
    assert not RoleBinding.objects.filter(user=nina).exists()


def test_who_neither_sees_nor_gives_roles_has_no_such_pages(acme, dev):
    web = a_vm(dev, "web")
    group = Group.objects.create(organization=acme, name="ops")
    role = Role.objects.create(organization=acme, name="operator", rights=["vm.view"])
    vera, charlie = browser("vera"), browser("charlie")
    page = vera.get(f"/vms/{web.pk}/people/")
    assert (page.status_code, 'name="role"' in page.content.decode()) == (200, False)
    assert vera.post(f"/vms/{web.pk}/people/", {"username": "vera", "role": "user"}).status_code == 403
    assert browser("bob").get(f"/vms/{web.pk}/people/").status_code == 403
    for address in (
        f"/vms/{web.pk}/people/",
        f"/orgs/{acme.pk}/roles/",
        f"/orgs/{acme.pk}/groups/new/",
        f"/groups/{group.pk}/",
        f"/groups/{group.pk}/delete/",
        f"/own-roles/{role.pk}/edit/",
        f"/people/{make_person('bob').pk}/preview/",
    ):
        assert charlie.get(address).status_code == 404, address
        assert charlie.post(address, {}).status_code in (404, 405), address
