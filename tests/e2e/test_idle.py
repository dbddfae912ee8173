"""A page that is left open: it follows its machines, and that keeps nobody signed in."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tenancy.models import Session
from tests.domain import a_vdc, a_vm
from tests.e2e.scene import runs

pytestmark = pytest.mark.slow


def unused_for(minutes):
    Session.objects.update(seen_at=timezone.now() - timedelta(minutes=minutes))
    return Session.objects.latest("id").seen_at


def test_what_it_fetches_by_itself_is_no_use_and_then_the_session_ends(visit, live_db):
    vm = a_vm(a_vdc("dev"), "web")
    alice = visit("alice")
    page = alice.page()
    page.goto("/vms/")
    expect(page.locator("#live")).to_contain_text("Live")
    before = unused_for(minutes=20)
    runs(vm, "10.20.0.7")
    expect(page.locator("tbody tr")).to_contain_text("Running", timeout=15_000)
    assert Session.objects.latest("id").seen_at == before
    page.reload()
    expect(page.locator("tbody tr")).to_contain_text("Running")
    assert Session.objects.latest("id").seen_at > before
    unused_for(minutes=31)
    another = alice.page()
    another.goto("/vdcs/")
    another.wait_for_url("**/sign-in/**")
    page.wait_for_url("**/sign-in/**", timeout=30_000)  # nobody touched it
    alice.complaints.clear()  # that its stream was refused, the browser did say


def test_without_a_stream_it_asks_now_and_then_and_leads_to_the_sign_in(visit, live_db):
    vm = a_vm(a_vdc("dev"), "web")
    alice = visit("alice")
    page = alice.page()
    page.route("**/live/v1/stream", lambda route: route.fulfill(status=429))
    page.goto("/vms/")
    expect(page.locator("#live")).to_contain_text("Paused")
    runs(vm, "10.20.0.7")
    expect(page.locator("tbody tr")).to_contain_text("Running", timeout=15_000)
    unused_for(minutes=31)
    page.wait_for_url("**/sign-in/**", timeout=15_000)
    alice.complaints.clear()  # that its stream was refused, the browser did say
