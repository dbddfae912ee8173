"""Drift and what OVIM did not make, at the doors: other tenants' rows are not there, and lists cost the same for many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters import secrets
from clusters.models import Cluster, InventoryItem, Orphan
from core.ids import uuid7
from tests.cast import make_cluster, make_vdc
from tests.domain import a_vdc, a_vm, an_organization
from tests.vms.test_pages import signed_in
from vdcs.models import Vdc
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db
DRIFTED = [
    {
        "type": "Drifted",
        "status": "True",
        "reason": "FieldConflict",
        "message": "cores by kubectl",
        "since": "2026-01-01T00:00:00+00:00",
    }
]


def drifted(vm: VirtualMachine) -> VirtualMachine:
    VirtualMachine.objects.filter(pk=vm.pk).update(phase="Failed", conditions=DRIFTED)
    return vm


def test_the_list_has_what_drifts_and_that_one_may_see(cluster):
    ours, theirs = drifted(a_vm(a_vdc(), "ours")), a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    drifted(theirs)
    calm = a_vm(ours.vdc, "calm")
    listed = signed_in("alice").get("/drift/").content.decode()
    assert f"/vms/{ours.pk}/drift/" in listed
    assert "cores by kubectl" in listed
    assert str(theirs.pk) not in listed
    assert str(calm.pk) not in listed
    everything = signed_in("root").get("/drift/").content.decode()
    assert str(theirs.pk) in everything


def test_the_api_lists_the_same(cluster, api):
    ours, theirs = drifted(a_vm(a_vdc(), "ours")), a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    drifted(theirs)
    Vdc.objects.filter(pk=ours.vdc_id).update(phase="Failed", conditions=DRIFTED)
    found = api("alice").get("drift").json()
    assert found == {
        "items": [
            {"kind": "vm", "id": str(ours.pk), "name": "ours", "where": "acme / dev", "says": ["cores by kubectl"]},
            {"kind": "vdc", "id": str(ours.vdc_id), "name": "dev", "where": "acme", "says": ["cores by kubectl"]},
        ],
        "more": False,
    }
    assert {item["name"] for item in api("root").get("drift").json()["items"]} == {"ours", "theirs", "dev"}
    assert api("nobody").get("drift").status_code == 403


def test_more_that_drifts_costs_no_more_queries(cluster):
    vdc = a_vdc()
    drifted(a_vm(vdc, "first"))
    client = signed_in("alice")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/drift/").status_code == 200
        return len(seen)

    few = queries()
    for number in range(5):
        drifted(a_vm(vdc, f"more-{number}"))
    assert queries() == few <= 8


@pytest.mark.parametrize("kind", ["vms", "vdcs", "organizations"])
def test_drift_of_another_tenants_is_not_there(api, cluster, kind):
    vm = a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    row = {"vms": vm.pk, "vdcs": vm.vdc_id, "organizations": vm.organization_id}[kind]
    a_vdc()
    page = {"vms": "vms", "vdcs": "vdcs", "organizations": "orgs"}[kind]
    for who in ("alice", "vera", "bob"):
        assert api(who).get(f"{kind}/{row}/drift").status_code == 404, who
        assert signed_in(who).get(f"/{page}/{row}/drift/").status_code == 404, who
    assert api("charlie").get(f"{kind}/{row}/drift").status_code == 200
    assert api("charlie").get(f"{kind}/{row}/drift?live=perhaps").status_code == 400


def test_a_live_look_at_a_cluster_that_is_away_says_so(api, cluster):
    Cluster.objects.update(credential=secrets.encrypt("token"))
    vm = a_vm(a_vdc(), "web")
    InventoryItem.objects.create(
        owner_kind="vm", owner_id=vm.pk, data_of_kind="vm", data_of_id=vm.pk, cluster=vm.vdc.cluster,
        group="kubevirt.io", kind="VirtualMachine", namespace=vm.vdc.namespace, name="web", uid=uuid7(),
    )  # fmt: skip
    answer = api("alice").get(f"vms/{vm.pk}/drift?live=true")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    page = signed_in("alice").get(f"/vms/{vm.pk}/drift/?live=1")
    assert page.status_code == 503
    assert "The cluster was not reached" in page.content.decode()
    assert api("alice").get(f"vms/{vm.pk}/drift").status_code == 200


def test_what_ovim_did_not_make_is_for_those_who_rule_the_vdc(api, cluster):
    theirs = a_vdc("main", organization=an_organization("globex"))
    ours = a_vdc()
    for who, status in (("alice", 200), ("vera", 200), ("bob", 403), ("nobody", 403), (None, 401)):
        assert api(who).get(f"vdcs/{ours.pk}/unmanaged").status_code == status, who
    assert api("alice").get(f"vdcs/{theirs.pk}/unmanaged").status_code == 404
    assert api("alice").post(f"vdcs/{theirs.pk}/unmanaged/x/adopt", {}).status_code == 404
    assert api("vera").post(f"vdcs/{ours.pk}/unmanaged/x/adopt", {}).status_code == 403


def test_orphans_are_the_providers(api, cluster):
    orphan = Orphan.objects.create(cluster=make_cluster(), kind="Secret", namespace="a", name="left", uid=uuid7())
    disk = Orphan.objects.create(
        cluster=make_cluster(), group="cdi.kubevirt.io", kind="DataVolume", namespace="a", name="disk", uid=uuid7()
    )
    make_vdc(an_organization(), "dev")
    assert api("alice").get("orphans").status_code == 403
    assert [row["name"] for row in api("root").get("orphans").json()["items"]] == ["left", "disk"]
    assert api("root").get(f"orphans/{orphan.pk}").json()["cluster_name"] == "local"
    assert api("root").delete(f"orphans/{orphan.pk}").status_code == 202
    refused = api("root").delete(f"orphans/{disk.pk}?confirm=other")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "confirm"
    page = signed_in("root")
    listed = page.get(f"/clusters/{orphan.cluster_id}/orphans/").content.decode()
    assert "Being deleted" in listed
    assert "It may hold data" in listed
    assert page.post(f"/orphans/{disk.pk}/delete/", {"confirm": "no"}).status_code == 422
    assert page.post(f"/orphans/{disk.pk}/delete/", {"confirm": "disk"}).status_code == 302
    assert page.post(f"/clusters/{orphan.cluster_id}/audit/").status_code == 302
    assert Orphan.objects.filter(deletion_requested_at__isnull=False).count() == 2
