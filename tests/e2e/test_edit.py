"""A machine is changed in a real browser: what it takes is seen before, with scripts and without; who was faster is told."""

import pytest
from playwright.sync_api import expect

from tests.cast import actor_of, make_person
from tests.domain import OVIM, a_vdc, a_vm, an_organization
from vms.models import VirtualMachine
from vms.services import edit_vm, release_active, set_power

pytestmark = pytest.mark.slow
LIMITS = {"cpu": 4, "memory_mib": 8192, "disk_gib": 100, "vms": 5}


@pytest.mark.parametrize("scripts", [True, False])
def test_a_machine_is_stopped_and_made_larger(visit, live_db, scripts):
    vm = a_vm(a_vdc("dev", organization=an_organization("acme"), limits=LIMITS), "web", cpu=1, memory_mib=1024)
    page = visit("alice", java_script_enabled=scripts).page()
    page.goto(f"/vms/{vm.pk}/")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("vCPU").fill("2")
    if scripts:
        expect(page.locator("#plan")).to_contain_text("Stop the machine first")
        expect(page.locator("#plan")).to_contain_text("1 → 2 of 4")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#id_cpu_error")).to_contain_text("Stop web first")
    expect(page.get_by_label("vCPU")).to_have_value("2")

    page.goto(f"/vms/{vm.pk}/")
    page.get_by_role("button", name="Stop").click()
    vm.refresh_from_db()
    release_active(vm=vm, expected_generation=vm.generation)  # the cluster shows it stopped
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("vCPU").fill("2")
    page.get_by_label("Title").fill("Front")
    if scripts:
        expect(page.locator("#plan")).to_contain_text("Takes effect with its next start")
        expect(page.locator("#plan")).to_contain_text("It can be done.")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator(".summary")).to_contain_text("2 vCPU")
    changed = VirtualMachine.objects.get()
    assert (changed.cpu, changed.display_name) == (2, "Front")


def test_two_at_once_are_told_of_each_other(visit, live_db):
    vm = a_vm(a_vdc("dev", organization=an_organization("acme")), "web")
    set_power(actor=OVIM, vm=vm, on=False)
    page = visit("alice").page()
    page.goto(f"/vms/{vm.pk}/edit/")
    edit_vm(actor=actor_of(make_person("vera")), vm=vm, changes={"display_name": "Theirs"})
    page.get_by_label("Title").fill("Mine")
    page.get_by_role("button", name="Save changes").click()
    clash = page.get_by_role("alert", name="Changed meanwhile")
    expect(clash).to_contain_text("vera changed this")
    expect(clash).to_contain_text("Theirs")
    expect(page.get_by_label("Title")).to_have_value("Mine")
    assert VirtualMachine.objects.get().display_name == "Theirs"
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    assert VirtualMachine.objects.get().display_name == "Mine"
