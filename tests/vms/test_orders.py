"""Orders: what OVIM won't decide by itself is carried out when somebody says so, exactly once, and told in the audit log."""

import time

import pytest

from clusters import heal, queue
from clusters.models import InventoryItem, WorkItem
from core.actor import system_actor
from core.errors import Conflict, Invalid, QuotaExceeded
from core.models import AuditEntry
from tests.vms.conftest import Site
from tests.vms.test_life import active, condition, phase, running
from tests.vms.test_power import by_hand
from tests.vms.test_volumes import CLAIMS, NAME, STRANGER, gone, orphaned, raw, recorded, stopped
from vdcs.models import QuotaClaim, QuotaScope
from vdcs.quotas import recount
from vms import orders
from vms.models import Disk, DiskSource, VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")


def give(vm, order, **more):
    return orders.give(actor=ACTOR, vm=vm, order=order, **more)


def lost(site: Site, *kinds: str) -> VirtualMachine:
    vm = stopped(site)
    gone(site, *(kinds or ("DataVolume",)))  # first: what runs keeps its volume
    set_power(actor=ACTOR, vm=vm, on=True)
    site.until(lambda: condition(vm, "DiskLost"))
    return vm


def recreate(vm, confirm=NAME):
    return give(vm, "recreate-disk", disk=Disk.objects.get(vm=vm), confirm=confirm)


@pytest.mark.parametrize("what", ["DataVolume", "PersistentVolumeClaim"])
def test_a_lost_disk_is_made_anew_from_its_image_by_order(site: Site, what):
    vm = lost(site, what)
    before = InventoryItem.objects.get(kind="DataVolume", tombstoned_at__isnull=True)
    recreate(vm)
    recreate(vm)  # the same order twice is one
    assert AuditEntry.objects.filter(action="vm.order").count() == 1
    site.until(lambda: phase(vm) == "Running" and not Disk.objects.get().order)
    after = InventoryItem.objects.get(pk=before.pk)
    assert after.claim_token != before.claim_token
    assert before.claim_token in after.past_tokens
    assert after.uid != before.uid
    site.until(lambda: str(recorded().uid) == site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"])
    assert condition(vm, "DiskLost") is None
    assert vm.observed_generation == vm.generation
    gone_again = site.live("DataVolume", NAME)["metadata"]["uid"]
    site.until(lambda: not WorkItem.objects.exists())
    assert site.live("DataVolume", NAME)["metadata"]["uid"] == gone_again, "the order is spent"


def test_an_order_for_a_disk_that_is_there_after_all_makes_nothing(site: Site):
    vm = lost(site)
    recreate(vm)
    site.until(lambda: phase(vm) == "Running" and not Disk.objects.get().order)
    uid = site.live("DataVolume", NAME)["metadata"]["uid"]
    Disk.objects.update(order="recreate-disk", order_uid=uid)  # a worker died before it could clear it
    queue.request(vm, bump=True)
    site.until(lambda: not Disk.objects.get().order)
    site.until(lambda: phase(vm) == "Running")
    assert site.live("DataVolume", NAME)["metadata"]["uid"] == uid


def test_somebody_elses_claim_stands_in_the_way_of_a_new_disk(site: Site):
    vm = lost(site)
    theirs = raw(site, "POST", CLAIMS, STRANGER)["metadata"]["uid"]
    recreate(vm)
    site.until(lambda: condition(vm, "NameTaken"))
    assert site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"] == theirs
    assert site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Halted"
    raw(site, "DELETE", f"{CLAIMS}/{NAME}")
    site.until(lambda: phase(vm) == "Running")


def test_a_disk_that_was_cloned_is_never_made_anew(site: Site):
    vm = lost(site)
    Disk.objects.update(source="clone")
    with pytest.raises(Conflict, match="not made from an image"):
        recreate(vm)
    Disk.objects.update(source=DiskSource.IMAGE)
    with pytest.raises(Invalid, match="to confirm"):
        recreate(vm, confirm="web")


def test_drift_is_repaired_by_order_and_only_once(site: Site):
    vm = running(site)
    by_hand(site, cores=2)
    site.until(lambda: condition(vm, "Drifted"))
    give(vm, "repair")
    site.until(lambda: not condition(vm, "Drifted") and not vm.order)
    assert cores(site) == 1
    by_hand(site, cores=3)
    site.until(lambda: condition(vm, "Drifted"))
    assert cores(site) == 3, "one order is one repair"


def cores(site: Site) -> int:
    return int(site.live("VirtualMachine", "web")["spec"]["template"]["spec"]["domain"]["cpu"]["cores"])


def test_a_changed_size_is_accepted_if_the_quota_allows(site: Site):
    vm = running(site)
    by_hand(site, cores=2)
    site.until(lambda: condition(vm, "Drifted"))
    scope = QuotaScope.objects.get(vdc__name="dev")
    limits = scope.limits
    QuotaScope.objects.filter(pk=scope.pk).update(limits=limits | {"cpu": 1})
    with pytest.raises(QuotaExceeded):
        give(vm, "accept")
    vm.refresh_from_db()
    assert vm.cpu == 1
    QuotaScope.objects.filter(pk=scope.pk).update(limits=limits)
    give(vm, "accept")
    assert active(site) == 2
    site.until(lambda: not condition(vm, "Drifted"))
    assert (vm.cpu, cores(site)) == (2, 2)
    assert recount() == []
    with pytest.raises(Conflict, match="no condition Drifted"):
        give(vm, "accept")


def test_a_running_machine_is_not_accepted_as_smaller_nor_otherwise_changed(site: Site):
    vm = running(site, cpu=2)
    by_hand(site, cores=1)
    site.until(lambda: condition(vm, "Drifted"))
    with pytest.raises(Conflict, match="Stop web first"):
        give(vm, "accept")
    live = site.live("VirtualMachine", "web")
    live["spec"]["template"]["spec"]["volumes"].pop()
    live["spec"]["template"]["spec"]["domain"]["devices"]["disks"].pop()
    path = "/apis/kubevirt.io/v1/namespaces/acme-corp-dev/virtualmachines/web?fieldManager=kubectl"
    raw(site, "PUT", path, live)
    site.until(lambda: "volumes" in condition(vm, "Drifted")["message"])
    with pytest.raises(Conflict, match="volumes differs, too"):
        give(vm, "accept")


def test_a_volume_is_let_go_of_by_order_and_stays_where_it_is(site: Site):
    vm = stopped(site)
    orphaned(site)
    uid = site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"]
    disk = Disk.objects.get()
    with pytest.raises(Conflict, match="not being deleted"):
        give(vm, "forget-volume", disk=disk, confirm=NAME)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert QuotaClaim.objects.filter(owner_id=disk.pk).exists()
    for _ in range(2):
        give(vm, "forget-volume", disk=disk, confirm=NAME)
    entry = AuditEntry.objects.get(action="vm.order")
    assert entry.after is not None
    assert entry.after["uid"] == uid
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not Disk.objects.exists()
    assert not QuotaClaim.objects.exists()
    assert not InventoryItem.objects.filter(owner_kind="vm", tombstoned_at__isnull=True).exists()
    assert site.live("PersistentVolumeClaim", NAME)["metadata"]["uid"] == uid


def test_an_order_is_about_one_volume_and_no_other(site: Site):
    vm = stopped(site)
    orphaned(site)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    raw(site, "DELETE", f"{CLAIMS}/{NAME}")
    while site.get("PersistentVolumeClaim", NAME):  # by hand: the engine must not look in between
        time.sleep(0.02)
    Disk.objects.update(order="forget-volume", order_uid=recorded().uid)
    theirs = raw(site, "POST", CLAIMS, STRANGER)["metadata"]["uid"]
    queue.request(vm, bump=True)
    site.until(lambda: theirs in condition(vm, "Unproven")["message"])
    assert Disk.objects.exists()


def test_an_order_whose_request_is_lost_is_carried_out_all_the_same(site: Site):
    vm = lost(site)
    recreate(vm)
    WorkItem.objects.all().delete()
    assert heal.request_unsettled() >= 1
    site.until(lambda: phase(vm) == "Running")
