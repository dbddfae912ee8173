"""A disk is its volume, known by uid: another claim of its name is not it, whoever made it (ENGINE §2, §3)."""

import time

from clusters import connections, queue
from clusters.models import InventoryItem
from core.actor import system_actor
from tests.engine import driver
from tests.vms.conftest import Site
from tests.vms.test_life import active, condition, phase, running
from vdcs.models import QuotaClaim
from vms.models import Disk, VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")
DISKS = "/apis/cdi.kubevirt.io/v1beta1/namespaces/acme-corp-dev/datavolumes"
CLAIMS = "/api/v1/namespaces/acme-corp-dev/persistentvolumeclaims"
NAME = "web-disk-0"
STRANGER = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": NAME, "namespace": "acme-corp-dev"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def raw(site: Site, method: str, path: str, body=None):
    return connections.client_of(site.cluster.pk).raw(method, path, body)


def recorded(kind: str = "PersistentVolumeClaim") -> InventoryItem:
    return InventoryItem.objects.get(kind=kind, name=NAME, tombstoned_at__isnull=True)


def known(site: Site) -> VirtualMachine:
    """A VM that runs, its volume recorded."""
    vm = running(site)
    site.until(lambda: InventoryItem.objects.filter(kind="PersistentVolumeClaim").exists())
    return vm


def stopped(site: Site) -> VirtualMachine:
    vm = known(site)
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: phase(vm) == "Stopped" and active(site) == 0)
    return vm


def gone(site: Site, *kinds: str) -> None:
    paths = {"DataVolume": DISKS, "PersistentVolumeClaim": CLAIMS}
    for kind in kinds:
        raw(site, "DELETE", f"{paths[kind]}/{NAME}")
    site.until(lambda: site.get("PersistentVolumeClaim", NAME) is None)


def orphaned(site: Site) -> None:
    """The volume no longer goes with its disk: what people do who want to keep it."""
    volume = site.live("PersistentVolumeClaim", NAME)
    volume["metadata"]["ownerReferences"] = []
    raw(site, "PUT", f"{CLAIMS}/{NAME}", volume)


def test_the_volume_is_recorded_by_uid_as_the_disks_data(site: Site):
    vm = known(site)
    item = recorded()
    assert str(item.uid) == site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"]
    assert (item.owner_kind, item.owner_id) == ("vm", vm.pk)
    assert (item.data_of_kind, item.data_of_id) == ("disk", Disk.objects.get().pk)


def test_somebody_elses_claim_of_the_disks_name_is_not_its_volume(site: Site):
    vm = stopped(site)
    gone(site, "DataVolume")
    theirs = raw(site, "POST", CLAIMS, STRANGER)["metadata"]["uid"]
    set_power(actor=ACTOR, vm=vm, on=True)
    site.until(lambda: theirs in (condition(vm, "DiskLost") or {"message": ""})["message"])
    assert site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Halted"
    assert site.get("DataVolume", NAME) is None

    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert theirs in condition(vm, "Unproven")["message"]
    assert QuotaClaim.objects.filter(owner_kind="disk", allocated__gt=0).exists()
    assert site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"] == theirs
    raw(site, "DELETE", f"{CLAIMS}/{NAME}")
    queue.request(vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not InventoryItem.objects.filter(owner_kind="vm", tombstoned_at__isnull=True).exists()


def test_a_volume_that_vanished_from_under_its_disk_is_a_lost_disk(site: Site):
    """The DataVolume still says Succeeded: the bytes are gone all the same."""
    vm = stopped(site)
    gone(site, "PersistentVolumeClaim")
    site.until(lambda: condition(vm, "DiskLost"))
    assert site.get("DataVolume", NAME) is not None
    assert phase(vm) == "Failed"


def test_a_machine_that_was_running_is_halted_when_its_disk_is_lost(site: Site):
    """It was told to run: left at that, KubeVirt would go on trying, and whoever gave it a volume would start it."""
    vm = known(site)
    raw(site, "DELETE", f"{DISKS}/{NAME}")
    # The machine holds its volume. A new one that is placed before the volume is on its way out would hold it again.
    site.until(lambda: site.live("PersistentVolumeClaim", NAME)["metadata"].get("deletionTimestamp"))
    raw(site, "DELETE", f"{CLAIMS.replace('persistentvolumeclaims', 'pods')}/{launcher(site)}")
    site.until(lambda: condition(vm, "DiskLost"))
    site.until(lambda: site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Halted")
    site.until(lambda: site.get("VirtualMachineInstance", "web") is None)
    assert vm.power_state == "on", "what was wanted of it is not forgotten"


def test_a_machine_that_is_deleted_together_with_its_disk_is_made_again_halted(site: Site):
    vm = known(site)
    raw(site, "DELETE", f"{DISKS}/{NAME}")
    # As above: a machine that is made again before that would hold its volume and keep it.
    site.until(lambda: site.live("PersistentVolumeClaim", NAME)["metadata"].get("deletionTimestamp"))
    raw(site, "DELETE", "/apis/kubevirt.io/v1/namespaces/acme-corp-dev/virtualmachines/web")
    site.until(lambda: condition(vm, "DiskLost"))
    site.until(lambda: (site.get("VirtualMachine", "web") or {"spec": {}})["spec"].get("runStrategy") == "Halted")
    assert site.get("DataVolume", NAME) is None


def test_a_volume_that_vanished_before_we_knew_of_it_is_a_lost_disk(site: Site):
    """None was recorded. That its DataVolume is filled says that there was one, and that CDI makes no other."""
    vm = site.vm()
    queue.request(vm)
    while site.get("VirtualMachine", "web") is None:
        driver.work(site.cluster)  # without a look at what the cluster makes of it
    while (site.live("DataVolume", NAME).get("status") or {}).get("phase") != "Succeeded":
        time.sleep(0.05)
    assert not InventoryItem.objects.filter(kind="PersistentVolumeClaim").exists()
    raw(site, "DELETE", f"{CLAIMS}/{NAME}")
    raw(site, "DELETE", "/apis/kubevirt.io/v1/namespaces/acme-corp-dev/virtualmachines/web")
    while site.get("PersistentVolumeClaim", NAME) is not None:
        time.sleep(0.05)
    site.until(lambda: condition(vm, "DiskLost"))
    site.until(lambda: (site.get("VirtualMachine", "web") or {"spec": {}})["spec"].get("runStrategy") == "Halted")


def launcher(site: Site) -> str:
    return next(name for name in site.names("Pod") if name.startswith("virt-launcher"))


def test_a_disk_whose_object_is_gone_and_whose_volume_is_there_goes_on(site: Site):
    vm = known(site)
    orphaned(site)
    uid = recorded().uid
    raw(site, "DELETE", f"{DISKS}/{NAME}")
    site.until(lambda: site.get("DataVolume", NAME) is None)
    queue.request(vm)
    for _ in range(5):
        site.turn()
    assert condition(vm, "DiskLost") is None
    assert phase(vm) == "Running"
    assert str(uid) == site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"]
    assert site.get("DataVolume", NAME) is None, "it is not made again"


def test_a_volume_that_no_longer_goes_with_its_disk_is_not_destroyed(site: Site):
    vm = stopped(site)
    orphaned(site)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert "no longer goes with it" in condition(vm, "Unproven")["message"]
    assert site.get("DataVolume", NAME) is None
    assert recorded().uid is not None
