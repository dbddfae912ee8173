"""A machine that OVIM made, whose claim somebody took off before its uid was on record: neither touched nor denied."""

import pytest

from clusters import connections, disks, doubts, drift, operations, orphans, queue
from clusters.models import InventoryItem, Orphan
from clusters.refs import Ref, ref_of
from core.actor import system_actor
from core.errors import Conflict, Invalid
from core.models import AuditEntry
from tests.chaos.picture import TROUBLES
from tests.vms.conftest import Site
from tests.vms.test_life import active, condition, phase, running
from tests.vms.test_volumes import NAME, orphaned, raw
from vdcs.models import QuotaClaim, Vdc
from vdcs.services import delete_vdc
from vms import orders, unmanaged, words
from vms.models import VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")
MACHINE = "/apis/kubevirt.io/v1/namespaces/acme-corp-dev/virtualmachines/web"
CLAIM = "ovim.io/claim"


def edited(site: Site, **metadata) -> str:
    """By a hand other than OVIM's; the machine's uid."""
    live = site.live("VirtualMachine", "web")
    live["metadata"]["managedFields"] = metadata.pop("managedFields", live["metadata"]["managedFields"])
    for key, value in metadata.items():
        live["metadata"][key] = {**live["metadata"].get(key, {}), **value}
        live["metadata"][key] = {name: text for name, text in live["metadata"][key].items() if text is not None}
    return str(raw(site, "PUT", f"{MACHINE}?fieldManager=kubectl-replace", live)["metadata"]["uid"])


def unrecorded(site: Site, **metadata) -> tuple[VirtualMachine, str]:
    """It runs; its uid never came on record, as after a crash, and then somebody edited it."""
    vm = running(site)
    uid = edited(site, **metadata)
    InventoryItem.objects.filter(kind="VirtualMachine").update(uid=None, applied_hash="", owned_hash="")
    return vm, uid


def test_its_row_says_so_and_leaves_it_alone(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None})
    queue.request(vm)
    said = site.until(lambda: condition(vm, "NameTaken"))
    assert said["reason"] == "ClaimGone"
    assert f"VirtualMachine acme-corp-dev/web (uid {uid})" in said["message"]
    assert site.live("VirtualMachine", "web")["metadata"]["uid"] == uid


def test_a_row_that_is_to_go_waits_for_it_and_keeps_its_quota(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None})
    delete_vm(actor=ACTOR, vm=vm)
    said = site.until(lambda: condition(vm, "Unproven"))
    assert said["reason"] == "ClaimGone"
    assert uid in said["message"]
    assert site.live("VirtualMachine", "web")["metadata"]["uid"] == uid
    assert QuotaClaim.objects.filter(owner_id=vm.pk, active__gt=0).exists()
    raw(site, "DELETE", MACHINE)
    queue.request(vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert site.get("PersistentVolumeClaim", NAME) is None


def test_it_is_found_as_an_orphan_and_goes_by_that_order(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None})
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    orphans.look(site.cluster)
    orphans.delete_orphan(actor=ACTOR, orphan=Orphan.objects.get(uid=uid), confirm="web")
    site.until(lambda: orphans.delete_ordered() or site.get("VirtualMachine", "web") is None)
    queue.request(vm)
    site.until(lambda: not VirtualMachine.objects.exists())


OTHERS = {"ovim.io/installation": "00000000-0000-4000-8000-000000000001"}


@pytest.mark.parametrize(
    "edit",
    [
        {"annotations": {CLAIM: None}, "labels": OTHERS},  # a label that our apply does not own disproves nothing
        {"annotations": {CLAIM: None}, "labels": {"ovim.io/installation": None}},
        {"annotations": {CLAIM: "x"}},
        {"managedFields": [{}]},  # how a client resets them: the claim is on it, and nobody's
    ],
)
def test_however_the_proof_was_taken_off_it_is_not_forgotten(site: Site, edit):
    vm, uid = unrecorded(site, **edit)
    delete_vm(actor=ACTOR, vm=vm)
    assert uid in site.until(lambda: condition(vm, "Unproven"))["message"]
    reclaim(vm)
    site.until(lambda: not VirtualMachine.objects.exists())


def test_another_installations_machine_is_just_that(site: Site):
    """It made it, by an apply of its own: the row that wants the name waits, and goes when it is to go."""
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "acme-corp-dev", "labels": OTHERS},
        "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}},
    }
    connections.client_of(site.cluster.pk).apply(ref_of(body), body)
    vm = site.vm()
    assert site.until(lambda: condition(vm, "NameTaken"))["reason"] == "NameTaken"
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert site.live("VirtualMachine", "web")["metadata"]["labels"] == OTHERS


def test_what_may_be_ours_and_runs_holds_its_quota(site: Site):
    vm, _ = unrecorded(site, annotations={CLAIM: None})
    queue.request(vm)
    site.until(lambda: condition(vm, "NameTaken"))
    set_power(actor=ACTOR, vm=vm, on=False)
    for _ in range(5):
        site.turn()
    assert site.live("VirtualMachine", "web")["spec"]["runStrategy"] == "Always"
    assert active(site) == 1
    reclaim(vm)
    site.until(lambda: phase(vm) == "Stopped" and active(site) == 0)


def test_one_that_goes_anyway_is_waited_for(site: Site):
    vm, _ = unrecorded(site, annotations={CLAIM: None})
    held_by(site, ["example.com/hold"])
    raw(site, "DELETE", MACHINE)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: "VirtualMachine acme-corp-dev/web" in (condition(vm, "Ready") or {}).get("message", ""))
    assert condition(vm, "Unproven") is None
    held_by(site, [])
    site.until(lambda: not VirtualMachine.objects.exists())


def held_by(site: Site, names: list[str]) -> None:
    live = site.live("VirtualMachine", "web")
    kubevirts = [name for name in live["metadata"].get("finalizers", ()) if "kubevirt.io" in name]
    live["metadata"]["finalizers"] = [*kubevirts, *names]
    raw(site, "PUT", MACHINE, live)


def test_a_volume_that_is_left_does_not_hide_the_machine(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None})
    site.until(lambda: InventoryItem.objects.filter(kind="PersistentVolumeClaim").exists())
    orphaned(site)
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert uid in condition(vm, "Unproven")["message"]
    assert condition(vm, "Ready")["message"] == condition(vm, "Unproven")["message"]
    reclaim(vm)
    assert site.until(lambda: (said := condition(vm, "Unproven")) and said["reason"] == "VolumeLeft")


def test_a_namespace_goes_by_its_orphans_order(site: Site):
    site.until(lambda: Vdc.objects.filter(name="dev", phase="Active"))
    vdc, path = Vdc.objects.get(name="dev"), "/api/v1/namespaces/acme-corp-dev"
    live = raw(site, "GET", path)
    del live["metadata"]["annotations"][CLAIM]
    raw(site, "PUT", f"{path}?fieldManager=kubectl-replace", live)
    InventoryItem.objects.filter(kind="Namespace", name="acme-corp-dev").update(
        uid=None, applied_hash="", owned_hash=""
    )
    delete_vdc(actor=ACTOR, vdc=vdc)
    site.until(lambda: condition(vdc, "Unproven"))
    orphans.look(site.cluster)
    found = Orphan.objects.get(kind="Namespace", name="acme-corp-dev")
    orphans.delete_orphan(actor=ACTOR, orphan=found, confirm="acme-corp-dev")
    site.until(lambda: orphans.delete_ordered() or site.get("Namespace", "acme-corp-dev", "") is None)
    queue.request(vdc)
    site.until(lambda: not Vdc.objects.filter(name="dev").exists())


def test_it_is_nowhere_called_somebody_elses(site: Site):
    vm, _ = unrecorded(site, annotations={CLAIM: None})
    queue.request(vm)
    site.until(lambda: condition(vm, "NameTaken"))
    assert unmanaged.look(vm.vdc).machines == ()
    found = next(item for item in drift.of(vm).objects if item.ref.kind == "VirtualMachine")
    assert "not proven it to be its own" in found.what_follows
    item = InventoryItem.objects.get(kind="VirtualMachine")
    assert "was applied by OVIM" in operations.recheck(actor=ACTOR, item=item)


def test_a_volume_that_somebody_uses_is_waited_for_with_his_name(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disks, "USED_SECONDS", -60.0)  # the sandbox's clock counts whole seconds
    vm = running(site)
    volume = {"name": "theirs", "persistentVolumeClaim": {"claimName": NAME}}
    # A pod that is on no node yet keeps no claim (pvc_protection_controller.go).
    node = raw(site, "GET", "/api/v1/nodes")["items"][0]["metadata"]["name"]
    spec = {"containers": [{"name": "c", "image": "busybox"}], "volumes": [volume], "nodeName": node}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "looking"}, "spec": spec}
    raw(site, "POST", "/api/v1/namespaces/acme-corp-dev/pods", body)
    delete_vm(actor=ACTOR, vm=vm)
    words = f"Waiting for: PersistentVolumeClaim acme-corp-dev/{NAME}. "
    words += f"PersistentVolumeClaim acme-corp-dev/{NAME} is used by Pod acme-corp-dev/looking."
    site.until(lambda: (condition(vm, "Ready") or {}).get("message") == words)
    raw(site, "DELETE", "/api/v1/namespaces/acme-corp-dev/pods/looking", {"gracePeriodSeconds": 0})
    site.until(lambda: not VirtualMachine.objects.exists())


def reclaim(vm, confirm="web", actor=ACTOR):
    return orders.give(actor=actor, vm=vm, order="reclaim", confirm=confirm)


def test_by_order_it_is_its_rows_own_again(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None, "ovim.io/applied": None})
    queue.request(vm)
    site.until(lambda: condition(vm, "NameTaken"))
    with pytest.raises(Invalid, match="Type the virtual machine's name"):
        reclaim(vm, confirm="wep")
    reclaim(vm)
    site.until(lambda: phase(vm) == "Running" and condition(vm, "NameTaken") is None)
    item = InventoryItem.objects.get(kind="VirtualMachine")
    live = site.live("VirtualMachine", "web")["metadata"]
    assert (str(item.uid), live["uid"]) == (uid, uid)
    assert live["annotations"][CLAIM] == str(item.claim_token)
    assert AuditEntry.objects.get(action="vm.order").after == {"order": "reclaim", "uid": uid}
    with pytest.raises(Conflict, match="no condition"):
        reclaim(vm)


def test_by_order_one_that_is_to_go_goes(site: Site):
    vm, _ = unrecorded(site, annotations={CLAIM: None})
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: condition(vm, "Unproven"))
    assert [(offer.order, offer.confirm) for offer in orders.offers(vm, list(vm.disks.all()))] == [("reclaim", "web")]
    reclaim(vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert site.get("VirtualMachine", "web") is None


def test_the_order_is_about_the_very_machine_that_the_condition_names(site: Site):
    vm, uid = unrecorded(site, annotations={CLAIM: None})
    queue.request(vm)
    site.until(lambda: condition(vm, "NameTaken"))
    raw(site, "DELETE", MACHINE)
    site.until(lambda: (site.get("VirtualMachine", "web") or {}).get("metadata", {}).get("uid") not in (None, uid))
    told = doubts.told(Ref("kubevirt.io", "VirtualMachine", "acme-corp-dev", "web"), uid)
    VirtualMachine.objects.update(
        conditions=[{"type": "NameTaken", "status": "True", "reason": doubts.REASON, "message": told}]
    )
    with pytest.raises(Conflict, match="another by now"):
        reclaim(vm)


@pytest.mark.parametrize("trouble", [*sorted(set(TROUBLES) - {"HoldsStrangers"}), "Applied", "Reconciled"])
def test_each_trouble_has_a_sentence_of_its_own(trouble: str):
    """On a machine's page: nobody should have to know what `NameTaken: True` means."""
    assert (trouble, "False" if trouble in ("Applied", "Reconciled") else "True") in words.SENTENCES
