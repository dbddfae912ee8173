"""The timeline of a machine in a real browser: it grows while one reads, stands still under the eye, needs no script."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from clusters import happenings
from clusters.conditions import false, true
from clusters.happenings import Told, What
from tests.domain import a_vdc, a_vm
from tests.e2e.conftest import SHOTS
from tests.e2e.scene import runs, shows

pytestmark = pytest.mark.slow
NO_ROOM = "0/3 nodes are available: 3 Insufficient memory."


def events(vm, count: int) -> None:
    now = timezone.now()
    told = [
        Told(
            What.EVENT,
            "Odd",
            now - timedelta(seconds=count - number),
            {"kind": "Pod", "name": "p", "reason": "Odd", "message": f"event {number}"},
        )
        for number in range(count)
    ]
    happenings.record(happenings.lines("vm", vm, told))


def test_new_entries_come_on_top_and_what_one_reads_stays(visit, live_db):
    vm = a_vm(a_vdc(), "web")
    events(vm, 30)
    page = visit("alice").page()
    page.goto(f"/vms/{vm.pk}/")
    expect(page.locator("#live")).to_contain_text("Live")
    reading = page.locator(".timeline li", has_text="event 7").first
    reading.locator("summary").click()
    expect(reading.locator("pre")).to_be_visible()
    page.evaluate("document.querySelector('.timeline').scrollTop = 300")
    before = reading.bounding_box()
    shows(vm, "Starting", false("Ready", "Starting"), false("Scheduled", "Unschedulable", NO_ROOM))
    told = page.locator(".timeline li", has_text="no node has room for it: 3 of 3 lack memory")
    expect(told).to_have_count(1)
    page.wait_for_timeout(300)
    expect(reading.locator("pre")).to_be_visible()
    place = page.locator(".timeline").bounding_box()
    after = reading.bounding_box()
    assert abs((after["y"] - place["y"]) - (before["y"] - place["y"])) < 40, (before, after)
    runs(vm, "10.20.0.99")
    expect(page.locator(".timeline li").first).to_contain_text("It runs")


def test_filters_and_pages_without_script(visit, live_db):
    vm = a_vm(a_vdc(), "web")
    events(vm, 50)
    shows(vm, "Failed", false("Ready", "ImportFailed", "404"), true("ImportFailed", "ImportFailed", "404"))
    page = visit("alice", java_script_enabled=False).page()
    page.goto(f"/vms/{vm.pk}/")
    story = page.locator("#timeline")
    story.get_by_role("link", name="Errors").click()
    expect(story.locator("li")).to_have_count(1)
    expect(story.locator("li")).to_contain_text("It failed; the disk’s image could not be imported".replace("’", "'"))
    story.get_by_role("link", name="People").click()
    expect(story.locator("li")).to_contain_text("test made it")
    story.get_by_role("link", name="Cluster").click()
    expect(story.locator("li").first).to_contain_text("event 49")
    story.get_by_role("link", name="Older").click()
    expect(story.locator("li").first).to_contain_text("event 9")
    expect(story.get_by_role("link", name="Cluster")).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, live_db, scheme):
    vm = a_vm(a_vdc(), "web")
    events(vm, 50)
    shows(vm, "Failed", false("Ready", "ImportFailed", "404"), true("ImportFailed", "ImportFailed", "404"))
    page = visit("alice", color_scheme=scheme).page()
    for address in (f"/vms/{vm.pk}/", f"/vdcs/{vm.vdc_id}/", f"/orgs/{vm.organization_id}/"):
        page.goto(address)
        if page.locator("#timeline summary").count():
            page.locator("#timeline summary").first.click()
        for width in (390, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(
                path=SHOTS / f"timeline{address.replace('/', '-')[:4]}-{scheme}-{width}.png", full_page=True
            )
            found = Axe().run(page)
            assert not found.violations_count, found.generate_report()
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0
