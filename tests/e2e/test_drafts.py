"""What was typed into a form outlives an expired session and a lost network; secrets and other people's do not."""

import re

import pytest
from playwright.sync_api import expect

from tenancy.models import Session
from tests.cast import PASSWORD, make_person
from tests.domain import a_vdc, an_item, an_organization
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
BACK = "What you had typed here is back."


@pytest.fixture
def dev(live_db):
    an_item("jammy", display_name="Ubuntu 24.04")
    return a_vdc("dev", organization=an_organization("acme"))


def typed(page):
    page.goto("/vms/new/")
    page.get_by_label("Name").fill("web")
    page.get_by_text("Ubuntu 24.04").click()
    page.get_by_label("Memory").fill("2Gi")
    page.locator("summary", has_text="cloud-init").click()
    with page.expect_response(
        lambda answer: "sesame" in (answer.request.post_data or "")
    ):  # the last that is tried out
        page.locator("#id_user_data").fill("#cloud-config\npassword: sesame")
    expect(page.get_by_text("It fits.")).to_be_visible()


def sign_in(page, name):
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_after_an_expired_session_the_form_is_as_it_was_but_for_secrets(visit, dev):
    page = visit("alice").page()
    typed(page)
    Session.objects.update(expires_at="2020-01-01T00:00:00Z")
    page.get_by_role("button", name="Create VM").click()
    sign_in(page, "alice")
    expect(page).to_have_url(re.compile("/vms/new/$"))
    expect(page.get_by_text(BACK)).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("web")
    expect(page.get_by_label("Memory")).to_have_value("2Gi")
    expect(page.get_by_role("radio")).to_be_checked()
    expect(page.locator("#id_user_data")).to_have_value("")
    assert "sesame" not in page.evaluate("JSON.stringify(sessionStorage)")
    expect(page.get_by_text("It fits.")).to_be_visible()
    page.get_by_role("button", name="Create VM").click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    assert VirtualMachine.objects.get().memory_mib == 2048
    page.goto("/vms/new/")
    expect(page.get_by_label("Name")).to_have_value("")
    expect(page.get_by_text(BACK)).to_have_count(0)


def test_after_a_lost_network_it_is_there_and_can_be_dropped(visit, dev):
    visitor = visit("alice")
    page = visitor.page()
    typed(page)
    visitor.context.set_offline(True)
    page.get_by_role("button", name="Create VM").click()
    page.wait_for_timeout(300)
    visitor.context.set_offline(False)
    visitor.complaints.clear()  # that it had no network, the browser did say
    page.goto("/vms/new/")
    expect(page.get_by_label("Name")).to_have_value("web")
    page.get_by_role("button", name="Start afresh").click()
    expect(page.get_by_text(BACK)).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("")


def test_a_draft_is_its_writers_own_and_goes_with_the_sign_out(visit, dev):
    make_person("bob")
    page = visit("alice").page()
    typed(page)
    Session.objects.update(expires_at="2020-01-01T00:00:00Z")
    page.get_by_role("button", name="Create VM").click()
    sign_in(page, "bob")
    expect(page.get_by_label("Name")).to_have_value("")
    page.get_by_text("bob", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "web" not in page.evaluate("JSON.stringify(sessionStorage)")
