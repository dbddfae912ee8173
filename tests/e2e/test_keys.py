"""The palette and the keys: everything by keyboard, and switched off by who does not want it."""

import re

import pytest
from playwright.sync_api import expect

from tests.domain import a_vdc, a_vm
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(live_db):
    vdc = a_vdc("dev")
    return [a_vm(vdc, name) for name in ("web-1", "web-2", "db")]


def test_the_palette_finds_a_machine_and_opens_it(visit, machines):
    page = visit("alice").page()
    page.goto("/vdcs/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search or run a command").fill("web-2")
    expect(page.locator("#palette-found a.at")).to_contain_text("web-2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="web-2", exact=True)).to_be_visible()


def test_rows_are_walked_selected_and_stopped_by_keys(visit, machines):
    page = visit("alice").page()
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("v")
    expect(page).to_have_url(re.compile("/vms/$"))
    expect(page.locator("html.scripted")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#bulk")).to_be_hidden()
    page.keyboard.press(".")
    menu = page.get_by_role("list", name="Actions of web-2")
    expect(menu.get_by_role("link", name="Open")).to_be_focused()
    menu.get_by_role("button", name="Stop").press("Enter")
    expect(page.get_by_text("web-2 has been told to stop.")).to_be_visible()
    expect(page).to_have_url(re.compile("/vms/$"))
    assert VirtualMachine.objects.get(power_state="off").name == "web-2"


def test_keys_are_shown_and_can_be_switched_off(visit, machines):
    page = visit("alice").page()
    page.goto("/settings/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Switch keys off").click()
    expect(page.get_by_role("button", name="Switch keys on")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_view_is_saved_as_it_was_typed(visit, machines):
    page = visit("alice").page()
    page.goto("/vms/")
    page.get_by_label("Name or address").fill("web")
    expect(page).to_have_url(re.compile("q=web"))
    page.get_by_text("Save view").first.click()
    page.get_by_label("Name of the view").fill("Web")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("link", name="Web", exact=True)).to_have_attribute("aria-current", "true")
    expect(page.locator("tbody tr")).to_have_count(2)


def test_without_scripts_many_are_stopped_and_pages_searched(visit, machines):
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/vms/")
    page.get_by_label("Select web-1").check()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", name="Stop 1 virtual machine?")).to_be_visible()
    page.get_by_role("button", name="Stop 1").click()
    expect(page.get_by_role("heading", name="1 told to stop")).to_be_visible()
    page.get_by_role("link", name="Search or run a command").click()
    page.get_by_label("Name, id or command").fill("db")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("^db")).click()
    expect(page.get_by_role("heading", name="db", exact=True)).to_be_visible()
