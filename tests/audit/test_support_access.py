"""The provider's people inside a tenant: its audit log says so, once for each session, however they came."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from django.db import connection

from core.models import AuditEntry, SupportAccess
from tenancy import support
from tenancy.models import RoleBinding, RoleName
from tests.admin.scene import signed_in
from tests.cast import Api, actor_of, make_organization, make_person, session_of
from tests.domain import a_vdc, a_vm, an_organization
from tests.portal import browser

BEGAN = "support.begin"


@pytest.fixture
def tenant(live_db):
    """(organization, VDC, VM) of a tenant that is nobody's of the cast."""
    organization = an_organization()
    vdc = a_vdc(organization=organization)
    return organization, vdc, a_vm(vdc)


@pytest.fixture
def api(live_db):
    """The cast's, where transactions really commit: what is told waits for that."""
    return cache(lambda name: Api(session_of(make_person(name))))


def told(organization) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=BEGAN, organization_id=organization.pk).order_by("pk"))


def test_one_entry_for_a_session_however_much_it_reads(tenant, api):
    organization, vdc, vm = tenant
    root = api("root")
    for path in (f"vms/{vm.pk}", f"vdcs/{vdc.pk}", f"organizations/{organization.pk}", f"vms/{vm.pk}/timeline"):
        assert root.get(path).status_code == 200
    (entry,) = told(organization)
    assert (entry.actor_name, entry.session_id, entry.outcome) == ("root", root.session.pk, "done")
    assert entry.address
    assert entry.request_id
    support._told.clear()  # another process, which knows nothing yet
    root.get(f"vms/{vm.pk}")
    assert len(told(organization)) == 1


def test_another_session_and_another_organization_are_told_again(tenant, api):
    organization, _, vm = tenant
    other = a_vm(a_vdc("main", organization=an_organization("globex")), "db")
    api("root").get(f"vms/{vm.pk}")
    second = Api(session_of(make_person("root")))
    second.get(f"vms/{vm.pk}")
    assert len(told(organization)) == 2
    assert not told(other.organization)
    second.get(f"vms/{other.pk}")
    assert len(told(other.organization)) == 1


@pytest.mark.parametrize("path", ["vms?organization={org}", "vms?vdc={vdc}", "audit-entries?organization={org}",
                                  "users?organization={org}", "audit-entries/export?organization={org}"])  # fmt: skip
def test_a_list_of_what_is_in_it_is_told(tenant, api, path):
    organization, vdc, _ = tenant
    assert api("root").get(path.format(org=organization.pk, vdc=vdc.pk)).status_code == 200
    assert len(told(organization)) == 1


@pytest.mark.parametrize("page", ["/vms/?org={org}", "/?org={org}", "/vms/?vdc={vdc}", "/vms/{vm}/", "/orgs/{org}/",
                                  "/activity/?org={org}", "/vms/?peek={vm}"])  # fmt: skip
def test_the_portal_inside_a_tenant_is_told(tenant, page):
    organization, vdc, vm = tenant
    answer = browser("root").get(page.format(org=organization.pk, vdc=vdc.pk, vm=vm.pk))
    assert answer.status_code == 200
    assert len(told(organization)) == 1


def test_a_row_of_a_tenants_in_the_admin_is_told(tenant):
    organization, _, vm = tenant
    assert signed_in("root").get(f"/admin/vms/virtualmachine/{vm.pk}/change/").status_code == 200
    assert len(told(organization)) == 1


def test_a_change_is_told_as_support_access_as_well(tenant, api):
    organization, _, vm = tenant
    assert api("root").post(f"vms/{vm.pk}/stop").status_code in (200, 202)
    assert len(told(organization)) == 1
    assert AuditEntry.objects.filter(action="vm.power", organization_id=organization.pk, actor_name="root").exists()


def test_its_admins_see_it_and_another_tenants_do_not(tenant, api):
    organization, _, vm = tenant
    api("root").get(f"vms/{vm.pk}")
    seen = api("alice").get(f"audit-entries?action={BEGAN}").json()["items"]
    assert [(row["actor_name"], row["object_name"]) for row in seen] == [("root", organization.name)]
    assert api("charlie").get(f"audit-entries?action={BEGAN}").json()["items"] == []
    assert "began support access" in browser("alice").get("/activity/").content.decode()


def test_the_tenants_own_people_and_who_sees_nothing_are_not_told(tenant, api):
    organization, _, vm = tenant
    for name in ("alice", "vera", "charlie", "nobody"):
        api(name).get(f"vms/{vm.pk}")
        api(name).get(f"vms?organization={organization.pk}")
        browser(name).get(f"/vms/?org={organization.pk}")
    assert AuditEntry.objects.filter(action=BEGAN).count() == SupportAccess.objects.count() == 0
    RoleBinding.objects.create(user=make_person("root"), role=RoleName.ORG_ADMIN, organization=organization)
    api("root").get(f"vms/{vm.pk}")
    assert not told(organization), "he has a role there, which its admins see and can take away"


def test_lists_of_everything_and_places_that_there_are_not_tell_nothing(tenant, api):
    root = api("root")
    for path in ("vms", "organizations", "clusters", "vms?organization=0198c0de-0000-7000-8000-000000000000"):
        assert root.get(path).status_code == 200
    assert browser("root").get("/vms/?org=nonsense").status_code == 200
    assert not AuditEntry.objects.filter(action=BEGAN).exists()


def test_many_requests_at_once_are_told_once(tenant):
    organization, _, _ = tenant
    actor = actor_of(make_person("root"))
    together = threading.Barrier(4)

    def look() -> None:
        together.wait()
        support.tell(actor, organization.pk, None)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(look) for _ in range(4)]:
            one.result()
    assert len(told(organization)) == 1


def test_who_is_from_nowhere_else_reads_his_own(live_db, api):
    make_organization("acme")
    assert api("root").get("me").status_code == 200
    assert not SupportAccess.objects.exists()
