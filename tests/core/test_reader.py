"""What a page knows of its reader: his time zone, and that he is the provider's inside a tenant."""

import re
from datetime import UTC, datetime

import pytest

from tests.cast import make_vdc
from tests.domain import a_vdc, a_vm, an_organization
from tests.portal import text
from tests.test_permissions import signed_in
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 1, 31, 23, 30, 5, tzinfo=UTC)


@pytest.fixture
def vm(cluster):
    made = a_vm(a_vdc(), "web")
    VirtualMachine.objects.filter(pk=made.pk).update(created_at=MOMENT)
    return made


def created(client):
    page = client.get("/vms/").content.decode()
    return re.findall(r'<time datetime="([^"]+)" title="([^"]+)">([^<]+)</time>', page)[0]


def test_times_are_utc_then_the_browsers_then_the_chosen_zone_and_the_page_says_which(vm):
    alice = signed_in("alice")
    assert created(alice) == ("2026-01-31T23:30:05+00:00", "2026-01-31 23:30:05 UTC", "31 Jan 2026")
    alice.cookies["browser_zone"] = "Europe/Berlin"
    assert created(alice)[1:] == ("2026-02-01 00:30:05 CET", "01 Feb 2026")
    assert "Times are in Europe/Berlin." in text(alice.get("/vms/"))
    assert "The browser’s: Europe/Berlin" in text(alice.get("/settings/"))
    alice.post("/preferences/", {"zone": "Asia/Tokyo", "next": "/settings/"})
    assert created(alice)[1] == "2026-02-01 08:30:05 JST"
    assert '<option value="Asia/Tokyo" selected>' in alice.get("/settings/").content.decode()
    alice.post("/preferences/", {"zone": "", "next": "/settings/"})
    assert created(alice)[1] == "2026-02-01 00:30:05 CET"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "localtime", "<script>", ""])
def test_a_zone_that_there_is_not_is_no_zone(vm, name):
    alice = signed_in("alice")
    alice.post("/preferences/", {"zone": name})
    assert "zone" not in alice.cookies or not alice.cookies["zone"].value
    alice.cookies["browser_zone"] = name
    assert created(alice)[1] == "2026-01-31 23:30:05 UTC"
    assert 'data-zone=""' in alice.get("/vms/").content.decode()


def test_another_preference_leaves_the_zone_alone_and_the_api_knows_none(api, vm):
    alice = signed_in("alice")
    alice.post("/preferences/", {"zone": "Asia/Tokyo"})
    alice.post("/preferences/", {"theme": "dark"})
    assert alice.cookies["zone"].value == "Asia/Tokyo"
    client = api("alice")
    client.headers["Cookie"] = "zone=Asia/Tokyo"
    assert client.get(f"vms/{vm.pk}").json()["created_at"].startswith("2026-01-31T23:30:05")


def test_the_providers_admin_is_told_inside_which_tenant_he_acts_and_how_to_leave(vm):
    root, alice = signed_in("root"), signed_in("alice")
    here = f"?org={vm.organization_id}"
    for address, within, leave in (
        (f"/vms/{here}&sort=name", "acme", "/vms/?sort=name"),
        (f"/vdcs/{here}&vdc={vm.vdc_id}", "acme / dev", "/vdcs/"),
        (f"/vms/{vm.pk}/", "acme", "/"),
        (f"/vdcs/{vm.vdc_id}/", "acme", "/"),
        (f"/orgs/{vm.organization_id}/", "acme", "/"),
    ):
        page = root.get(address)
        assert f"Acting in {within} as System Admin" in text(page), address
        assert f'<a href="{leave}">Leave</a>' in page.content.decode(), address
        assert "Acting in" not in text(alice.get(address)), address
    assert f'href="/activity/{here}">recorded' in root.get(f"/vms/{here}").content.decode()
    for address in ("/vms/", "/", "/clusters/", "/vms/?org=019a0000-0000-7000-8000-000000000000"):
        assert "Acting in" not in text(root.get(address)), address


def test_what_the_provider_does_there_is_in_the_tenants_own_record(vm):
    other = make_vdc(an_organization("globex"), "main")
    signed_in("root").post(f"/vms/{vm.pk}/power/", {"state": "off"})
    assert "root" in text(signed_in("alice").get("/activity/"))
    assert "stopped it" not in text(signed_in("charlie").get("/activity/"))
    assert other.organization_id != vm.organization_id
