"""Each page in light and dark, on a phone, a laptop and a large screen: nothing for axe, the console or the CSP to say."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from core.models import AuditEntry
from tests.cast import make_cluster, make_person
from tests.e2e.conftest import SHOTS
from tests.e2e.scene import a_tenant

pytestmark = pytest.mark.slow
WIDTHS = (390, 1024, 1600)
WHOLE = {"resultTypes": ["violations"]}
COLOURS = WHOLE | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}  # all that the other scheme can change


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_sound(visit, scheme):
    scene = a_tenant()
    mine = make_person("alice")
    pages = {
        "overview": "/",
        "vms": "/vms/",
        "vms-columns": "/vms/?cols=state,owner,guest&sort=name&phase=attention",
        "vm": f"/vms/{scene['vms'][0].pk}/",
        "importing": f"/vms/{scene['vms'][4].pk}/",
        "failed": f"/vms/{scene['vms'][5].pk}/",
        "delete": f"/vms/{scene['vms'][0].pk}/delete/",
        "new": f"/vms/new/?catalog_item={scene['items'][0].pk}",
        "empty": "/vms/?q=nothing-like-this",
        "vdcs": "/vdcs/",
        "vdc": f"/vdcs/{scene['dev'].pk}/",
        "catalog": "/catalog/",
        "item": f"/catalog/{scene['items'][0].pk}/",
        "orgs": "/orgs/",
        "org": f"/orgs/{scene['dev'].organization_id}/",
        "people": "/people/",
        "person": f"/people/{mine.pk}/",
        "activity": "/activity/",
        "entry": f"/activity/{AuditEntry.objects.filter(action='vm.create').latest('pk').pk}/",
        "search": "/search/?q=web",
        "place": "/place/?next=/vms/",
        "settings": "/settings/",
        "absent": "/vms/019a0000-0000-7000-8000-000000000000/",
    }
    alice = visit("alice", color_scheme=scheme)
    walk(alice, pages, scheme)
    cluster = make_cluster()
    fleet = {"fleet": "/", "clusters": "/clusters/", "cluster": f"/clusters/{cluster.pk}/", "all-vms": "/vms/"}
    fleet["acting"] = f"/vms/?org={scene['dev'].organization_id}&vdc={scene['dev'].pk}"
    fleet["acting-vm"] = f"/vms/{scene['vms'][0].pk}/"
    walk(visit("root", color_scheme=scheme), fleet, scheme)
    walk(visit("nobody", color_scheme=scheme), {"no-role": "/"}, scheme)
    walk(visit(None, color_scheme=scheme), {"sign-in": "/sign-in/", "api": "/api/docs/"}, scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_opens_over_a_list_and_comes_of_many_is_sound(visit, scheme):
    a_tenant()
    page = visit("alice", color_scheme=scheme).page()
    page.goto("/vms/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search or run a command").fill("web")
    expect(page.locator("#palette-found a").first).to_be_visible()
    look(page, "palette", scheme)
    page.goto("/vms/")
    for name in ("web-01", "legacy-erp"):
        page.get_by_label(f"Select {name}").check()
    look(page, "bulk-bar", scheme)
    page.get_by_role("group", name="With the selected").get_by_role("button", name="Delete…").click()
    look(page, "bulk-delete", scheme)
    page.go_back()
    page.get_by_role("group", name="With the selected").get_by_role("button", name="Stop").click()
    look(page, "bulk-plan", scheme)
    page.get_by_role("button", name="Stop 2").click()
    look(page, "bulk-done", scheme)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_list_and_a_form_need_no_scrolling_sideways_on_the_smallest_screen(visit, direction):
    """320 px is what 1280 px are at 400 %."""
    scene = a_tenant()
    page = visit("alice", viewport={"width": 320, "height": 640}).page()
    machine = scene["vms"][3].pk
    for address in ("/vms/", f"/vms/{machine}/", f"/vms/{machine}/edit/", f"/vms/?peek={machine}", "/", "/settings/"):
        page.goto(address)
        page.evaluate("direction => document.documentElement.setAttribute('dir', direction)", direction)
        for width in (320, 1024):
            page.set_viewport_size({"width": width, "height": 640})
            page.screenshot(path=SHOTS / f"{address.strip('/').replace('/', '-')[-12:]}-{direction}-{width}.png")
            beyond = page.evaluate(BEYOND)
            assert not page.evaluate(TAGS), (address, width)
            assert not beyond, (address, width, beyond)


# HTML that was escaped once too often is read as text.
TAGS = "() => (document.body.innerText.match(/<\\/?(bdi|svg|span|time|b)[ >]|&(lt|amp|quot);/g) ?? []).join()"

# Whatever reaches past the screen's edge, on either side: in right-to-left `scrollWidth` is no help.
BEYOND = """() => [...document.querySelectorAll("main *, header *, footer *")].filter(part => {
  const box = part.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  if (!box.width || !box.height || part.closest(".hushed, svg, [hidden]")) return false;
  return (box.left < -1 || box.right > wide + 1) && !inside(part);
  function inside(part) {
    for (let up = part.parentElement; up; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") {
        const frame = up.getBoundingClientRect();
        return frame.left >= -1 && frame.right <= wide + 1 && getComputedStyle(up).overflowX !== "auto";
      }
    }
    return false;
  }
}).map(part => part.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_form_is_sound(visit, scheme):
    scene = a_tenant()
    alice, bob, dev = make_person("alice"), make_person("bob"), scene["dev"]
    person, vdc, organization = f"/people/{bob.pk}", f"/vdcs/{dev.pk}", f"/orgs/{dev.organization_id}"
    pages = {
        "form-person": "/people/new/",
        "form-person-edit": f"{person}/edit/",
        "form-person-disable": f"{person}/disable/",
        "form-person-password": f"{person}/password/",
        "form-person-roles": f"{person}/roles/",
        "form-own-password": "/account/password/",
        "form-role-remove": f"/roles/{bob.bindings.get().pk}/remove/",
        "form-org-edit": f"{organization}/edit/",
        "form-org-people": f"{organization}/people/",
        "form-vdc": "/vdcs/new/",
        "form-vdc-edit": f"{vdc}/edit/",
        "form-vdc-people": f"{vdc}/people/",
        "form-vdc-delete": f"{vdc}/delete/",
        "form-vm-edit": f"/vms/{scene['vms'][6].pk}/edit/",
    }
    admin = visit("alice", color_scheme=scheme)
    walk(admin, pages, scheme)
    refused = admin.page()
    refused.goto(f"{vdc}/edit/")
    refused.get_by_label("vCPU", exact=True).fill("1")
    refused.get_by_label("Memory", exact=True).fill("64")
    refused.get_by_role("button", name="Save").click()
    look(refused, "form-vdc-refused", scheme)
    refused.goto(f"/vms/{scene['vms'][0].pk}/edit/")
    refused.get_by_label("vCPU", exact=True).fill("99")
    refused.get_by_label("Memory", exact=True).fill("64")
    refused.get_by_role("button", name="Save changes").click()
    look(refused, "form-vm-refused", scheme)
    refused.goto(f"{person}/password/")
    refused.get_by_role("button", name="Reset password").click()
    look(refused, "form-password-shown", scheme)
    fleet = {
        "form-org": "/orgs/new/",
        "form-org-quota": f"{organization}/quota/",
        "form-org-disable": f"{organization}/disable/",
        "form-org-delete": f"{organization}/delete/",
        "form-roles-of-root": f"/people/{alice.pk}/roles/",
        "org-of-root": f"{organization}/",
    }
    walk(visit("root", color_scheme=scheme), fleet, scheme)


def look(page, name, scheme):
    faults: list[str] = []
    sound(page, name, scheme, faults)
    assert not faults, "\n".join(faults)


def walk(visitor, pages, scheme):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = visitor.page()
    faults: list[str] = []
    for name, address in pages.items():
        answer = page.goto(address)
        assert answer.status == (404 if name == "absent" else 200)
        sound(page, name, scheme, faults)
    assert not faults, "\n".join(faults)


def sound(page, name, scheme, faults):
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=SHOTS / f"{name}-{scheme}-{width}.png", full_page=width == 390)
        found = Axe().run(page, options=COLOURS if scheme == "dark" else WHOLE)
        if found.violations_count:
            faults.append(f"{name} {scheme} {width}: {found.generate_report()}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if tags := page.evaluate(TAGS):
            faults.append(f"{name} {scheme} {width}: shows {tags} as text")
        if wide > 0:
            faults.append(f"{name} {scheme} {width}: {wide} px wider than the screen")
