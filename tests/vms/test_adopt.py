"""Adoption: a machine that OVIM did not make becomes a VDC's own, as it is, running on; or it is refused with every reason."""

import json
from typing import Any
from uuid import uuid4

import pytest

from clusters import connections
from clusters.models import InventoryItem
from clusters.refs import KINDS, WATCHED
from core.actor import system_actor
from core.models import AuditEntry
from tenancy.models import RoleName, User
from tests.cast import Api, make_person, make_user, session_of
from tests.engine import driver
from tests.vms.conftest import Site
from tests.vms.test_life import condition, phase, running
from tests.vms.test_pages import signed_in
from vdcs.models import QuotaClaim, QuotaScope, Vdc
from vdcs.quotas import recount
from vms.models import Disk, VirtualMachine
from vms.services import delete_vm, edit_vm, set_power

ACTOR = system_actor("test")
NAMESPACE = "acme-corp-dev"
USER_DATA = "#cloud-config\npassword: hunter2\n"


def spec(**more: Any) -> dict[str, Any]:
    """Made by a hand that knows nothing of OVIM: two disks, one with and one without a DataVolume, and much of its own."""
    domain = {
        "cpu": {"cores": 1, "sockets": 2, "model": "host-model"},
        "memory": {"guest": "512Mi"},
        "devices": {
            "rng": {},
            "disks": [
                {"name": "root", "bootOrder": 1, "disk": {"bus": "virtio"}},
                {"name": "data", "disk": {"bus": "sata"}},
                {"name": "init", "disk": {"bus": "virtio"}},
            ],
            "interfaces": [{"name": "default", "masquerade": {}, "macAddress": "02:00:00:00:00:01"}],
        },
    }
    template = {
        "terminationGracePeriodSeconds": 30,
        "domain": domain,
        "networks": [{"name": "default", "pod": {}}],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "theirs-data"}},
            {"name": "root", "dataVolume": {"name": "theirs-root"}},
            {"name": "init", "cloudInitNoCloud": {"userData": USER_DATA}},
        ],
    }
    changed = dict(more.pop("domain", {}))
    domain["devices"] |= changed.pop("devices", {})
    domain |= changed
    labels = {"app": "legacy", "kubevirt.io/size": "small"}
    return {"runStrategy": "Always", "template": {"metadata": {"labels": labels}, "spec": template}} | more


def client(site: Site):
    return connections.client_of(site.cluster.pk)


def make(site: Site, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    found = next(item for item in KINDS.values() if item.kind == kind)
    body = {"apiVersion": found.api_version, "kind": kind} | body
    body["metadata"] |= {"namespace": NAMESPACE}
    made: dict[str, Any] = client(site).raw("POST", found.path(NAMESPACE) + "?fieldManager=kubectl-create", body)
    return made


def theirs(site: Site, name: str = "theirs", **more: Any) -> dict[str, Any]:
    """A machine that runs, made with kubectl."""
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    storage = {"resources": {"requests": {"storage": "1Gi"}}}
    source = {"http": {"url": f"{site.images}/good.qcow2"}}
    make(site, "DataVolume", {"metadata": {"name": "theirs-root"}, "spec": {"source": source, "storage": storage}})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500Mi"}}}
    make(site, "PersistentVolumeClaim", {"metadata": {"name": "theirs-data"}, "spec": claim})
    make(site, "VirtualMachine", {"metadata": {"name": name, "labels": {"team": "a"}}, "spec": spec(**more)})
    if more.get("runStrategy", "Always") == "Always":
        site.until(lambda: (site.get("VirtualMachineInstance", name) or {}).get("status", {}).get("phase") == "Running")
    else:
        site.until(lambda: site.get("PersistentVolumeClaim", "theirs-root"))
    driver.relist(site.cluster, WATCHED)
    return site.live("VirtualMachine", name)


def as_person(name: str = "root") -> Api:
    return Api(session_of(User.objects.filter(username=name).first() or make_person(name)))


def adopt(name: str = "theirs", query: str = "", who: str = "root", **body: Any):
    vdc = Vdc.objects.get(name="dev")
    return as_person(who).post(f"vdcs/{vdc.pk}/unmanaged/{name}/adopt{query}", body)


def adopted(site: Site) -> VirtualMachine:
    answer = adopt()
    assert answer.status_code == 201, answer.content
    vm = VirtualMachine.objects.get(name="theirs")
    site.until(lambda: phase(vm) == "Running")
    return vm


def unmanaged() -> dict[str, Any]:
    answer = as_person().get(f"vdcs/{Vdc.objects.get(name='dev').pk}/unmanaged")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_what_ovim_did_not_make_is_listed_and_measured_but_not_claimed(site: Site):
    running(site)
    before = {item["resource"]: item for item in unmanaged()["measures"]}
    assert (before["cpu"]["claimed"], before["cpu"]["measured"]) == (1, 1)
    assert unmanaged()["machines"] == []
    theirs(site)
    found = unmanaged()
    (machine,) = found["machines"]
    assert machine | {"uid": "", "made_at": ""} == {
        "name": "theirs", "uid": "", "cpu": 2, "memory_mib": 512, "disk_gib": 3, "disks": ["theirs-root", "theirs-data"],
        "running": True, "phase": "Running", "made_by": "kubectl-create", "made_at": "", "unfit": [],
    }  # fmt: skip
    assert machine["made_at"]
    after = {item["resource"]: (item["claimed"], item["measured"], item["unmanaged"]) for item in found["measures"]}
    assert after["cpu"] == (1, 3, 2)
    assert after["vms"] == (1, 2, 1)
    assert after["running_vms"] == (1, 2, 1)
    assert after["memory_mib"] == (512, 1024, 512)
    assert after["disk_gib"][2] == 3
    assert any("1 machine that OVIM did not make" in line for line in found["why"])


def test_it_is_adopted_as_it_is_and_runs_on(site: Site):
    before, instance = theirs(site), site.live("VirtualMachineInstance", "theirs")
    vm = adopted(site)
    after = site.live("VirtualMachine", "theirs")
    assert site.live("VirtualMachineInstance", "theirs")["metadata"]["uid"] == instance["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"], "its spec was not written"
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["ovim.io/vm"] == str(vm.pk)
    assert after["metadata"]["labels"]["team"] == "a"
    assert condition(vm, "RestartRequired") is None
    assert (vm.cpu, vm.memory_mib, vm.power_state) == (2, 512, "on")
    disks = list(Disk.objects.filter(vm=vm).order_by("position").values_list("name", "size_gib", "source"))
    assert disks == [("theirs-root", 1, "adopted"), ("theirs-data", 2, "adopted")]
    assert InventoryItem.objects.filter(owner_id=vm.pk, uid__isnull=False).count() == 4
    assert unmanaged()["machines"] == []
    assert recount() == []
    assert QuotaScope.objects.get(vdc__name="dev").active["cpu"] == 2
    version = after["metadata"]["resourceVersion"]
    for _ in range(3):
        site.turn()
    assert site.live("VirtualMachine", "theirs")["metadata"]["resourceVersion"] == version, (
        "settled: nothing is written"
    )
    assert "as_is" in (AuditEntry.objects.get(action="vm.adopt").after or {})
    drift = as_person().get(f"vms/{vm.pk}/drift?live=true").json()
    assert drift["objects"] == []


def test_an_adopted_machine_lives_like_any_other(site: Site):
    theirs(site)
    vm = adopted(site)
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: phase(vm) == "Stopped" and QuotaScope.objects.get(vdc__name="dev").active.get("cpu", 0) == 0)
    vm = edit_vm(actor=ACTOR, vm=vm, changes={"cpu": 4, "memory_mib": 1024})
    set_power(actor=ACTOR, vm=vm, on=True)
    site.until(lambda: phase(vm) == "Running")
    template = site.live("VirtualMachine", "theirs")["spec"]["template"]["spec"]
    assert template["domain"]["cpu"] == {"cores": 2, "sockets": 2, "model": "host-model"}
    assert template["domain"]["memory"]["guest"] == "1Gi"
    assert template["volumes"] == spec()["template"]["spec"]["volumes"]
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    for kind in ("VirtualMachine", "DataVolume", "PersistentVolumeClaim"):
        assert site.names(kind) == set(), kind
    assert not QuotaClaim.objects.exists()


def test_one_that_somebody_deletes_is_made_again_whole(site: Site):
    before = theirs(site)
    vm = adopted(site)
    client(site).raw("DELETE", KINDS["kubevirt.io", "VirtualMachine"].path(NAMESPACE, "theirs"))
    site.until(lambda: (site.get("VirtualMachine", "theirs") or before)["metadata"]["uid"] != before["metadata"]["uid"])
    site.until(lambda: phase(vm) == "Running" and site.get("VirtualMachineInstance", "theirs"))
    assert (
        site.live("VirtualMachine", "theirs")["spec"]["template"]["spec"]["volumes"]
        == spec()["template"]["spec"]["volumes"]
    )


def test_the_plan_says_what_would_come_of_it_and_changes_nothing(site: Site):
    before = theirs(site)
    answer = adopt(query="?dry_run=true")
    assert answer.status_code == 200, answer.content
    plan = answer.json()
    assert plan["row"]["as_is"]
    assert "spec.template.spec.volumes[init]" in plan["row"]["as_is"]
    assert "spec.template.spec.terminationGracePeriodSeconds" in plan["row"]["as_is"]
    assert "VirtualMachine acme-corp-dev/theirs" in plan["row"]["objects"]
    assert {item["resource"] for item in plan["quota"]} >= {"cpu", "memory_mib", "disk_gib", "vms"}
    (change,) = plan["changes"]
    assert change["action"] == "update"
    assert all(item["path"].startswith("metadata.") for item in change["differences"]), change
    assert plan["restart_needed"] is False
    assert "hunter2" not in json.dumps(plan)
    assert not VirtualMachine.objects.exists()
    assert not InventoryItem.objects.filter(owner_kind="vm").exists()
    assert site.live("VirtualMachine", "theirs")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def refused(word: str, status: int = 409, **options: Any) -> None:
    answer = adopt(**options)
    assert answer.status_code == status, answer.content
    assert word in answer.content.decode(), answer.content
    assert not VirtualMachine.objects.filter(name=options.get("name", "theirs"), adopted_spec__isnull=False).exists()


def test_who_may_not_and_what_is_not_there(site: Site):
    theirs(site)
    dev = Vdc.objects.get(name="dev")
    make_user("valerie", RoleName.VDC_ADMIN, organization=dev.organization, vdc_id=dev.pk)
    refused("No such VDC", 404, who="charlie")
    refused("vm.adopt", 403, who="nobody")
    refused("vm.adopt", 403, who="valerie")
    refused("There is no virtual machine none", 404, name="none")
    refused("another object by now", uid=str(uuid4()))


def test_a_quota_that_it_does_not_fit_refuses_it(site: Site):
    theirs(site)
    QuotaScope.objects.filter(vdc__name="dev").update(limits={"cpu": 1})
    refused("quota", 422)
    assert recount() == []


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"runStrategy": "Manual"}, "runStrategy is Manual"),
        ({"runStrategy": "Halted", "domain": {"devices": {"gpus": [{"name": "g", "deviceName": "x/y"}]}}}, "gpus"),
        ({"runStrategy": "Halted", "domain": {"memory": {"guest": "1000M"}}}, "no size that OVIM knows"),
        ({"runStrategy": "Halted", "domain": {"memory": {}}}, "does not say its memory"),
    ],
)  # fmt: skip
def test_what_ovim_can_not_express_refuses_it(site: Site, more, word):
    theirs(site, **more)
    refused(word)
    assert unmanaged()["machines"][0]["unfit"]


def test_what_is_somebody_elses_refuses_it(site: Site):
    theirs(site)
    path = KINDS["kubevirt.io", "VirtualMachine"].path(NAMESPACE, "theirs")

    def label(**labels: Any) -> None:
        live = client(site).raw("GET", path)
        live["metadata"]["labels"] |= labels
        live["metadata"]["labels"] = {key: value for key, value in live["metadata"]["labels"].items() if value}
        client(site).raw("PUT", path + "?fieldManager=helm", live)

    label(**{"app.kubernetes.io/managed-by": "Helm"})
    refused("managed by Helm")
    label(**{"app.kubernetes.io/managed-by": "", "ovim.io/installation": str(uuid4())})
    refused("another installation of OVIM")
    label(**{"ovim.io/installation": "", "ovim.io/vm": "mine"})
    refused("Others own what OVIM would write")
    label(**{"ovim.io/vm": ""})
    other = spec(runStrategy="Halted")
    make(site, "VirtualMachine", {"metadata": {"name": "twin"}, "spec": other})
    driver.relist(site.cluster, WATCHED)
    refused("is used by twin")
    site.vm("twin")
    refused("Its name is taken", name="twin")


def test_a_volume_of_another_of_ovims_machines_refuses_it(site: Site):
    vm = running(site)
    disk = Disk.objects.get(vm=vm)
    body = spec(runStrategy="Halted")
    body["template"]["spec"]["volumes"] = [{"name": "root", "persistentVolumeClaim": {"claimName": disk.name}}]
    body["template"]["spec"]["domain"]["devices"]["disks"] = [{"name": "root", "disk": {"bus": "virtio"}}]
    make(site, "VirtualMachine", {"metadata": {"name": "theirs"}, "spec": body})
    refused("belongs to another virtual machine of OVIM")


def test_the_pages_list_it_show_the_plan_and_adopt_it(site: Site):
    theirs(site)
    vdc = Vdc.objects.get(name="dev")
    page = signed_in("root")
    listed = page.get(f"/vdcs/{vdc.pk}/unmanaged/").content.decode()
    assert f"/vdcs/{vdc.pk}/unmanaged/theirs/adopt/" in listed
    assert "Measured in the cluster" in listed
    plan = page.get(f"/vdcs/{vdc.pk}/unmanaged/theirs/adopt/").content.decode()
    assert "spec.template.spec.volumes[init]" in plan
    assert not VirtualMachine.objects.exists()
    assert "hunter2" not in plan
    uid = site.live("VirtualMachine", "theirs")["metadata"]["uid"]
    done = page.post(f"/vdcs/{vdc.pk}/unmanaged/theirs/adopt/", {"uid": uid})
    vm = VirtualMachine.objects.get()
    assert (done.status_code, done["Location"]) == (302, f"/vms/{vm.pk}/")
    again = page.post(f"/vdcs/{vdc.pk}/unmanaged/theirs/adopt/", {"uid": uid})
    assert again.status_code == 422
    assert "Its name is taken" in again.content.decode()
    assert page.get(f"/vdcs/{vdc.pk}/unmanaged/none/adopt/").status_code == 404
