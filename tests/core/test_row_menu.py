"""A row's menu and side panel over HTTP: what can be done with it and why not, never of a foreign row, at a set price."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import AuditEntry
from tests.cast import actor_of, make_person
from tests.domain import a_vdc, a_vm, an_organization
from tests.portal import text
from tests.test_permissions import signed_in
from vms.models import VirtualMachine
from vms.services import delete_vm

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}


def statements(client, address, **headers):
    with CaptureQueriesContext(connection) as found:
        assert client.get(address, headers=headers).status_code == 200
    return len(found)


def test_a_rows_menu_has_the_verbs_of_its_state_and_says_why_others_are_not(cluster):
    vm = a_vm(a_vdc(), "web")
    alice = signed_in("alice")
    address = f"/vms/{vm.pk}/menu/"
    assert address in alice.get("/vms/").content.decode()
    page = alice.get(address, headers=FRAGMENT).content.decode()
    assert re.search(r'name="state" value="off">.*Stop</button>', page)
    assert re.search(r'aria-disabled="true" aria-describedby="menu-start">.*Start</button>', page)
    assert "It is on already." in page
    assert f"/vms/{vm.pk}/delete/" in page
    assert "Give an order" not in page
    assert "<html" not in page
    assert "<html" in alice.get(address).content.decode()
    delete_vm(actor=actor_of(make_person("alice")), vm=vm)
    going = alice.get(address).content.decode()
    assert going.count("It is being deleted.") >= 4
    assert 'name="state"' not in going


def test_what_one_has_no_right_to_is_absent(cluster):
    vm = a_vm(a_vdc(), "web", actor=actor_of(make_person("alice")))
    assert "Edit" in text(signed_in("alice").get(f"/vdcs/{vm.vdc_id}/menu/"))
    seen = text(signed_in("vera").get(f"/vdcs/{vm.vdc_id}/menu/", headers=FRAGMENT))
    assert "Create VM" in seen
    assert "Edit" not in seen
    assert "Delete" not in seen


@pytest.mark.parametrize(("kind", "who"), [("people", "bob"), ("orgs", "acme")])
def test_people_and_organizations_have_menus_too(cluster, kind, who):
    bob = make_person("bob")
    pk = bob.pk if kind == "people" else bob.organization_id
    page = text(signed_in("alice").get(f"/{kind}/{pk}/menu/"))
    assert {"people": "Edit", "orgs": "Settings"}[kind] in page
    if kind == "people":
        assert "Disable…" in page
        assert "The account is enabled already." in page


def test_a_foreign_row_has_neither_menu_nor_panel(cluster):
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")), "their-secret")
    alice = signed_in("alice")
    for prefix, pk in (("vms", theirs.pk), ("vdcs", theirs.vdc_id), ("orgs", theirs.organization_id)):
        assert alice.get(f"/{prefix}/{pk}/menu/").status_code == 404
        assert alice.get(f"/{prefix}/?peek={pk}", headers=FRAGMENT).status_code == 404
        page = alice.get(f"/{prefix}/?peek={pk}")
        assert page.status_code == 200
        assert 'id="peek"' not in page.content.decode()
        assert "their-secret" not in page.content.decode()


def test_a_verb_of_the_menu_leads_back_to_the_list_as_it_was_and_never_elsewhere(cluster):
    vm = a_vm(a_vdc(), "web")
    alice = signed_in("alice")
    for referer, back in (
        ("http://testserver/vms/?q=web&sort=name", "/vms/?q=web&amp;sort=name"),
        ("https://evil.example.org/vms/", "/"),
        ("", "/"),
    ):
        page = alice.get(f"/vms/{vm.pk}/menu/", headers=FRAGMENT | {"Referer": referer}).content.decode()
        assert f'name="next" value="{back}"' in page
    told = alice.post(f"/vms/{vm.pk}/power/", {"state": "off", "next": "/vms/?q=web&sort=name"})
    assert told.headers["Location"] == "/vms/?q=web&sort=name"
    assert alice.post(f"/vms/{vm.pk}/power/", {"state": "on", "next": "//evil.example.org"}).headers["Location"] == "/"
    assert VirtualMachine.objects.get().power_state == "on"


def test_the_panel_is_a_plain_address_with_facts_conditions_verbs_and_the_last_that_happened(cluster):
    vm = a_vm(a_vdc(), "web", cpu=3)
    alice = signed_in("alice")
    page = alice.get(f"/vms/?peek={vm.pk}&sort=name").content.decode()
    panel = page[page.index('id="peek"') :]
    for word in ("web", "vCPU", "3", "Stop", "Accepted.", "made"):
        assert word in panel
    assert 'href="/vms/?sort=name" aria-label="Close the panel"' in panel
    assert 'data-list="/vms/?sort=name"' in page  # what the list fetches and links to does not carry it on
    part = alice.get(f"/vms/?peek={vm.pk}", headers=FRAGMENT).content.decode()
    assert "<table" not in part
    assert 'id="peek"' in part
    for nonsense in ("x", "", "1,2"):
        assert 'id="peek"' not in alice.get(f"/vms/?peek={nonsense}").content.decode()


def test_menus_cost_the_list_nothing_and_themselves_two_statements(cluster):
    vdc = a_vdc()
    vm = a_vm(vdc, "web")
    alice = signed_in("alice")
    plain = statements(alice, f"/vdcs/{vdc.pk}/menu/")
    assert statements(alice, f"/vms/{vm.pk}/menu/", **FRAGMENT) <= 2  # who asks; the row with its reasons
    assert plain <= 3
    few = statements(alice, f"/vms/?peek={vm.pk}")
    for number in range(4):
        a_vm(vdc, f"m-{number}")
    assert statements(alice, f"/vms/?peek={vm.pk}") == few <= 10


def test_every_list_with_a_page_for_its_rows_has_a_panel_too(cluster):
    vm = a_vm(a_vdc(), "web")
    root = signed_in("root")
    entry = AuditEntry.objects.latest("pk")
    for address, word in (
        (f"/clusters/?peek={vm.vdc.cluster_id}", "local"),
        (f"/catalog/?peek={vm.catalog_item_id}", "Jammy"),
        (f"/vdcs/?peek={vm.vdc_id}", "dev"),
        (f"/orgs/?peek={vm.organization_id}", "acme"),
        (f"/people/?peek={make_person('bob').pk}", "bob"),
        (f"/activity/?peek={entry.pk}", entry.action),
    ):
        page = root.get(address).content.decode()
        assert word in page[page.index('id="peek"') :], address
