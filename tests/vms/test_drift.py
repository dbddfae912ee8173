"""Drift as people see it: what is wanted, what there is, who made it so and what becomes of it. Nothing is written."""

import json
from typing import Any

import pytest

from clusters import connections, observed
from clusters.models import ObservedObject
from clusters.operations import suspend
from clusters.refs import WATCHED
from core.actor import system_actor
from tests.cast import Api, make_person, session_of
from tests.engine import driver
from tests.vms.conftest import Site
from tests.vms.test_life import condition, running
from tests.vms.test_pages import signed_in
from tests.vms.test_power import PATH, by_hand
from vdcs.models import Vdc
from vms.models import VirtualMachine

CORES = "spec.template.spec.domain.cpu.cores"


def root() -> Api:
    return Api(session_of(make_person("root")))


def drift(row: str, query: str = "") -> dict[str, Any]:
    answer = root().get(f"{row}/drift{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def version(site: Site) -> str:
    return str(site.live("VirtualMachine", "web")["metadata"]["resourceVersion"])


def test_a_machines_size_changed_by_hand_is_told_with_who_and_when_and_what_may_be_done(site: Site):
    vm = running(site)
    assert drift(f"vms/{vm.pk}") | {"unseen": []} == {
        "differs": False, "live": False, "objects": [], "orders": [], "unseen": [],
    }  # fmt: skip
    by_hand(site, cores=2)
    site.until(lambda: condition(vm, "Drifted"))
    before = version(site)
    found = drift(f"vms/{vm.pk}")
    (machine,) = found["objects"]
    assert (machine["kind"], machine["name"], machine["state"]) == ("VirtualMachine", "web", "changed")
    assert machine["repaired"] is False, "a VM's template is not forced"
    (field,) = machine["fields"]
    assert (field["path"], field["wanted"], field["live"], field["changed_by"]) == (CORES, 1, 2, "kubectl")
    assert field["changed_at"]
    assert [(order["order"], order["hindrance"]) for order in found["orders"]] == [("repair", ""), ("accept", "")]
    assert version(site) == before, "looking writes nothing"
    page = signed_in("root")
    text = page.get(f"/vms/{vm.pk}/drift/").content.decode()
    assert CORES in text
    assert "kubectl" in text
    assert "Accept the size it has" in text
    listed = page.get("/drift/").content.decode()
    assert f"/vms/{vm.pk}/drift/" in listed


def test_what_can_not_be_accepted_says_why(site: Site):
    vm = running(site, cpu=2)
    client = connections.client_of(site.cluster.pk)
    live = client.raw("GET", PATH)
    live["spec"]["template"]["spec"]["volumes"].pop()
    live["spec"]["template"]["spec"]["domain"]["devices"]["disks"].pop()
    client.raw("PUT", PATH + "?fieldManager=kubectl", live)
    site.until(lambda: condition(vm, "Drifted"))
    orders = {item["order"]: item["hindrance"] for item in drift(f"vms/{vm.pk}")["orders"]}
    assert orders["repair"] == ""
    assert "Only a changed size can be accepted" in orders["accept"]


def test_a_guard_is_repaired_by_ovim_itself_and_says_so_while_it_is_not_yet(site: Site):
    vdc = site.until(lambda: Vdc.objects.filter(name="dev", phase="Active").first())
    suspend(actor=system_actor("test"), row=vdc, reason="to look")
    client = connections.client_of(site.cluster.pk)
    path = "/api/v1/namespaces/acme-corp-dev/resourcequotas"
    name = next(iter(site.names("ResourceQuota")))
    quota = client.raw("GET", f"{path}/{name}")
    key = next(iter(quota["spec"]["hard"]))
    quota["spec"]["hard"][key] = "1"
    client.raw("PUT", f"{path}/{name}?fieldManager=edit", quota)
    driver.relist(site.cluster, WATCHED)
    (found,) = [item for item in drift(f"vdcs/{vdc.pk}")["objects"] if item["kind"] == "ResourceQuota"]
    assert (found["kind"], found["state"], found["repaired"]) == ("ResourceQuota", "changed", False)
    assert "suspended" in found["what_follows"]
    Vdc.objects.filter(pk=vdc.pk).update(suspended_at=None)
    (found,) = [item for item in drift(f"vdcs/{vdc.pk}")["objects"] if item["kind"] == "ResourceQuota"]
    assert found["repaired"] is True
    (field,) = found["fields"]
    assert (field["path"], field["live"], field["changed_by"]) == (f"spec.hard.{key}", "1", "edit")
    client.raw("DELETE", f"{path}/{name}")
    driver.relist(site.cluster, WATCHED)
    (found,) = [item for item in drift(f"vdcs/{vdc.pk}")["objects"] if item["kind"] == "ResourceQuota"]
    assert (found["state"], found["repaired"]) == ("missing", True)


def test_a_live_look_sees_what_the_cache_does_not_and_masks_secrets(site: Site):
    vm = running(site, user_data="#cloud-config\npassword: hunter2\n")
    client = connections.client_of(site.cluster.pk)
    path = "/api/v1/namespaces/acme-corp-dev/secrets/web-cloud-init"
    secret = client.raw("GET", path)
    secret["data"]["userdata"] = "aGFja2Vk"
    client.raw("PUT", path + "?fieldManager=kubectl", secret)
    cached = drift(f"vms/{vm.pk}")
    assert not cached["differs"]
    assert [item["kind"] for item in cached["unseen"]] == ["Secret"]
    live = drift(f"vms/{vm.pk}", "?live=true")
    assert [item["kind"] for item in live["objects"]] == ["Secret"]
    assert live["unseen"] == []
    (field,) = live["objects"][0]["fields"]
    assert (field["path"], field["wanted"], field["live"]) == ("data.userdata", "•••", "•••")
    assert "aGFja2Vk" not in json.dumps(live)


def test_an_organization_is_told_over_all_its_placements(site: Site):
    vdc = site.until(lambda: Vdc.objects.filter(name="dev", phase="Active").first())
    client = connections.client_of(site.cluster.pk)
    namespace = client.raw("GET", "/api/v1/namespaces/acme-corp")
    namespace["metadata"]["labels"]["ovim.io/organization"] = "mine"
    client.raw("PUT", "/api/v1/namespaces/acme-corp?fieldManager=edit", namespace)
    driver.relist(site.cluster, WATCHED)
    (found,) = drift(f"organizations/{vdc.organization_id}")["objects"]
    assert (found["kind"], found["repaired"], found["fields"][0]["live"]) == ("Namespace", True, "mine")


@pytest.mark.django_db
def test_the_cache_keeps_who_else_writes_our_objects_and_no_more():
    entry = {"manager": "kubectl", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}
    ours = {"manager": "ovim", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    status = {"manager": "virt-controller", "operation": "Update", "subresource": "status", "fieldsV1": {}}
    live: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "managedFields": [entry, ours, status]},
    }
    assert observed.trimmed(live)["metadata"]["managedFields"] == [entry]
    live["metadata"]["managedFields"] = [entry, status]
    assert "managedFields" not in observed.trimmed(live)["metadata"]
    assert not ObservedObject.objects.exists()
    assert not VirtualMachine.objects.exists()
