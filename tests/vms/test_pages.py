"""Pages of VMs, without a browser: other tenants' rows are absent everywhere, and more rows cost no more queries."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenancy.middleware import COOKIE_KEY
from tests.cast import make_person, session_of
from tests.domain import a_vdc, a_vm, an_item, an_organization
from tests.portal import browser, text
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db


def signed_in(name: str) -> Client:
    client = Client()
    session = client.session
    session[COOKIE_KEY] = str(session_of(make_person(name)).pk)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def test_another_tenants_machine_is_absent_from_every_page(cluster):
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")), "their-secret")
    ours = a_vm(a_vdc(), "ours")
    alice = signed_in("alice")
    for address in ("/vms/", f"/vms/?ids={theirs.pk},{ours.pk}", f"/vms/?q={theirs.name}&vdc={theirs.vdc_id}"):
        assert f"/vms/{theirs.pk}/" not in alice.get(address).content.decode()
    assert f"/vms/{ours.pk}/" in alice.get(f"/vms/?ids={theirs.pk},{ours.pk}").content.decode()
    for verb, address in (("get", ""), ("post", "power/"), ("get", "delete/"), ("post", "delete/")):
        assert getattr(alice, verb)(f"/vms/{theirs.pk}/{address}").status_code == 404
    assert alice.get(f"/vdcs/{theirs.vdc_id}/").status_code == 404
    made = alice.post("/vms/new/", {"vdc": theirs.vdc_id, "name": "x", "catalog_item": ours.catalog_item_id})
    assert made.status_code == 422
    assert VirtualMachine.objects.count() == 2


def test_what_cannot_be_meant_finds_nothing_and_breaks_nothing(cluster):
    alice = signed_in("alice")
    for query in ("phase=Nonsense", "vdc=x", "after=x", "ids=x,,y", "q=%00", "power=maybe"):
        assert alice.get(f"/vms/?{query}").status_code == 200, query


@pytest.mark.parametrize("address", ["/vms/", "/vms/new/", "/vdcs/", "/catalog/"])
def test_more_rows_cost_no_more_queries(cluster, address):
    vdc = a_vdc()
    a_vm(vdc, "first")
    client = signed_in("alice")
    few = queries(client, address)
    for number in range(5):
        a_vm(vdc, f"more-{number}")
    assert queries(client, address) == few <= 6


def test_a_form_that_is_sent_twice_makes_one_machine_and_leads_to_it_twice(cluster):
    vdc, item = a_vdc(), an_item()
    alice = browser("alice")
    page = alice.get("/vms/new/")
    assert page.headers["Cache-Control"] == "no-store"
    given = {"vdc": vdc.pk, "catalog_item": item.pk, "name": "web"}
    first, second = (alice.fill("/vms/new/", seen=page, **given) for _ in range(2))
    vm = VirtualMachine.objects.get()
    assert first.headers["Location"] == second.headers["Location"] == f"/vms/{vm.pk}/"
    assert "had been sent before" in text(alice.get(f"/vms/{vm.pk}/"))
    again = alice.fill("/vms/new/", **given)  # another page of the form: another wish
    assert again.status_code == 422
    assert "has a virtual machine of this name already" in text(again)


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_where_a_class_is_limited_the_form_asks_for_it(cluster):
    organization = an_organization("acme")
    limited = a_vdc("dev", organization=organization, limits={"disk_gib/fast": 10, "disk_gib/slow": 100})
    free = a_vdc("free", organization=organization)
    item = an_item()
    alice = signed_in("alice")
    body = {"vdc": limited.pk, "name": "web", "catalog_item": item.pk, "storage_of": limited.pk}

    assert 'name="storage_class"' not in alice.get(f"/vms/new/?vdc={free.pk}").content.decode()
    page = alice.get(f"/vms/new/?vdc={limited.pk}").content.decode()
    assert 'name="storage_class"' in page
    assert '<option value="fast">' in page
    refused = alice.post("/vms/new/", body)
    assert refused.status_code == 422
    assert "Name the storage class: there are limits on fast, slow here." in refused.content.decode()
    assert not VirtualMachine.objects.exists()

    made = alice.post("/vms/new/", body | {"storage_class": "fast"})
    assert made.status_code == 302
    assert VirtualMachine.objects.get().disks.get().storage_class == "fast"


def test_the_plan_brings_the_classes_of_another_vdc_and_counts_the_chosen_one(cluster):
    organization = an_organization("acme")
    limited = a_vdc("dev", organization=organization, limits={"disk_gib/fast": 10})
    free = a_vdc("free", organization=organization)
    body = {"vdc": limited.pk, "name": "web", "catalog_item": an_item().pk, "storage_class": "fast"}
    alice = signed_in("alice")

    def plan(**changes):
        return alice.post("/vms/new/", body | changes, headers={"HX-Request": "true"}).content.decode()

    moved = plan(storage_of=free.pk)
    assert 'hx-swap-oob="outerHTML"' in moved
    assert '<option value="fast" selected>' in moved
    stays = plan(storage_of=limited.pk)
    assert "storage_of" not in stays
    assert "It fits." in stays
    assert plan(storage_of=limited.pk, disk_gib="11Gi").count("1 over") == 1
    away = plan(vdc=free.pk, storage_of=limited.pk)
    assert 'id="storage"' in away
    assert "storage_class" not in away
    assert "It fits." in away
    assert not VirtualMachine.objects.exists()
