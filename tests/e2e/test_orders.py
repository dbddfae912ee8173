"""Orders in a real browser: the form stands beside the condition that asks for it, is refused and given, and is sound."""

import pytest
from playwright.sync_api import expect

from clusters import operations
from clusters.models import InventoryItem
from tests.cast import actor_of, make_person
from tests.domain import a_vdc, a_vm
from tests.e2e.test_pages import look
from tests.vms.test_orders_http import UID, lost, says, unproven
from vms.models import Disk, VirtualMachine

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lost_disk_is_made_anew_by_typing_its_name(visit, live_db, scheme):
    vm = a_vm(a_vdc("dev"), "web")
    disk = Disk.objects.get(vm=vm)
    lost(vm, disk)
    operations.suspend(actor=actor_of(make_person("root")), row=vm, reason="a look at its storage")
    page = visit("alice", color_scheme=scheme).page()
    page.goto(f"/vms/{vm.pk}/")
    look(page, "orders", scheme)
    form = page.locator("form.order")
    assert form.evaluate("form => getComputedStyle(form).display") == "flex"
    form.get_by_label("Make the disk anew").fill("something else")
    form.get_by_role("button", name="Make the disk anew").click()
    expect(page.get_by_role("alert", name="Refused")).to_contain_text(f"Type the disk's name to confirm: {disk.name}")
    look(page, "orders-refused", scheme)
    form.get_by_label("Make the disk anew").fill(disk.name)
    form.get_by_role("button", name="Make the disk anew").click()
    expect(page.get_by_text("The order about web has been taken.")).to_be_visible()
    expect(form).to_have_count(0)
    assert Disk.objects.get().order == "recreate-disk"


def test_a_changed_machine_is_repaired_without_scripts_from_its_menu(visit, live_db):
    vm = a_vm(a_vdc("dev"), "web")
    says(vm, "Drifted", "spec.template: somebody changed it.")
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/vms/")
    page.get_by_role("link", name="Actions of web").click()
    page.get_by_role("link", name="Give an order…").click()
    page.get_by_role("button", name="Repair").click()
    expect(page.get_by_text("The order about web has been taken.")).to_be_visible()
    assert VirtualMachine.objects.get().order == "repair"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_machine_without_its_claim_is_reclaimed_by_typing_its_name(visit, live_db, scheme):
    vm = a_vm(a_vdc("dev"), "web")
    unproven(vm)
    page = visit("alice", color_scheme=scheme).page()
    page.goto(f"/vms/{vm.pk}/")
    look(page, "orders-reclaim", scheme)
    form = page.locator("form.order")
    form.get_by_label("It is the same machine").fill("web")
    form.get_by_role("button", name="Reclaim the machine").click()
    expect(page.get_by_text("The order about web has been taken.")).to_be_visible()
    assert InventoryItem.objects.get().uid == UID
