"""Who sees which rows, asked of the decision itself."""

from uuid import uuid4

import pytest

from catalogs.models import Catalog, Image
from clusters.models import Cluster
from core import access
from core.actor import system_actor
from core.errors import Forbidden, NotFound
from core.models import AuditEntry
from core.rights import Right
from tenancy.models import Organization, RoleBinding, RoleName, Session, User
from tests.cast import actor_of, make_organization, make_person, make_user, make_vdc
from vdcs.models import Vdc
from vms.models import Disk, DiskSource, VirtualMachine

pytestmark = pytest.mark.django_db


def make_vm(vdc, name, owner=None):
    return VirtualMachine.objects.create(
        organization=vdc.organization, vdc=vdc, name=name, owner=owner, cpu=1, memory_mib=512
    )


def names(actor, model, right):
    return sorted(str(row) for row in access.visible(actor, model.objects.all(), right))


@pytest.fixture
def machines(acme_dev, acme_prod, globex_main):
    bob, vera = make_person("bob"), make_person("vera")
    make_vm(acme_dev, "bobs", bob)
    make_vm(acme_dev, "veras", vera)
    make_vm(acme_prod, "bobs-old", bob)
    make_vm(globex_main, "theirs")


def test_a_system_admin_sees_all(machines, root):
    assert names(root, VirtualMachine, Right.VM_VIEW) == ["bobs", "bobs-old", "theirs", "veras"]


def test_ovim_itself_sees_all(machines):
    assert len(names(system_actor("sweep"), VirtualMachine, Right.VM_VIEW)) == 4


def test_an_organization_admin_sees_his_organization(machines, alice, charlie):
    assert names(alice, VirtualMachine, Right.VM_VIEW) == ["bobs", "bobs-old", "veras"]
    assert names(charlie, VirtualMachine, Right.VM_VIEW) == ["theirs"]


def test_a_vdc_admin_sees_his_vdc(machines, vera):
    assert names(vera, VirtualMachine, Right.VM_VIEW) == ["bobs", "veras"]


def test_a_user_sees_what_he_owns_where_he_is_bound(machines, bob):
    assert names(bob, VirtualMachine, Right.VM_VIEW) == ["bobs"]


def test_who_has_no_role_sees_nothing(machines, nobody):
    for model, right in ((VirtualMachine, Right.VM_VIEW), (Vdc, Right.VDC_VIEW), (Organization, Right.VDC_VIEW)):
        assert names(nobody, model, right) == []


def test_a_user_of_a_whole_organization_sees_its_vdcs_and_his_own_machines(machines, acme):
    bill = make_user("bill", RoleName.USER, organization=acme)
    make_vm(Vdc.objects.get(name="prod"), "bills", bill)
    actor = actor_of(bill)
    assert names(actor, VirtualMachine, Right.VM_VIEW) == ["bills"]
    assert names(actor, Vdc, Right.VDC_VIEW) == names(actor, Vdc, Right.VM_CREATE) == ["dev", "prod"]


def test_disks_follow_the_owner_of_their_machine(machines, bob, acme_dev):
    for vm in VirtualMachine.objects.filter(vdc=acme_dev):
        Disk.objects.create(vdc=acme_dev, vm=vm, name=f"{vm}-root", source=DiskSource.BLANK, size_gib=1)
    Disk.objects.create(vdc=acme_dev, name="loose", source=DiskSource.BLANK, size_gib=1)
    assert names(bob, Disk, Right.VM_VIEW) == ["bobs-root"]


def test_a_vdcs_people_see_their_vdc_and_may_make_machines_in_it(vera, bob, acme_dev, acme_prod):
    for actor in (vera, bob):
        assert names(actor, Vdc, Right.VDC_VIEW) == ["dev"]
        assert access.allows(actor, Right.VM_CREATE, acme_dev)
        assert not access.allows(actor, Right.VM_CREATE, acme_prod)
        assert not access.allows(actor, Right.VDC_EDIT, acme_dev)


def test_a_vdcs_people_see_their_own_organization_only(vera, bob, globex):
    for actor in (vera, bob):
        assert names(actor, Organization, Right.ORGANIZATION_VIEW) == ["acme"]
        assert names(actor, Organization, Right.ORGANIZATION_EDIT) == []


def test_catalogs_of_the_provider_are_for_all_with_a_role(bob, charlie, nobody, acme, globex):
    for owner, name in ((None, "provider"), (acme, "acme"), (globex, "globex")):
        catalog = Catalog.objects.create(organization=owner, name=name, display_name=name)
        Image.objects.create(catalog=catalog, name=f"image-{name}", url="http://127.0.0.1/i", min_disk_gib=1)
    assert names(bob, Catalog, Right.CATALOG_VIEW) == ["acme", "provider"]
    assert names(charlie, Image, Right.IMAGE_USE) == ["image-globex", "image-provider"]
    assert names(charlie, Catalog, Right.CATALOG_EDIT) == ["globex"]
    assert names(nobody, Catalog, Right.CATALOG_VIEW) == []


def test_two_roles_add_up_and_no_row_comes_twice(machines, acme, acme_dev, acme_prod):
    bob = make_person("bob")
    for vdc in (acme_dev, acme_prod):
        RoleBinding.objects.get_or_create(user=bob, role=RoleName.VDC_ADMIN, organization=acme, vdc_id=vdc.pk)
    make_user("bob", RoleName.USER, organization=acme)
    actor = actor_of(bob)
    assert names(actor, VirtualMachine, Right.VM_VIEW) == ["bobs", "bobs-old", "veras"]
    assert names(actor_of(make_person("alice")), User, Right.USER_VIEW) == ["alice", "bob", "vera"]


def test_own_rows_only_by_the_right_to_oneself(alice, bob):
    assert {session.user_id for session in access.visible(bob, Session.objects.all(), Right.SELF)} == {bob.user_id}
    assert not access.visible(bob, Cluster.objects.all(), Right.SELF).exists()


def test_a_disabled_organization_gives_no_access(acme):
    vera = make_person("vera")
    guest = make_user("guest", RoleName.ORG_ADMIN, organization=acme, home=make_organization("globex"))
    acme.enabled = False
    acme.save()
    with pytest.raises(AssertionError):
        actor_of(vera)
    assert actor_of(guest).grants == ()


def test_audit_is_seen_by_organization(root, alice, charlie, bob, acme):
    AuditEntry.objects.create(actor_name="x", action="a.b", organization_id=acme.pk)
    AuditEntry.objects.create(actor_name="x", action="c.d")
    assert len(names(root, AuditEntry, Right.AUDIT_VIEW)) == 2
    assert len(names(alice, AuditEntry, Right.AUDIT_VIEW)) == 1
    assert names(charlie, AuditEntry, Right.AUDIT_VIEW) == names(bob, AuditEntry, Right.AUDIT_VIEW) == []


def test_get_answers_the_same_for_missing_and_hidden(alice, globex_main):
    with pytest.raises(NotFound) as hidden:
        access.get(alice, Vdc.objects.all(), globex_main.pk, Right.VDC_VIEW)
    with pytest.raises(NotFound) as missing:
        access.get(alice, Vdc.objects.all(), uuid4(), Right.VDC_VIEW)
    assert hidden.value.message == missing.value.message


def test_require_names_the_right_and_the_thing(vera, acme_dev):
    with pytest.raises(Forbidden, match=r"vdc\.edit on VDC dev"):
        access.require(vera, Right.VDC_EDIT, acme_dev)


def test_the_actor_takes_one_query(django_assert_num_queries, acme, acme_dev):
    bob = make_person("bob")
    make_user("bob", RoleName.ORG_ADMIN, organization=make_organization("globex"))
    make_user("bob", RoleName.USER, organization=acme, vdc_id=make_vdc(acme, "prod").pk)
    with django_assert_num_queries(2):  # the session's insert, and then one
        actor = actor_of(bob)
    assert len(actor.grants) == 3
