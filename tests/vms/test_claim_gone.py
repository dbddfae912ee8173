"""A machine that OVIM made, whose claim somebody took off before its uid was on record: neither touched nor denied."""

import pytest

from clusters import orphans, queue, status
from clusters.models import InventoryItem, Orphan
from core.actor import system_actor
from core.errors import Conflict, Invalid
from core.models import AuditEntry
from tests.chaos.picture import TROUBLES
from tests.vms.conftest import Site
from tests.vms.test_life import condition, phase, running
from tests.vms.test_volumes import NAME, raw
from vdcs.models import QuotaClaim
from vms import orders, words
from vms.models import VirtualMachine
from vms.services import delete_vm

ACTOR = system_actor("test")
MACHINE = "/apis/kubevirt.io/v1/namespaces/acme-corp-dev/virtualmachines/web"
CLAIM = "ovim.io/claim"


def edited(site: Site, **metadata) -> str:
    """By a hand other than OVIM's; the machine's uid."""
    live = site.live("VirtualMachine", "web")
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


@pytest.mark.parametrize("mark", ["another installation's", "a claim that is not ours"])
def test_what_says_whose_it_is_is_judged_by_that(site: Site, mark: str):
    other = {"ovim.io/installation": "00000000-0000-4000-8000-000000000001"}
    marks = (
        {"labels": other, "annotations": {CLAIM: None}} if mark.startswith("another") else {"annotations": {CLAIM: "x"}}
    )
    vm, _ = unrecorded(site, **marks)
    queue.request(vm)
    said = site.until(lambda: condition(vm, "NameTaken"))
    assert (said["reason"] == "NameTaken") == mark.startswith("another")
    assert str(status.installation()) != other["ovim.io/installation"]


def test_a_volume_that_somebody_uses_is_waited_for_with_his_name(site: Site):
    vm = running(site)
    volume = {"name": "theirs", "persistentVolumeClaim": {"claimName": NAME}}
    spec = {"containers": [{"name": "c", "image": "busybox"}], "volumes": [volume]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "looking"}, "spec": spec}
    raw(site, "POST", "/api/v1/namespaces/acme-corp-dev/pods", body)
    delete_vm(actor=ACTOR, vm=vm)
    words = f"Waiting for: PersistentVolumeClaim acme-corp-dev/{NAME}. "
    words += f"PersistentVolumeClaim acme-corp-dev/{NAME} is used by Pod acme-corp-dev/looking."
    site.until(lambda: (condition(vm, "Ready") or {}).get("message") == words)
    raw(site, "DELETE", "/api/v1/namespaces/acme-corp-dev/pods/looking")
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
    VirtualMachine.objects.update(
        conditions=[{"type": "NameTaken", "status": "True", "reason": "ClaimGone", "message": said_of(uid)}]
    )
    with pytest.raises(Conflict, match="another by now"):
        reclaim(vm)


def said_of(uid: str) -> str:
    return f"VirtualMachine acme-corp-dev/web (uid {uid}) was applied by OVIM, but …"


@pytest.mark.parametrize("trouble", [*sorted(set(TROUBLES) - {"HoldsStrangers"}), "Applied", "Reconciled"])
def test_each_trouble_has_a_sentence_of_its_own(trouble: str):
    """On a machine's page: nobody should have to know what `NameTaken: True` means."""
    assert (trouble, "False" if trouble in ("Applied", "Reconciled") else "True") in words.SENTENCES
