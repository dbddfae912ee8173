"""A tenant by hand, from nothing to its first machine, with a real browser and without scripts."""

import re

import pytest
from playwright.sync_api import expect

from tests.cast import make_cluster
from tests.domain import an_item
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
ADMIN, USER = "a-passphrase-of-the-admin", "a-passphrase-of-the-user"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_tenant_is_run_by_hand(visit, live_db, scripts):
    make_cluster()
    an_item("jammy", display_name="Ubuntu 24.04")
    page = visit("root", java_script_enabled=scripts).page()
    page.goto("/orgs/")
    page.get_by_role("link", name="Create organization").first.click()
    page.get_by_label("Name", exact=True).fill("initech")
    page.get_by_label("Title").fill("Initech")
    page.get_by_label("vCPU", exact=True).fill("8")
    page.get_by_label("Memory", exact=True).fill("16 GiB")
    if scripts:
        expect(page.get_by_text("It can be done.")).to_be_visible()
    page.get_by_role("button", name="Create organization").click()
    expect(page.get_by_role("heading", name="Initech", exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text("0 of 16")

    admin_password = a_person(page, "ada", "initech")
    page.get_by_role("link", name="Give a role").click()
    give(page, "Organization admin", "initech, the whole organization")

    ada = visit(None, java_script_enabled=scripts).page()
    first_sign_in(ada, "ada", admin_password, ADMIN)
    ada.goto("/vdcs/new/")
    ada.get_by_label("Name", exact=True).fill("dev")
    ada.get_by_label("vCPU", exact=True).fill("16")
    ada.get_by_label("Memory", exact=True).fill("8Gi")
    ada.get_by_role("button", name="Create VDC").click()
    expect(ada.locator("#plan")).to_contain_text("8 short in organization initech")
    ada.get_by_label("vCPU", exact=True).fill("4")
    ada.get_by_role("button", name="Create VDC").click()
    expect(ada.get_by_role("heading", name="dev", exact=True)).to_be_visible()
    user_password = a_person(ada, "uma", "initech")
    ada.get_by_role("link", name="Give a role").click()
    give(ada, "User", "initech / dev")

    uma = visit(None, java_script_enabled=scripts).page()
    first_sign_in(uma, "uma", user_password, USER)
    uma.goto("/vms/new/")
    uma.get_by_label("Name").fill("web")
    uma.get_by_role("radio").check()
    uma.get_by_role("button", name="Create VM").click()
    expect(uma.get_by_role("heading", name="web", exact=True)).to_be_visible()
    vm = VirtualMachine.objects.select_related("vdc__organization", "owner").get()
    assert (vm.vdc.organization.name, vm.vdc.name, str(vm.owner)) == ("initech", "dev", "uma")


def a_person(page, name, organization):
    """The password that was made up, as the page shows it this once."""
    page.goto("/people/")
    page.get_by_role("link", name="Create person").first.click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("Organization").select_option(organization)
    page.get_by_role("button", name="Create person").click()
    expect(page.get_by_role("heading", name=f"Password of {name}")).to_be_visible()
    return page.get_by_label("Password").input_value()


def give(page, role, place):
    page.get_by_label("Role", exact=True).select_option(role)
    page.get_by_label("Where").select_option(place)
    page.get_by_role("button", name="Give the role").click()
    expect(page.locator("#toasts")).to_contain_text(f"is {role.lower()} now")
    expect(page.locator("main table")).to_contain_text(role)


def first_sign_in(page, name, password, chosen):
    page.goto("/vms/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/account/password/$"))
    page.get_by_label("Current password").fill(password)
    page.get_by_label("New password", exact=True).fill(chosen)
    page.get_by_label("New password again").fill(chosen)
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#toasts")).to_contain_text("Your password is changed")
