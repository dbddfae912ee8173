"""What is not OVIM's on a cluster is left alone, and what OVIM can't prove to be gone is not called gone."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters import connections, queue
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import InventoryItem
from core.actor import system_actor
from tests.vms.conftest import Site
from tests.vms.test_life import condition, phase, running
from vdcs.models import QuotaClaim, Vdc
from vms.models import Disk, VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "ovim-network", "namespace": "acme-corp-dev"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


def test_a_namespace_made_anew_by_somebody_else_is_not_written_into(site: Site):
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    client = connections.client_of(site.cluster.pk)
    client.raw("DELETE", "/api/v1/namespaces/acme-corp-dev")
    while site.get("Namespace", "acme-corp-dev", ""):
        time.sleep(0.05)
    client.raw("POST", "/api/v1/namespaces", {"metadata": {"name": "acme-corp-dev"}})
    theirs = client.raw("POST", "/apis/networking.k8s.io/v1/namespaces/acme-corp-dev/networkpolicies", POLICY)
    vdc = Vdc.objects.get(name="dev")
    queue.request(vdc)
    site.until(lambda: condition(vdc, "Replaced"))
    vm = site.vm()
    site.until(lambda: (condition(vm, "Ready") or {}).get("reason") == "Waiting")
    assert site.live("NetworkPolicy", "ovim-network")["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert site.names("ResourceQuota") == site.names("DataVolume") == site.names("Secret") == set()


def test_a_disk_whose_volume_is_still_there_is_not_gone(site: Site):
    vm = running(site)
    disk = Disk.objects.get(vm=vm)
    client = connections.client_of(site.cluster.pk)
    volume = site.live("PersistentVolumeClaim", disk.name)
    volume["metadata"]["ownerReferences"] = []
    client.raw("PUT", f"/api/v1/namespaces/acme-corp-dev/persistentvolumeclaims/{disk.name}", volume)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert QuotaClaim.objects.filter(owner_id=disk.pk, allocated__gt=0).exists()
    client.raw("DELETE", f"/api/v1/namespaces/acme-corp-dev/persistentvolumeclaims/{disk.name}")
    queue.request(vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not QuotaClaim.objects.filter(owner_id=disk.pk).exists()


def test_a_machine_is_not_started_with_somebody_elses_cloud_init(site: Site):
    """Cloud-init is read once, at the first start: a Secret that has the name already would be what it reads."""
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    client = connections.client_of(site.cluster.pk)
    secrets = "/api/v1/namespaces/acme-corp-dev/secrets"
    theirs = {"metadata": {"name": "web-cloud-init"}, "type": "Opaque", "data": {"userdata": "dGhlaXJz"}}
    client.raw("POST", secrets, theirs)
    vm = site.vm()
    site.until(lambda: condition(vm, "NameTaken"))
    site.until(lambda: site.get("PersistentVolumeClaim", "web-disk-0"))
    for _ in range(3):
        site.turn()
    assert site.names("VirtualMachine") == set()
    client.raw("DELETE", f"{secrets}/web-cloud-init")
    queue.request(vm)
    site.until(lambda: phase(vm) == "Running")

    client.raw("DELETE", f"{secrets}/web-cloud-init")
    client.raw("POST", secrets, theirs)
    InventoryItem.objects.filter(kind="Secret").update(checked_at=timezone.now() - timedelta(days=1))
    queue.request(vm)
    site.until(lambda: condition(vm, "Replaced"))
    set_power(actor=ACTOR, vm=vm, on=False)  # later it goes on without: what runs can be stopped
    site.until(lambda: site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Halted")
    assert site.live("Secret", "web-cloud-init")["data"] == theirs["data"]


def test_nor_with_one_that_was_put_there_while_it_waited(site: Site, monkeypatch: pytest.MonkeyPatch):
    """The Secret was made, the machine was refused for a while, and meanwhile somebody made the Secret anew."""
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    client, real, closed = connections.client_of(site.cluster.pk), Client.apply, [True]

    def apply(self, ref, body, **more):
        if ref.kind == "VirtualMachine" and closed[0]:
            raise KubeError(403, "Forbidden", "exceeded quota")
        return real(self, ref, body, **more)

    monkeypatch.setattr(Client, "apply", apply)
    vm = site.vm()
    site.until(lambda: InventoryItem.objects.filter(kind="VirtualMachine").exists())
    secrets = "/api/v1/namespaces/acme-corp-dev/secrets"
    client.raw("DELETE", f"{secrets}/web-cloud-init")
    theirs = {"metadata": {"name": "web-cloud-init"}, "type": "Opaque", "data": {"userdata": "dGhlaXJz"}}
    client.raw("POST", secrets, theirs)
    InventoryItem.objects.filter(kind="Secret").update(checked_at=timezone.now() - timedelta(minutes=1))
    closed[0] = False
    queue.request(vm)
    site.until(lambda: condition(vm, "Replaced"))
    assert site.names("VirtualMachine") == set()
