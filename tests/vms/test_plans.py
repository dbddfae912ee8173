"""Plans of changes to what is in a cluster already, and what the cluster itself says to them."""

import pytest

from tenancy.models import RoleName
from tests.cast import Api, make_user, session_of
from tests.vms.conftest import Site
from vdcs.models import Vdc
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow


def root() -> Api:
    return Api(session_of(make_user("root", RoleName.SYSTEM_ADMIN)))


def test_the_plan_of_a_vm_that_is_there(site: Site):
    vm = site.vm(power_state="off")
    site.until(lambda: VirtualMachine.objects.get(pk=vm.pk).phase == "Stopped")
    client = root()
    plan = client.patch(f"vms/{vm.pk}?dry_run=cluster", {"cpu": 3}).json()
    (change,) = plan["changes"]
    assert (change["action"], change["kind"], change["why"]) == (
        "update",
        "VirtualMachine",
        "the desired state changed",
    )
    assert change["differences"] == [{"path": "spec.template.spec.domain.cpu.cores", "old": 1, "new": 3}]
    assert plan["restart_needed"] is False
    (verdict,) = plan["cluster"]
    assert (verdict["kind"], verdict["accepted"]) == ("VirtualMachine", True)
    live = site.live("VirtualMachine", "web")
    assert live["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] == 1

    going = client.delete(f"vms/{vm.pk}?dry_run=true").json()
    assert {(item["action"], item["kind"]) for item in going["changes"]} == {
        ("delete", "VirtualMachine"),
        ("delete", "DataVolume"),
        ("delete", "PersistentVolumeClaim"),
        ("delete", "Secret"),
    }
    assert site.get("VirtualMachine", "web") is not None
    assert client.patch(f"vms/{vm.pk}?dry_run=true", {"description": "only ours"}).json()["changes"] == []


def test_the_cluster_says_what_it_would_do(site: Site):
    site.until(lambda: site.get("Namespace", "acme-corp-dev", ""))
    vdc = Vdc.objects.get(name="dev")
    body = {
        "vdc": str(vdc.pk), "name": "web", "cpu": 1, "memory_mib": 512, "disk_gib": 1,
        "image_url": f"{site.images}/good.qcow2",
    }  # fmt: skip
    plan = root().post("vms?dry_run=cluster", body).json()
    verdicts = {item["kind"]: item for item in plan["cluster"]}
    assert verdicts["Secret"]["accepted"] is True
    assert verdicts["VirtualMachine"]["accepted"] is True
    assert site.get("Secret", "web-cloud-init") is None
    other = root().post("organizations", {"name": "acme-other", "display_name": "Other"}).json()["id"]
    new = root().post("vdcs?dry_run=cluster", {"organization": other, "name": "lab"})
    assert new.status_code == 200, new.content
    verdicts = {item["kind"]: item for item in new.json()["cluster"]}
    assert verdicts["Namespace"]["accepted"] is True
    assert verdicts["NetworkPolicy"]["accepted"] is None
    assert site.get("Namespace", "acme-other-lab", "") is None
