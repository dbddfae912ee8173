"""What people do at the portal, with a real browser: by mouse, by keyboard alone, without scripts, while things change."""

import re

import pytest
from playwright.sync_api import expect

from clusters.conditions import false, true
from core.models import AuditEntry
from tests.cast import PASSWORD, make_person
from tests.domain import KEY, a_vdc, a_vm, an_item, an_organization
from tests.e2e.scene import IMPORTING, runs, shows
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
LIMITS = {"cpu": 4, "memory_mib": 8192, "disk_gib": 100, "vms": 5}


@pytest.fixture
def dev(live_db):
    organization = an_organization("acme", cpu=64, memory_mib=262144, disk_gib=2000, vms=50)
    an_item("jammy", display_name="Ubuntu 24.04")
    return a_vdc("dev", organization=organization, limits=LIMITS)


def test_sign_in_create_and_watch_it_come_up(visit, dev):
    make_person("bob")
    page = visit(None).page()
    page.goto("/vms/new/")  # signed out: the door first, then on to where one was going
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/vms/new/$"))

    page.get_by_label("Name").fill("web")
    page.get_by_text("Ubuntu 24.04").click()
    expect(page.get_by_text("It fits.")).to_be_visible()
    page.get_by_label("SSH keys").fill(KEY)
    page.get_by_role("button", name="Create VM").click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    vm = VirtualMachine.objects.get(name="web")
    assert vm.ssh_keys == [KEY]

    expect(page.locator("#live")).to_contain_text("Live")
    page.evaluate("window.stillTheSamePage = true")
    waits = false("Ready", "Provisioning")
    shows(vm, "Provisioning", waits, false("DiskReady", IMPORTING, "web-disk-0: 42.10%"), progress="42.10%")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "42")
    runs(vm, "10.20.0.99")
    expect(page.locator(".phase")).to_contain_text("Running")
    expect(page.get_by_text("10.20.0.99")).to_be_visible()
    assert page.evaluate("window.stillTheSamePage")


def test_the_list_changes_under_the_reader_without_moving_his_focus(visit, dev):
    vm = a_vm(dev, "web")
    alice = visit("alice")
    page = alice.page()
    page.goto("/vms/")
    expect(page.locator("#live")).to_contain_text("Live")
    link = page.get_by_role("link", name="web", exact=True)
    link.focus()
    runs(vm, "10.20.0.7")
    expect(page.locator("tbody tr")).to_contain_text("Running")
    expect(page.locator("tbody tr")).to_contain_text("10.20.0.7")
    expect(link).to_be_focused()


def test_a_vdcs_bars_move_while_machines_come_and_its_phase_when_the_cluster_has_it(visit, dev):
    alice = visit("alice")
    detail, tiles = alice.page(), alice.page()
    detail.goto(f"/vdcs/{dev.pk}/")
    tiles.goto("/vdcs/")
    for page in (detail, tiles):
        expect(page.locator("#live")).to_contain_text("Live")
        expect(page.locator("main")).to_contain_text("0 of 4")
        page.evaluate("window.stillTheSamePage = true")
    runs(a_vm(dev, "web", cpu=2), "10.20.0.7")
    shows(dev, "Active", true("Ready", "Applied"))
    for page in (detail, tiles):
        expect(page.locator("main")).to_contain_text("2 of 4")
        expect(page.locator(".phase")).to_contain_text("Active")
        assert page.evaluate("window.stillTheSamePage")


def test_a_long_list_stays_whole_when_the_stream_has_it_read_again(visit, live_db):
    vdc = a_vdc("wide")
    vms = [a_vm(vdc, f"vm-{number}") for number in range(12)]
    page = visit("alice").page()
    with page.expect_response(lambda answer: "ids=" in answer.url) as answer:
        page.goto("/vms/")
    assert answer.value.text().count("<tr ") == len(vms)
    runs(vms[0], "10.20.0.7")
    expect(page.get_by_text("10.20.0.7")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(len(vms))


def test_filters_work_as_one_types_and_the_address_is_the_view(visit, dev):
    for name in ("web-1", "web-2", "db"):
        a_vm(dev, name)
    page = visit("alice").page()
    page.goto("/vms/")
    page.get_by_label("Name or address").fill("web")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile("q=web"))
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Name or address").fill("nothing")
    expect(page.get_by_text("No match")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_refusal_keeps_what_was_typed_and_says_what_would_fit(visit, dev, scripts):
    page = visit("bob", java_script_enabled=scripts).page()
    page.goto("/vms/new/")
    page.get_by_label("Name").fill("huge")
    page.get_by_role("radio").check()
    page.get_by_label("Memory").fill("64Gi")
    page.get_by_role("button", name="Create VM").click()
    refusal = page.get_by_role("region", name="Refused").or_(page.get_by_role("alert", name="Refused"))
    for text in ("56 GiB short in VDC dev", "Limit8 GiB", "Used0 MiB", "Requested64 GiB", "Would fit8 GiB"):
        expect(refusal).to_contain_text(text)
    expect(refusal).to_contain_text("organization admin can raise the limit")
    expect(page.get_by_label("Name")).to_have_value("huge")
    expect(page.get_by_label("Memory")).to_have_value("64Gi")
    page.get_by_role("button", name="Use 8 GiB Memory").click()
    expect(page.get_by_text("It fits.")).to_be_visible()
    expect(page.get_by_label("Memory")).to_have_value("8Gi")
    assert not VirtualMachine.objects.exists()


def test_the_storage_class_is_asked_for_where_classes_are_limited(visit, dev):
    limited = a_vdc("fast", organization=dev.organization, limits=LIMITS | {"disk_gib/nvme": 20, "disk_gib/disk": 50})
    page = visit("alice").page()
    page.goto(f"/vms/new/?vdc={dev.pk}")
    page.get_by_label("Name").fill("web")
    page.get_by_role("radio").check()
    expect(page.get_by_text("It fits.")).to_be_visible()
    expect(page.get_by_label("Storage class")).to_have_count(0)
    page.get_by_label("VDC").select_option(str(limited.pk))
    chooser = page.get_by_label("Storage class")
    expect(chooser).to_be_visible()
    expect(page.get_by_text("It fits.")).to_have_count(0)
    chooser.focus()
    chooser.select_option("nvme")
    expect(page.get_by_text("It fits.")).to_be_visible()
    expect(chooser).to_be_focused()  # a new plan leaves the field under the hand alone
    expect(page.locator("#plan")).to_contain_text("nvme")
    page.get_by_role("button", name="Create VM").click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    assert VirtualMachine.objects.get().disks.get().storage_class == "nvme"


def test_wrong_fields_are_named_where_they_are(visit, dev):
    page = visit("bob", java_script_enabled=False).page()
    page.goto("/vms/new/")
    page.get_by_label("Name").fill("No_Label")
    page.get_by_label("Memory").fill("8")
    page.get_by_role("button", name="Create VM").click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#id_name_error")).to_contain_text("lower-case letters")
    expect(page.locator("#id_memory_mib_error")).to_contain_text("8Gi")


def test_by_keyboard_alone_from_the_list_to_stopped(visit, dev):
    runs(a_vm(dev, "web"), "10.20.0.7")
    page = visit("alice").page()
    page.goto("/vms/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "web")
    page.keyboard.press("Enter")
    page.wait_for_url("**/vms/*-*/")
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    expect(page.get_by_text("web has been told to stop.")).to_be_visible()
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("web-disk-0")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert VirtualMachine.objects.get().power_state == "off"
    assert AuditEntry.objects.filter(action="vm.power").count() == 1


def test_without_scripts_one_reads_and_deletes(visit, dev):
    a_vm(dev, "web")
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/")
    page.get_by_role("link", name="web", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_text("web-disk-0")).to_be_visible()
    page.get_by_role("button", name="Delete web").click()
    expect(page.get_by_text("web is being deleted.")).to_be_visible()
    expect(page.locator("tbody tr")).to_contain_text("Deleting")


def test_the_theme_is_the_readers_choice(visit, dev):
    page = visit("alice", color_scheme="light").page()
    page.goto("/vdcs/")
    page.get_by_text("alice").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") == "rgb(14, 18, 23)"


def tab_to(page, name):
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"{name} can't be reached by Tab")
