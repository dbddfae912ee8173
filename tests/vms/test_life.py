"""A VM's life on a cluster that is reached over HTTP only: it runs, stops, starts, goes, and leaves nothing behind."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters import connections, queue
from clusters import status as status_of_rows
from clusters.models import InventoryItem, WorkItem
from clusters.refs import KINDS
from core.actor import system_actor
from tests.vms.conftest import Site
from vdcs.models import QuotaClaim, QuotaScope, Vdc
from vdcs.quotas import recount
from vdcs.services import delete_vdc, edit_vdc
from vms.models import Disk, VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")


def condition(vm, type_):
    vm.refresh_from_db()
    return next((item for item in vm.conditions if item["type"] == type_), None)


def phase(vm):
    vm.refresh_from_db()
    return vm.phase


def running(site: Site, **more) -> VirtualMachine:
    vm = site.vm(**more)
    site.until(lambda: phase(vm) == "Running" and vm.ip_addresses)
    return vm


def active(site: Site) -> int:
    return int(QuotaScope.objects.get(vdc__name="dev").active.get("cpu", 0))


def test_its_whole_life(site: Site):
    vm = running(site)
    assert vm.node
    assert vm.progress == ""
    assert condition(vm, "Ready")["status"] == "True"
    assert condition(vm, "DiskReady")["status"] == "True"
    assert vm.power_applied_generation == vm.power_generation
    assert active(site) == 1

    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: phase(vm) == "Stopped" and vm.ip_addresses == [])
    site.until(lambda: active(site) == 0)
    assert site.get("VirtualMachineInstance", "web") is None

    set_power(actor=ACTOR, vm=vm, on=True)
    assert active(site) == 1
    site.until(lambda: phase(vm) == "Running")

    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not Disk.objects.exists()
    assert not QuotaClaim.objects.exists()
    assert recount() == []
    for kind in ("VirtualMachine", "DataVolume", "Secret"):
        assert "web" not in str(site.names(kind)), kind
    assert not InventoryItem.objects.filter(owner_kind="vm", tombstoned_at__isnull=True).exists()


def test_twice_is_no_change(site: Site):
    vm = running(site)
    site.rest()
    objects = (("VirtualMachine", "web"), ("DataVolume", "web-disk-0"), ("ResourceQuota", "ovim-quota"))
    before = [site.live(*names)["metadata"]["resourceVersion"] for names in objects]
    queue.request_all([vm, vm.vdc, vm.vdc.placement])
    site.until(lambda: not WorkItem.objects.exists())
    assert [site.live(*names)["metadata"]["resourceVersion"] for names in objects] == before


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ("missing.qcow2", "404"),
        ("truncated.qcow2", ""),
        ("wrong.vmdk", "vmdk"),
        ("large.qcow2", "too small"),
    ],
)
def test_what_only_the_bytes_tell_is_a_condition_with_its_cause(site: Site, image, cause):
    vm = site.vm(image_url=f"{site.images}/{image}")
    site.until(
        lambda: cause in (condition(vm, "ImportFailed") or {"message": "\0"})["message"] and vm.phase == "Failed"
    )
    assert condition(vm, "ImportFailed") is not None
    assert QuotaClaim.objects.filter(owner_kind="vm").exists()
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not QuotaClaim.objects.exists()


def test_a_power_change_made_in_the_cluster_becomes_the_intent(site: Site):
    vm = running(site)
    _power_by_hand(site, "Halted")
    site.until(lambda: phase(vm) == "Stopped" and vm.power_state == "off")
    assert vm.power_applied_generation == vm.power_generation
    site.until(lambda: active(site) == 0)


def _power_by_hand(site: Site, strategy: str) -> None:
    client = connections.client_of(site.cluster.pk)
    path = KINDS["kubevirt.io", "VirtualMachine"].path("acme-corp-dev", "web")
    live = client.raw("GET", path)
    live["spec"]["runStrategy"] = strategy
    client.raw("PUT", path + "?fieldManager=virtctl", live)


def test_a_start_in_the_cluster_that_no_quota_allows_is_undone(site: Site):
    vm = running(site)
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: phase(vm) == "Stopped" and active(site) == 0)
    scope = QuotaScope.objects.get(vdc__name="dev")
    scope.limits = scope.limits | {"running_vms": 0}
    scope.save(update_fields=["limits"])
    _power_by_hand(site, "Always")
    site.until(lambda: condition(vm, "PowerRefused"))
    site.until(lambda: site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Halted")
    assert vm.power_state == "off"
    assert active(site) == 0


def test_a_vdc_goes_with_everything_in_it_when_told_so(site: Site):
    running(site)
    vdc = Vdc.objects.get(name="dev")
    delete_vdc(actor=ACTOR, vdc=vdc, cascade=True)
    site.until(lambda: not Vdc.objects.filter(name="dev").exists())
    assert site.get("Namespace", "acme-corp-dev", "") is None
    assert not VirtualMachine.objects.exists()
    assert recount() == []


def test_what_a_tenant_made_in_the_namespace_is_not_destroyed_by_mistake(site: Site):
    running(site)
    client = connections.client_of(site.cluster.pk)
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"a": "b"}}
    client.raw("POST", "/api/v1/namespaces/acme-corp-dev/configmaps", theirs)
    vdc = Vdc.objects.get(name="dev")
    delete_vdc(actor=ACTOR, vdc=vdc, cascade=True)
    site.until(lambda: condition(vdc, "HoldsStrangers"))
    assert not VirtualMachine.objects.exists()  # VMs end first
    assert "ConfigMap notes" in condition(vdc, "HoldsStrangers")["message"]
    assert site.get("ConfigMap", "notes") is not None
    delete_vdc(actor=ACTOR, vdc=vdc, strangers=2)  # a number that was not read off the list
    site.until(lambda: not WorkItem.objects.filter(lease_token__isnull=False).exists())
    assert site.get("ConfigMap", "notes") is not None
    delete_vdc(actor=ACTOR, vdc=vdc, strangers=1)
    site.until(lambda: not Vdc.objects.filter(name="dev").exists())
    assert site.get("Namespace", "acme-corp-dev", "") is None


def test_what_ovim_made_itself_and_never_heard_of_again_is_no_stranger(site: Site):
    """The worker died between its request and the record of its answer, and then the VDC was deleted."""
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    policy = InventoryItem.objects.filter(kind="NetworkPolicy", name="ovim-imports", namespace="acme-corp-dev")
    assert policy.update(uid=None) == 1
    vdc = Vdc.objects.get(name="dev")
    delete_vdc(actor=ACTOR, vdc=vdc)
    site.until(lambda: not Vdc.objects.filter(name="dev").exists())
    assert site.get("Namespace", "acme-corp-dev", "") is None


def test_the_mirrors_in_the_cluster_show_what_is_the_case(site: Site):
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    site.until(lambda: (site.get("VirtualDataCenter", "dev", "acme-corp") or {}).get("status"))
    status = site.live("VirtualDataCenter", "dev", "acme-corp")["status"]
    assert (status["phase"], status["namespace"]) == ("Active", "acme-corp-dev")
    site.until(lambda: (site.get("Organization", "acme-corp", "") or {}).get("status", {}).get("vdcCount") == 2)


def test_a_mirror_is_written_now_and_then_and_not_each_time(site: Site, monkeypatch: pytest.MonkeyPatch):
    """What was held back is written when the pause is over, and counts as no failure."""
    monkeypatch.setattr(status_of_rows, "MIRROR_SECONDS", 600.0)
    running(site)
    site.until(lambda: (site.get("VirtualDataCenter", "dev", "acme-corp") or {}).get("status"))
    vdc = Vdc.objects.get(name="dev")
    before = site.live("VirtualDataCenter", "dev", "acme-corp")["status"]
    site.until(lambda: not site.turn())
    edit_vdc(actor=ACTOR, vdc=vdc, changes={"display_name": "Development"})
    site.until(lambda: site.live("VirtualDataCenter", "dev", "acme-corp")["spec"].get("displayName") == "Development")
    site.until(lambda: not site.turn())
    held_back = WorkItem.objects.get(kind="vdc", object_id=vdc.pk)
    assert held_back.attempts == 0
    assert held_back.due_at is not None
    assert timedelta(minutes=8) < held_back.due_at - timezone.now() < timedelta(minutes=10)
    assert site.live("VirtualDataCenter", "dev", "acme-corp")["status"] == before
    monkeypatch.setattr(status_of_rows, "MIRROR_SECONDS", 0.0)
    queue.request(vdc)
    site.until(lambda: not WorkItem.objects.filter(kind="vdc", object_id=vdc.pk).exists())
    assert site.live("VirtualDataCenter", "dev", "acme-corp")["status"] != before
