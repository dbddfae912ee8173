"""One row of a list in a real browser: its menu and its panel, by mouse, by keys, without scripts, while things change."""

import re

import pytest
from playwright.sync_api import expect

from tests.domain import a_vdc, a_vm
from tests.e2e.scene import a_tenant, runs
from tests.e2e.test_pages import look
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(live_db):
    vdc = a_vdc("dev")
    return [a_vm(vdc, name) for name in ("web-1", "web-2", "db")]


def test_a_row_is_looked_at_beside_the_list_and_stays_true(visit, machines):
    page = visit("alice").page()
    page.goto("/vms/?sort=name")
    expect(page.locator("#live")).to_contain_text("Live")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    panel = page.get_by_role("complementary", name="web-1")
    expect(panel).to_contain_text("Accepted.")
    expect(page).to_have_url(re.compile(f"sort=name&peek={machines[0].pk}"))
    expect(page.get_by_role("link", name="web-1", exact=True).first).to_be_focused()
    runs(machines[0], "10.20.0.7")
    expect(panel).to_contain_text("10.20.0.7", timeout=15_000)
    expect(panel).to_contain_text("Running", timeout=15_000)
    expect(page.locator("tbody tr").nth(1)).to_contain_text("10.20.0.7")
    page.keyboard.press("j")
    expect(page.get_by_role("complementary", name="web-2")).to_be_visible()
    page.reload()
    expect(page.get_by_role("complementary", name="web-2")).to_be_visible()
    page.get_by_role("complementary").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("web-2 has been told to stop.")).to_be_visible()
    expect(page.get_by_role("complementary", name="web-2").get_by_role("button", name="Start")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#peek")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/vms/\?sort=name$"))


def test_a_menu_opens_at_its_row_says_why_not_and_gives_the_focus_back(visit, machines):
    page = visit("alice").page()
    page.goto("/vms/")
    button = page.get_by_role("link", name="Actions of web-2")
    button.click()
    menu = page.get_by_role("list", name="Actions of web-2")
    expect(menu).to_contain_text("It is on already.")
    expect(button).to_have_attribute("aria-expanded", "true")
    runs(machines[1], "10.20.0.8")
    expect(page.locator("tbody tr").filter(has_text="web-2")).to_contain_text("10.20.0.8", timeout=15_000)
    expect(button).to_have_attribute("aria-expanded", "true")  # news of the row leaves it as it is
    menu.get_by_role("button", name="Start").click(force=True)  # says why, does nothing
    expect(menu).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    menu.get_by_role("link", name="Look at it here").click()
    expect(page.get_by_role("complementary", name="web-2")).to_be_visible()
    expect(page.locator("#row-menu")).to_be_hidden()


def test_without_scripts_the_menu_is_a_page_and_leads_back(visit, machines):
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/vms/?sort=name")
    page.get_by_role("link", name="Actions of db").click()
    page.get_by_role("button", name="Stop").click()
    expect(page).to_have_url(re.compile(r"/vms/\?sort=name$"))
    assert VirtualMachine.objects.get(power_state="off").name == "db"
    page.get_by_role("link", name="Actions of db").click()
    page.get_by_role("link", name="Look at it here").click()
    expect(page.get_by_role("complementary", name="db")).to_contain_text("Last happened")
    page.get_by_role("link", name="Close the panel").click()
    expect(page.locator("#peek")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_menu_and_panel_are_sound(visit, scheme):
    scene = a_tenant()
    page = visit("alice", color_scheme=scheme).page()
    page.goto(f"/vms/?peek={scene['vms'][5].pk}")
    look(page, "peek", scheme)
    page.goto(f"/vms/{scene['vms'][5].pk}/menu/")
    look(page, "menu-page", scheme)
    page.goto("/vms/")
    page.get_by_role("link", name="Actions of legacy-erp").click()
    expect(page.locator("#row-menu")).to_be_visible()
    look(page, "menu", scheme)


@pytest.mark.parametrize("scripts", [True, False])
def test_all_that_match_are_chosen_planned_and_stopped(visit, live_db, scripts):
    vdc = a_vdc("dev", limits={"vms": 80})
    for number in range(53):
        a_vm(vdc, f"web-{number:02}", power_state="off" if number == 0 else "on")
    page = visit("alice", java_script_enabled=scripts).page()
    page.goto("/vms/?sort=name")
    if scripts:
        expect(page.locator("html.scripted")).to_have_count(1)
        expect(page.locator("#bulk")).to_be_hidden()
    page.get_by_label("Select web-00").check()
    if scripts:
        bar = page.get_by_role("group", name="With the selected")
        expect(bar.get_by_role("button", name="Start 1")).to_be_enabled()
        expect(bar.get_by_role("button", name="Stop 0")).to_be_disabled()
        page.keyboard.press("Escape")
        expect(page.locator("#bulk")).to_be_hidden()
        runs(VirtualMachine.objects.get(name="web-01"), "10.20.0.7")
        expect(page.locator("tbody")).to_contain_text("10.20.0.7", timeout=15_000)
        expect(page.locator("#bulk")).to_be_hidden()  # what changes by itself opens nothing
        page.get_by_label("Select web-00").check()
    page.get_by_label("Select all 53 that match").check()
    if scripts:
        expect(page.locator("#bulk-count")).to_have_text("All that match")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("heading", name="Stop 52 virtual machines?")).to_be_visible()
    expect(page.get_by_role("region", name="Skipped")).to_contain_text("It is off already.")
    page.get_by_role("button", name="Stop 52").click()
    expect(page.get_by_role("heading", name="52 told to stop")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    expect(page).to_have_url(re.compile("sort=name"))
    assert VirtualMachine.objects.filter(power_state="off").count() == 53
