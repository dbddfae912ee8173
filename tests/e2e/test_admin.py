"""The admin in a real browser, light and dark, on a phone, a laptop and a large screen."""

import pytest

from clusters.models import InventoryItem, WorkItem
from core.models import AuditEntry
from tenancy.models import User
from tests.cast import make_cluster
from tests.e2e.scene import a_tenant
from tests.e2e.test_pages import walk
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_is_sound(visit, scheme):
    vm = a_tenant()["vms"][5]
    item = WorkItem.objects.create(
        kind="vm", object_id=vm.pk, cluster=make_cluster(), tenant=vm.organization_id, attempts=3
    )
    visitor = visit("root", color_scheme=scheme)
    pages = {
        "admin": "/admin/",
        "admin-app": "/admin/clusters/",
        "admin-vms": "/admin/vms/virtualmachine/?phase__exact=Failed",
        "admin-vm": f"/admin/vms/virtualmachine/{vm.pk}/change/",
        "admin-work": "/admin/clusters/workitem/",
        "admin-item": f"/admin/clusters/workitem/{item.pk}/change/",
        "admin-users": "/admin/tenancy/user/",
        "admin-user": f"/admin/tenancy/user/{User.objects.get(username='root').pk}/change/",
        "admin-audit": f"/admin/core/auditentry/{AuditEntry.objects.earliest('pk').pk}/change/",
        "admin-scope": "/admin/vdcs/quotascope/",
        "admin-verb": f"/admin/vms/virtualmachine/verb/suspend/?pk={vm.pk}",
    }
    walk(visitor, pages, scheme)


def test_a_row_is_suspended_from_its_page_and_the_list(visit):
    vms = a_tenant()["vms"]
    page = visit("root").page()
    page.goto("/admin/vms/virtualmachine/?q=web-01")
    page.get_by_role("link", name="web-01").click()
    page.get_by_role("link", name="Suspend").click()
    page.get_by_label("Why").fill("its node is repaired")
    page.get_by_role("button", name="Suspend").click()
    page.get_by_text("It is suspended.").wait_for()
    assert VirtualMachine.objects.get(pk=vms[0].pk).suspended_because == "its node is repaired"
    page.goto("/admin/vms/virtualmachine/?q=web")
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option("resume")
    page.get_by_role("button", name="Go").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("It is resumed").wait_for()
    assert page.get_by_text("It is not suspended.").count() == 2
    assert InventoryItem.objects.count() == 0
