"""The overview stays true while one looks at it, and nothing on it moves."""

import pytest
from playwright.sync_api import expect

from tests.domain import a_vdc, a_vm
from tests.e2e.scene import runs, shows

pytestmark = pytest.mark.slow
SHIFT = """() => { window.shift = 0; new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({type: "layout-shift"}); }"""


@pytest.mark.parametrize("width", [390, 1600])
def test_counts_and_lines_change_as_machines_start_and_nothing_jumps(visit, live_db, width):
    vdc = a_vdc("dev", limits={"cpu": 16, "memory_mib": 65536})
    vms = [a_vm(vdc, f"web-{number}") for number in range(3)]
    page = visit("alice", viewport={"width": width, "height": 900}).page()
    page.goto("/")
    counts = page.get_by_role("list", name="Virtual machines")
    expect(page.locator("#live")).to_contain_text("Live")
    expect(counts).to_contain_text("3 Under way")
    page.evaluate(SHIFT)
    page.evaluate("window.stillTheSamePage = true")
    for number, vm in enumerate(vms):
        runs(vm, f"10.20.0.{number}")
    expect(counts).to_contain_text("3 Running", timeout=15_000)  # changes of others are gathered for two seconds
    expect(counts).to_contain_text("0 Under way")
    expect(page.get_by_text("Nothing is being made, started or stopped.")).to_be_visible()
    shows(vms[0], "Failed")
    expect(counts).to_contain_text("1 Need you", timeout=15_000)
    expect(page.get_by_role("region", name="Needs you")).to_contain_text("web-0")
    shows(a_vm(vdc, "web-new"), "Starting")
    expect(counts).to_contain_text("1 Under way", timeout=15_000)
    assert page.evaluate("window.stillTheSamePage")
    assert page.evaluate("window.shift") < 0.02


def test_a_choice_shows_its_numbers_when_one_comes_to_it(visit, live_db):
    runs(a_vm(a_vdc("dev"), "web"), "10.20.0.7")
    page = visit("alice").page()
    page.goto("/vms/")
    expect(page.locator("html.scripted")).to_have_count(1)
    state = page.locator(".filters select[name=phase]")
    wide = state.bounding_box()["width"]
    state.focus()
    expect(state).to_contain_text("Running (1)")
    expect(state).to_contain_text("Failed (0)")
    assert state.bounding_box()["width"] == wide
    state.select_option("Running")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_times_are_in_the_browsers_zone_from_the_second_page_on_and_in_the_chosen_one(visit, live_db):
    a_vm(a_vdc("dev"), "web")
    page = visit("alice", timezone_id="Asia/Tokyo").page()
    page.goto("/vms/")
    expect(page.locator("html.scripted")).to_have_count(1)
    page.reload()
    expect(page.get_by_text("Times are in Asia/Tokyo.")).to_be_visible()
    assert page.locator("tbody time").first.get_attribute("title").endswith(" JST")
    page.goto("/settings/")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_role("button", name="Use this zone").click()
    expect(page.get_by_text("Times are in Europe/Berlin.")).to_be_visible()
