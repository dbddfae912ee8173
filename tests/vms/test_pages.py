"""Pages of VMs, without a browser: other tenants' rows are absent everywhere, and more rows cost no more queries."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenancy.middleware import COOKIE_KEY
from tests.cast import make_person, session_of
from tests.domain import a_vdc, a_vm, an_organization
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


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(address).status_code == 200
    return len(found)
