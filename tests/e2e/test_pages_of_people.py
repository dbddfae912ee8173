"""Pages of who may do what: people and access, roles, groups, invitations, programs, providers, the logo. As in test_pages."""

import json

import pytest

from tenancy.models import Invitation, RoleBinding, User
from tests.e2e.conftest import SHOTS
from tests.e2e.people_scene import a_house
from tests.e2e.test_pages import look, walk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_people_is_sound(visit, scheme, settings):
    settings.OVIM_MAIL_URL = ""
    house = a_house()
    home, provider = f"/orgs/{house['acme'].pk}", f"/identity-providers/{house['provider'].pk}"
    account = User.objects.get(username="builds@acme")
    nina = User.objects.get(username="nina")
    pages = {
        "access-org": f"{home}/people/",
        "access-vdc": f"/vdcs/{house['dev'].pk}/people/",
        "access-person": f"/people/{nina.pk}/roles/",
        "access-end": f"/roles/{RoleBinding.objects.get(user=nina).pk}/end/",
        "roles": f"{home}/roles/",
        "role-new": f"{home}/roles/new/",
        "role-edit": f"/own-roles/{house['roles'][0].pk}/edit/",
        "role-delete": f"/own-roles/{house['roles'][0].pk}/delete/",
        "groups": f"{home}/groups/",
        "group": f"/groups/{house['group'].pk}/",
        "group-empty": f"/groups/{house['empty'].pk}/",
        "group-new": f"{home}/groups/new/",
        "group-edit": f"/groups/{house['group'].pk}/edit/",
        "invitations": f"{home}/invitations/",
        "invitation-new": f"{home}/invitations/new/",
        "invitation-withdraw": f"/invitations/{Invitation.objects.filter(withdrawn_at=None)[0].pk}/withdraw/",
        "accounts": f"{home}/service-accounts/",
        "account-new": f"{home}/service-accounts/new/",
        "account-token": f"/service-accounts/{account.pk}/tokens/new/",
        "account-delete": f"/service-accounts/{account.pk}/delete/",
        "tokens": "/account/tokens/",
        "token-new": "/account/tokens/new/",
        "providers": "/identity-providers/",
        "provider": f"{provider}/",
        "provider-new": "/identity-providers/new/",
        "provider-edit": f"{provider}/edit/",
        "provider-rule": f"{provider}/rules/new/",
        "logo": f"{home}/logo/",
        "branding": f"{home}/edit/",
    }
    alice = visit("alice", color_scheme=scheme)
    walk(alice, pages, scheme)
    page = alice.page()
    page.goto(f"{provider}/try/")
    page.get_by_label("Token or claims").fill(
        json.dumps({"groups": ["/cloud/operations/night"], "realm_access": {"roles": ["x-students"]}})
    )
    page.get_by_role("button", name="Try").click()
    look(page, "provider-tried", scheme)
    page.goto("/account/tokens/new/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create").click()
    look(page, "token-shown", scheme)
    walk(visit(None, color_scheme=scheme), {"sign-in-own": "/sign-in/acme/"}, scheme)


# Cells whose words do not fit, and words that are cut at the end of a line.
CUT = """() => [...document.querySelectorAll("main .table :is(td, th, a)")].filter(part =>
  part.clientWidth && !part.closest("thead") && part.scrollWidth > part.clientWidth + 1 &&
  getComputedStyle(part).overflowX !== "visible").map(part => part.innerText)"""


def test_no_word_of_roles_rights_and_ends_is_cut_off(visit):
    house = a_house()
    nina = User.objects.get(username="nina")
    page = visit("alice").page()
    home, provider = f"/orgs/{house['acme'].pk}", f"/identity-providers/{house['provider'].pk}/"
    for address in (
        f"{home}/people/",
        f"/people/{nina.pk}/roles/",
        f"{home}/invitations/",
        f"{home}/groups/",
        provider,
    ):
        page.goto(address)
        for width in (390, 700, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(CUT) == [], (address, width)
            name = address.strip("/").split("/")
            page.screenshot(path=SHOTS / f"whole-{name[0]}-{name[-1][-8:]}-{width}.png", full_page=True)
            shown = page.locator("main .table tbody tr").first.inner_text()
            if address.endswith(("/people/", "/roles/")):
                assert "decide about lost disks and drift" in shown, (width, shown)
                assert "never" in shown, (width, shown)
