"""What is shown once can be taken along by one click, and without scripts by hand."""

import pyotp
from playwright.sync_api import expect

PASTE = "() => navigator.clipboard.readText()"


def test_a_token_and_recovery_codes_are_copied_by_one_click(visit):
    alice = visit("alice", permissions=["clipboard-read", "clipboard-write"])
    page = alice.page()
    page.goto("/account/tokens/new/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create").click()
    token = page.get_by_label("Token of alice").input_value()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert page.evaluate(PASTE) == token != ""
    page.goto("/account/second-factor/")
    page.get_by_role("button", name="Begin").click()
    key = page.locator("#secret").inner_text()
    page.get_by_label("Code").fill(pyotp.TOTP(key).now())
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    codes = page.locator("#recovery code").all_inner_texts()
    assert page.evaluate(PASTE).split() == codes
    assert len(codes) == 10


def test_without_scripts_there_is_no_button_that_does_nothing(visit):
    page = visit("alice", java_script_enabled=False).page()
    page.goto("/account/tokens/new/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("Token of alice")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
