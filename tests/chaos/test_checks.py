"""Each check is shown what it is for: on a sound picture it finds nothing, then something is broken and it says so."""

import os
import uuid
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection

from clusters import connections
from clusters.apply import INSTALLATION
from clusters.kubeconfig import Access
from clusters.models import InventoryItem, WorkItem
from clusters.refs import KINDS, Ref, manifest
from core.actor import system_actor
from core.models import AuditEntry
from core.rights import Right
from tests.chaos import picture
from tests.chaos.checks import CHECKS, TOLD
from tests.chaos.kubectl import Kubectl
from tests.chaos.picture import Picture
from tests.chaos.plan import Operation, Place
from tests.chaos.quota_watch import overshoots
from tests.chaos.record import Record, Told
from tests.chaos.strangers import Strangers
from tests.sandbox import TOKEN
from tests.vms.conftest import Site
from tests.vms.test_life import phase
from vdcs.models import QuotaClaim, QuotaScope, Vdc
from vms.models import VirtualMachine
from vms.services import create_vm, delete_vm, edit_vm

SPACE = "acme-corp-dev"
SYSTEM = system_actor("test")


def web(site: Site) -> dict[str, Any]:
    return {"name": "web", "image_url": f"{site.images}/good.qcow2", "cpu": 1, "memory_mib": 512, "disk_gib": 1}


class Ground:
    """A VM that runs and what its maker was told."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.kubectl = Kubectl(Access(site.sandbox.url, TOKEN))
        self.vm = create_vm(actor=replace(SYSTEM, request_id="chaos-1"), vdc=Vdc.objects.get(name="dev"), **web(site))
        site.until(lambda: phase(self.vm) == "Running" and self.vm.ip_addresses)
        self.still()
        self.record = Record()
        self.told("create_vm", body=self._row(), sent={"image_url": "x", "vdc": str(self.vm.vdc_id)}, ids=["chaos-1"])

    def still(self) -> None:
        self.site.until(
            lambda: not self.site.turn() and not WorkItem.objects.filter(tenant=self.vm.organization_id).exists()
        )

    def _row(self) -> dict[str, Any]:
        self.vm.refresh_from_db()
        names = ("name", "description", "generation", "display_name", "cpu", "memory_mib", "power_state")
        return {"id": str(self.vm.pk)} | {name: getattr(self.vm, name) for name in names}

    def told(self, verb: str, *, status: int = 200, body: Any = None, sent: Any = None, ids: Any = ()) -> Told:
        operation = Operation(len(self.record.all()), "alice", verb, Place(0, "dev", "web"), {}, {})
        told = Told(operation, str(self.vm.pk), list(ids), status=status, body=body or {}, sent=sent or {})
        self.record.add(told)
        return told

    def look(self) -> Picture:
        return picture.take(self.kubectl, [str(self.vm.organization_id)])

    def found(self, name: str) -> str:
        seen = self.look()
        return "\n".join(CHECKS[name](seen) if name in CHECKS else TOLD[name](seen, self.record))

    def ref(self, kind: str, name: str, space: str = SPACE) -> Ref:
        found = next(item for item in KINDS.values() if item.kind == kind)
        return Ref(found.group, kind, space, name)


@pytest.fixture
def ground(site: Site) -> Ground:
    return Ground(site)


def test_a_sound_installation_differs_in_nothing(ground: Ground) -> None:
    for name in (*CHECKS, *TOLD):
        assert ground.found(name) == "", name


def test_what_was_changed_in_the_cluster_differs_from_what_is_wanted(ground: Ground) -> None:
    patch = {"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 3}}}}}}
    assert ground.kubectl.merge(ground.ref("VirtualMachine", "web"), patch)
    assert "domain.cpu.cores is 3, wanted 1" in ground.found("desired is live")
    assert "cores is 3, not 1" in ground.found("in plain words")
    ground.kubectl.merge(ground.ref("NetworkPolicy", "ovim-network"), {"spec": {"ingress": [{}]}})
    assert "spec.ingress" in ground.found("desired is live")
    assert "its NetworkPolicy lets in" in ground.found("in plain words")
    ground.kubectl.merge(ground.ref("ResourceQuota", "ovim-quota"), {"spec": {"hard": {"requests.cpu": "1"}}})
    assert "its ResourceQuota allows 1 CPUs" in ground.found("in plain words")


def test_what_is_missing_in_the_cluster_is_missed(ground: Ground) -> None:
    for kind, name in (("Secret", "web-cloud-init"), ("RoleBinding", "ovim-user"), ("LimitRange", "ovim-limits")):
        assert ground.kubectl.delete(ground.ref(kind, name))
        assert f"{kind} {SPACE}/{name} is missing" in ground.found("desired is live")
        assert f"{kind} {SPACE}/{name} is in the inventory" in ground.found("every row has its objects")


def test_trouble_that_a_row_owns_up_to_excuses_that_object_alone(ground: Ground) -> None:
    """A condition is no excuse for what it does not name, nor for what is otherwise wrong."""
    ground.kubectl.delete(ground.ref("Secret", "web-cloud-init"))
    said = f"VirtualMachine {SPACE}/web was changed by others."
    drifted = {"type": "Drifted", "status": "True", "reason": "FieldConflict", "message": said}
    VirtualMachine.objects.update(conditions=[*ground.vm.conditions, drifted])
    assert "web-cloud-init is missing" in ground.found("desired is live")


def test_work_that_was_never_done_is_found(ground: Ground) -> None:
    VirtualMachine.objects.update(generation=ground.vm.generation + 1)
    assert "generation 2, observed 1" in ground.found("nothing is left to do")
    assert "and 0 entries tell of changes" in ground.found("every change is audited")
    VirtualMachine.objects.update(generation=1, deletion_requested_at="2026-01-01T00:00:00Z")
    assert "is to be deleted and still there" in ground.found("nothing is left to do")


def test_an_object_of_ours_that_no_inventory_has_is_an_orphan(ground: Ground) -> None:
    client = connections.client_of(ground.site.cluster.pk)
    labels = {INSTALLATION: ground.look().installation}
    body = manifest(
        "v1", "ConfigMap", "orphan", namespace=SPACE, labels=labels, annotations={"ovim.io/claim": str(uuid.uuid4())}
    )
    client.apply(Ref("", "ConfigMap", SPACE, "orphan"), body)
    assert f"ConfigMap {SPACE}/orphan is OVIM's and in no inventory" in ground.found("every object has its row")
    InventoryItem.objects.filter(kind="Secret").delete()
    assert f"Secret {SPACE}/web-cloud-init is OVIM's and in no inventory" in ground.found("every object has its row")


def test_an_inventory_without_its_row_is_found(ground: Ground) -> None:
    InventoryItem.objects.filter(kind="Secret").update(owner_id=uuid.uuid4())
    assert "which is gone" in ground.found("every row has its objects")


def _says(type_: str, message: str) -> dict[str, str]:
    return {"type": type_, "status": "True", "reason": type_, "message": message}


LIES: dict[str, dict[str, Any]] = {
    "says Stopped": {"phase": "Stopped"},
    "power is on and it is Starting": {"phase": "Starting"},
    "says Running, its instance runs, power is off": {"power_state": "off"},
    "says DiskLost without a cause": {"conditions": [_says("DiskLost", "web-disk-0")]},
    "says NameTaken without a cause": {"conditions": [_says("NameTaken", "web")]},
    "says Drifted without a cause": {"conditions": [_says("Drifted", "web")]},
    "says Replaced without a cause": {"conditions": [_says("Replaced", "web")]},
}


def test_a_status_that_is_not_true_is_found(ground: Ground) -> None:
    sound = {name: getattr(ground.vm, name) for name in ("phase", "power_state", "conditions")}
    for says, fields in LIES.items():
        VirtualMachine.objects.update(**sound | fields)
        assert says in ground.found("conditions are true")
    VirtualMachine.objects.update(**sound)
    Vdc.objects.filter(name="dev").update(phase="Pending")
    assert "is Pending and not Active" in ground.found("conditions are true")


def test_more_in_the_cluster_than_a_limit_allows_is_an_overshoot(ground: Ground) -> None:
    QuotaScope.objects.filter(vdc__name="dev").update(limits={"vms": 0, "cpu": 0, "disk_gib": 0, "memory_mib": 511})
    found = ground.found("quotas hold")
    for name, used in (("vms", 1), ("cpu", 1), ("disk_gib", 1), ("memory_mib", 512)):
        assert f"{used} {name} are used" in found
    with psycopg.connect(os.environ["OVIM_DATABASE_OWNER_URL"]) as second:  # who sees all tenants
        assert "VDC dev of acme-corp: 1 vms are used, the limit is 0" in overshoots(second)
        QuotaScope.objects.filter(vdc__name="dev").update(limits={"vms": 1, "cpu": 99})
        second.rollback()
        assert "reserved of organization acme-corp: 131 cpu are used, the limit is 48" in overshoots(second)
        QuotaScope.objects.filter(vdc=None).update(limits={"vms": 0}, mode="elastic")
        second.rollback()
        assert overshoots(second) == ["organization acme-corp: 1 vms are used, the limit is 0"]


def test_a_ledger_that_forgot_a_claim_is_found(ground: Ground) -> None:
    QuotaClaim.objects.filter(resource="cpu").update(allocated=7)
    claimed, _, due = ground.found("ledger is exact").partition("should claim")
    assert "'cpu': (7, 1)" in claimed
    assert "'cpu': (1, 1)" in due
    QuotaClaim.objects.filter(owner_kind="disk").update(owner_id=uuid.uuid4())
    found = ground.found("ledger is exact")
    assert "its disk of 1 GiB claims {}" in found
    assert "and is gone" in found
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vdcs_quotascope SET allocated = '{}'")
    assert "its claims sum to" in ground.found("ledger is exact")


def test_a_change_that_was_audited_twice_is_found(ground: Ground) -> None:
    entry = AuditEntry.objects.get(action=Right.VM_CREATE)
    entry.pk = uuid.uuid4()
    entry.save(force_insert=True)
    assert "was made 2 times" in ground.found("every change is audited")
    assert "is audited twice" in ground.found("acts are audited once")


def test_an_acknowledged_change_without_an_entry_is_found(ground: Ground) -> None:
    ground.told("rename_vm", ids=["chaos-test-9"])
    assert "renamed a VM and has 0 entries" in ground.found("acts are audited once")
    ground.told("create_vm", status=422, ids=ground.record.all()[0].request_ids)
    assert "was refused (422) and has entries" in ground.found("acts are audited once")


def test_a_promise_that_was_forgotten_is_found(ground: Ground) -> None:
    edit_vm(actor=SYSTEM, vm=ground.vm, changes={"display_name": "told"})
    ground.told("rename_vm", body=ground._row(), sent={"display_name": "told"})
    VirtualMachine.objects.update(display_name="lost")
    assert "display_name is 'lost', and the last who was told was told 'told'" in ground.found(
        "what was promised is there"
    )
    VirtualMachine.objects.update(display_name="told", cpu=2, power_state="off", generation=3)
    found = ground.found("what was promised is there")
    assert "cpu is 2, and the last who was told was told 1" in found, "newer, and nobody's doing"
    assert "power_state is 'off'" in found
    ground.told("power_off", status=0).lost.append("chaos-test-1")
    assert "power_state is 'off'" not in ground.found("what was promised is there"), (
        "somebody asked and was not answered"
    )
    VirtualMachine.objects.update(generation=1)
    assert "generation 1, and somebody was told of 2" in ground.found("what was promised is there")
    ground.told("delete_vm", status=202)
    assert "was accepted and forgotten" in ground.found("what was promised is there")


def test_a_vm_that_was_accepted_and_is_not_there_is_found(ground: Ground) -> None:
    delete_vm(actor=SYSTEM, vm=ground.vm)
    ground.site.until(lambda: not VirtualMachine.objects.exists())
    assert "was accepted and is not there" in ground.found("what was promised is there")
    ground.told("delete_vm", status=202)
    assert ground.found("what was promised is there") == ""


def test_a_vm_of_a_refused_request_is_found(ground: Ground) -> None:
    told = ground.told("create_vm", status=422, sent={"image_url": "x"})
    VirtualMachine.objects.update(description=f"operation {told.operation.number}")
    assert "which was refused" in ground.found("what was refused left nothing")


def test_a_strangers_object_that_was_touched_is_found(ground: Ground) -> None:
    strangers = Strangers(ground.kubectl, ground.look().installation)
    strangers.plant_world("acme-foreign")
    strangers.plant_in(SPACE, "other", "another")
    ground.site.turn()
    strangers.remember()
    assert strangers.changed() == []
    assert ground.found("every object has its row") == "", "their copies of labels prove nothing"
    ground.kubectl.merge(ground.ref("ConfigMap", "theirs"), {"metadata": {"labels": {"touched": "yes"}}})
    assert strangers.changed() == [f"ConfigMap {SPACE}/theirs is not OVIM's and was changed"]
    ground.kubectl.delete(ground.ref("Secret", "v00-cloud-init", "acme-foreign"))
    assert "Secret acme-foreign/v00-cloud-init is not OVIM's and is gone" in strangers.changed()
