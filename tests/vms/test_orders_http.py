"""Orders at the doors: who may give one, what is refused and why, and the form beside the condition that asks for it."""

from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from clusters import doubts
from clusters.models import InventoryItem, ObservedObject, WorkItem
from clusters.refs import Ref
from core.models import AuditEntry
from tests.domain import a_vdc, a_vm
from tests.vms.test_pages import signed_in
from vms.models import Disk, DiskSource, VirtualMachine

pytestmark = pytest.mark.django_db
UID = uuid4()


@pytest.fixture
def vm(cluster):
    return a_vm(a_vdc(), "web")


@pytest.fixture
def disk(vm):
    return Disk.objects.get(vm=vm)


def says(vm, type_, message, reason="Gone"):
    told = [
        {"type": type_, "status": "True", "reason": reason, "message": message, "since": "2026-01-01T00:00:00+00:00"}
    ]
    VirtualMachine.objects.filter(pk=vm.pk).update(conditions=told)


def lost(vm, disk):
    says(vm, "DiskLost", f"DataVolume {vm.vdc.namespace}/{disk.name} is gone.")
    InventoryItem.objects.create(
        owner_kind="vm", owner_id=vm.pk, data_of_kind="disk", data_of_id=disk.pk, cluster=vm.vdc.cluster,
        group="cdi.kubevirt.io", kind="DataVolume", namespace=vm.vdc.namespace, name=disk.name, uid=UID,
    )  # fmt: skip


def body_of(about, **changes):
    return {"order": "recreate-disk", "disk": str(about.pk), "confirm": about.name} | changes


def test_an_order_is_written_down_audited_and_requested_once(api, vm, disk):
    lost(vm, disk)
    WorkItem.objects.all().delete()
    for _ in range(2):
        answer = api("vera").post(f"vms/{vm.pk}/orders", body_of(disk))
        assert answer.status_code == 202, answer.content
    assert answer.json()["disks"][0]["order"] == "recreate-disk"
    disk.refresh_from_db()
    assert (disk.order, disk.order_uid) == ("recreate-disk", UID)
    entry = AuditEntry.objects.get(action="vm.order")
    assert entry.after == {"order": "recreate-disk", "disk": disk.name, "uid": str(UID)}
    assert WorkItem.objects.filter(kind="vm", object_id=vm.pk).exists()
    assert VirtualMachine.objects.get().generation == vm.generation + 1


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"confirm": "web"}, (422, "confirm")),
        ({"confirm": ""}, (422, "confirm")),
        ({"disk": None}, (422, "disk")),
        ({"disk": str(uuid4())}, (422, "disk")),
        ({"disk": "x"}, (422, "disk")),
        ({"order": "destroy"}, (422, "order")),
        ({"more": 1}, (422, "more")),
        ({"order": "forget-volume"}, (409, "not being deleted")),
        ({"order": "repair"}, (422, "disk")),
        ({"order": "repair", "disk": None}, (409, "Drifted")),
        ({"order": "accept", "disk": None}, (409, "Drifted")),
    ],
)
def test_what_is_refused(api, vm, disk, changes, refused):
    status, word = refused
    lost(vm, disk)
    answer = api("alice").post(f"vms/{vm.pk}/orders", body_of(disk, **changes))
    assert answer.status_code in ({400, 422} if status == 422 else {409}), answer.content
    assert word in answer.content.decode()
    disk.refresh_from_db()
    assert disk.order == ""
    assert not AuditEntry.objects.filter(action="vm.order", outcome="done").exists()


def test_an_order_that_no_condition_asks_for_is_refused(api, vm, disk):
    answer = api("alice").post(f"vms/{vm.pk}/orders", body_of(disk))
    assert answer.status_code == 409
    assert "DiskLost" in answer.json()["detail"]


def test_another_disks_loss_is_not_this_ones(api, vm, disk):
    lost(vm, disk)
    other = Disk.objects.create(vdc=vm.vdc, vm=vm, name="data", position=1, source=DiskSource.BLANK, size_gib=1)
    assert api("alice").post(f"vms/{vm.pk}/orders", body_of(other)).status_code == 409


def test_who_may_give_one(api, vm, disk):
    lost(vm, disk)
    VirtualMachine.objects.update(owner=None)
    for who, status in (("charlie", 404), ("bob", 403), ("nobody", 403), (None, 401)):
        assert api(who).post(f"vms/{vm.pk}/orders", body_of(disk)).status_code == status, who
    assert Disk.objects.get().order == ""
    assert api("alice").post(f"vms/{vm.pk}/orders", body_of(disk)).status_code == 202


def test_a_disk_of_another_machine_is_no_disk(api, vm, disk):
    lost(vm, disk)
    other = a_vm(vm.vdc, "db")
    answer = api("alice").post(f"vms/{other.pk}/orders", body_of(disk))
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"][0]["field"] == "disk"


def test_a_stale_etag_gives_no_order(api, vm, disk):
    lost(vm, disk)
    VirtualMachine.objects.update(generation=F("generation") + 1)
    answer = api("alice").post(f"vms/{vm.pk}/orders", body_of(disk), If_Match='"1"')
    assert answer.status_code == 412
    assert Disk.objects.get().order == ""


def test_letting_go_names_the_volumes_uid_in_the_audit_log(api, vm, disk):
    lost(vm, disk)
    api("alice").delete(f"vms/{vm.pk}")
    says(vm, "Unproven", f"A PersistentVolumeClaim {disk.name} (uid {UID}) is there.", "VolumeLeft")
    ObservedObject.objects.create(
        cluster=vm.vdc.cluster, kind="PersistentVolumeClaim", namespace=vm.vdc.namespace, name=disk.name, uid=UID,
        resource_version=1, body={},
    )  # fmt: skip
    answer = api("alice").post(f"vms/{vm.pk}/orders", body_of(disk, order="forget-volume"))
    assert answer.status_code == 202, answer.content
    assert AuditEntry.objects.get(action="vm.order").after == {
        "order": "forget-volume", "disk": disk.name, "uid": str(UID),
    }  # fmt: skip


def test_the_page_offers_it_beside_its_condition(vm, disk):
    lost(vm, disk)
    alice = signed_in("alice")
    page = alice.get(f"/vms/{vm.pk}/").content.decode()
    assert "A disk is lost" in page
    assert f'name="disk" value="{disk.pk}"' in page
    wrong = alice.post(f"/vms/{vm.pk}/orders/", {"order": "recreate-disk", "disk": disk.pk, "confirm": "no"})
    assert wrong.status_code == 422
    assert "to confirm" in wrong.content.decode()
    assert alice.post(f"/vms/{vm.pk}/orders/", {"order": "x"}).status_code == 422
    right = alice.post(f"/vms/{vm.pk}/orders/", {"order": "recreate-disk", "disk": disk.pk, "confirm": disk.name})
    assert right.status_code == 302
    assert 'name="disk"' not in alice.get(f"/vms/{vm.pk}/").content.decode(), "it stands already"


def test_the_page_offers_nothing_to_whom_it_is_not_his(vm, disk):
    lost(vm, disk)
    VirtualMachine.objects.update(owner=None)
    charlie = signed_in("charlie")
    given = {"order": "recreate-disk", "disk": disk.pk, "confirm": disk.name}
    assert charlie.post(f"/vms/{vm.pk}/orders/", given).status_code == 404
    assert Disk.objects.get().order == ""


def test_drift_is_offered_to_be_repaired_or_accepted(vm):
    says(vm, "Drifted", "VirtualMachine was changed by others.")
    page = signed_in("alice").get(f"/vms/{vm.pk}/").content.decode()
    assert 'value="repair"' in page
    assert 'value="accept"' in page


def unproven(vm, type_="NameTaken", uid=UID):
    """Its machine lost OVIM's claim before its uid was on record."""
    where = {"cluster": vm.vdc.cluster, "group": "kubevirt.io", "kind": "VirtualMachine", "namespace": vm.vdc.namespace}
    about = {"owner_kind": "vm", "owner_id": vm.pk, "data_of_kind": "vm", "data_of_id": vm.pk}
    InventoryItem.objects.create(**where, name="web", **about)
    ObservedObject.objects.create(**where, name="web", uid=UID, resource_version=1, body={"metadata": {}})
    says(vm, type_, doubts.told(vm_ref(vm), uid), doubts.REASON)


def vm_ref(vm):
    return Ref("kubevirt.io", "VirtualMachine", vm.vdc.namespace, vm.name)


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 202), ("vera", 202), ("bob", 403), ("charlie", 404), ("nobody", 403), (None, 401)]
)
def test_a_machine_is_reclaimed_by_who_may_give_orders(api, vm, who, status):
    VirtualMachine.objects.update(owner=None)
    unproven(vm)
    for _ in range(2):
        assert api(who).post(f"vms/{vm.pk}/orders", {"order": "reclaim", "confirm": "web"}).status_code == status
    assert InventoryItem.objects.get().uid == (UID if status == 202 else None)
    assert AuditEntry.objects.filter(action="vm.order", outcome="done").count() == (status == 202)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confirm": ""}, "Type the virtual machine"),
        ({"confirm": "wep"}, "Type the virtual machine"),
        ({"disk": 1}, "not about a disk"),
    ],
)
def test_what_of_reclaiming_is_refused(api, vm, disk, changes, words):
    unproven(vm)
    changes = {"disk": str(disk.pk)} if "disk" in changes else changes
    answer = api("alice").post(f"vms/{vm.pk}/orders", {"order": "reclaim", "confirm": "web"} | changes)
    assert answer.status_code in (400, 422)
    assert words in answer.content.decode()
    assert InventoryItem.objects.get().uid is None


def test_a_machine_made_anew_since_is_not_reclaimed(api, vm):
    unproven(vm, uid=uuid4())
    answer = api("alice").post(f"vms/{vm.pk}/orders", {"order": "reclaim", "confirm": "web"})
    assert answer.status_code == 409
    assert "another by now" in answer.json()["detail"]
    says(vm, "NameTaken", "VirtualMachine exists and is not ours.", "NameTaken")
    answer = api("alice").post(f"vms/{vm.pk}/orders", {"order": "reclaim", "confirm": "web"})
    assert "ClaimGone" in answer.json()["detail"]
    assert InventoryItem.objects.get().uid is None


def test_a_machine_that_goes_anyway_is_not_reclaimed(api, vm):
    unproven(vm)
    ObservedObject.objects.update(body={"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    answer = api("alice").post(f"vms/{vm.pk}/orders", {"order": "reclaim", "confirm": "web"})
    assert (answer.status_code, "being deleted" in answer.json()["detail"]) == (409, True)


def test_a_volume_is_let_go_of_only_where_one_is_left(api, vm, disk):
    """Of a disk's DataVolume that can't be proven to be ours the order would do nothing."""
    says(
        vm,
        "Unproven",
        doubts.told(Ref("cdi.kubevirt.io", "DataVolume", vm.vdc.namespace, disk.name), UID),
        doubts.REASON,
    )
    VirtualMachine.objects.update(deletion_requested_at=timezone.now())
    ObservedObject.objects.create(
        cluster=vm.vdc.cluster, kind="PersistentVolumeClaim", namespace=vm.vdc.namespace, name=disk.name, uid=UID,
        resource_version=1, body={},
    )  # fmt: skip
    assert api("alice").post(f"vms/{vm.pk}/orders", body_of(disk, order="forget-volume")).status_code == 409
    assert api("alice").get(f"vms/{vm.pk}/drift").json()["orders"] == []


@pytest.mark.parametrize("type_", ["NameTaken", "Unproven"])
def test_the_page_offers_to_reclaim_it(api, vm, type_):
    unproven(vm, type_)
    if type_ == "Unproven":
        api("alice").delete(f"vms/{vm.pk}")
    alice = signed_in("alice")
    page = alice.get(f"/vms/{vm.pk}/").content.decode()
    assert "Type <b>web</b> to confirm" in page
    assert ("and deletes it" in page) == (type_ == "Unproven")
    assert api("alice").get(f"vms/{vm.pk}/drift").json()["orders"][0]["confirm"] == "web"
    assert alice.post(f"/vms/{vm.pk}/orders/", {"order": "reclaim", "confirm": "web"}).status_code == 302
    assert InventoryItem.objects.get().uid == UID
