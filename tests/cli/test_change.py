"""Verbs: the row is as asked for, a refusal explains itself, waiting ends when the cluster shows it."""

import json
import threading
import time
from uuid import uuid4

import pytest
from django.db import connection, transaction

from clusters.models import InventoryItem
from tests.cli.conftest import shown
from tests.domain import KEY, a_vm
from vdcs import quotas
from vms import services
from vms.models import Disk, PowerState, VirtualMachine


@pytest.fixture
def web(bob, vdc, item):
    bob.ok("create", "vm", "web", "--vdc", "dev", "--item", "jammy")
    return VirtualMachine.objects.get()


def later(act, **once):
    """In another thread, a moment after there is a VM like this: the command has to start first, on a busy machine."""

    def run():
        try:
            until = time.monotonic() + 30
            while not VirtualMachine.objects.filter(**once).exists() and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(1)
            act()
        finally:
            connection.close()

    threading.Thread(target=run).start()


def drop():
    with transaction.atomic():
        vm = VirtualMachine.objects.select_related("vdc").get()
        quotas.lock(vm.vdc, for_deletion=True)
        services.gone(vm)
        vm.delete()


def test_create_makes_what_was_said(bob, item, tmp_path):
    (tmp_path / "key.pub").write_text(f"# mine\n{KEY}\n")
    made = bob.ok(
        "create", "vm", "web", "--vdc", "acme/dev", "--item", "images/jammy", "--cpu", "2", "--memory", "2Gi",
        "--disk", "20Gi", "--ssh-key", str(tmp_path / "key.pub"), "--user-data", "-", "--stopped", "-o", "json",
        text="#cloud-config\nhostname: shop\n",
    )  # fmt: skip
    vm = VirtualMachine.objects.get()
    assert json.loads(made)["id"] == str(vm.pk)
    assert (vm.name, vm.cpu, vm.memory_mib, vm.power_state) == ("web", 2, 2048, PowerState.OFF)
    assert (vm.user_data, vm.ssh_keys) == ("#cloud-config\nhostname: shop\n", [KEY])
    assert Disk.objects.get().size_gib == 20
    assert vm.owner is not None
    assert vm.owner.username == "bob"


def test_words_go_to_stderr(bob, item):
    done = bob("create", "vm", "web", "--vdc", "dev", "--item", "jammy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "vm dev/web created.\n")


def test_a_quota_that_refuses_explains_itself(bob, item):
    told = bob.refused(6, "create", "vm", "web", "--vdc", "dev", "--item", "jammy", "--memory", "9Gi", "--cpu", "9")
    assert told.splitlines()[:-1] == [
        "Error: The quota does not allow it.",
        "  cpu at vdc dev (allocated): limit 8, used 0, requested 9",
        "    1 too many; 8 would fit",
        "  memory_mib at vdc dev (allocated): limit 8Gi, used 0Mi, requested 9Gi",
        "    1Gi too many; 8Gi would fit",
        "  An organization admin can raise the limit.",
    ]
    assert told.splitlines()[-1].startswith("Request id: ")
    assert not VirtualMachine.objects.exists()


def test_what_is_wrong_is_named_by_field_and_rule(bob, web):
    told = bob.refused(1, "create", "vm", "Not_A_Name", "--vdc", "dev", "--item", "jammy", "--memory", "1500M")
    assert "  name: " in told
    assert "1500M is not a whole number of MiB" in told
    assert "(rule: quantity)" in told
    told = bob.refused(5, "create", "vm", "web", "--vdc", "dev", "--item", "jammy")
    assert "(rule: unique)" in told
    assert "There is no catalog item 'nope'" in bob.refused(3, "create", "vm", "x", "--vdc", "dev", "--item", "nope")
    assert "--item, or --image-url" in bob.refused(2, "create", "vm", "x", "--vdc", "dev")
    assert "--vdc" in bob.refused(2, "create", "vm", "x", "--item", "jammy")


def test_a_private_key_is_not_sent(bob, item, tmp_path):
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    told = bob.refused(2, "create", "vm", "x", "--vdc", "dev", "--item", "jammy", "--ssh-key", str(tmp_path / "id"))
    assert "private key" in told
    assert "abc" not in told


def test_create_and_wait(bob, item):
    later(lambda: shown(ip_addresses=["10.0.0.7"]))
    made = bob.ok("create", "vm", "web", "--vdc", "dev", "--item", "jammy", "--wait", "--timeout", "40", "-o", "json")
    assert json.loads(made)["ip_addresses"] == ["10.0.0.7"]


def test_stop_start_delete(bob, web):
    shown()
    bob.ok("stop", "vm", "web")
    web.refresh_from_db()
    assert web.power_state == PowerState.OFF
    bob.ok("start", "vm", "dev/web")
    web.refresh_from_db()
    assert web.power_state == PowerState.ON
    assert "say --yes" in bob.refused(2, "delete", "vm", "web")
    web.refresh_from_db()
    assert web.deletion_requested_at is None
    later(drop, deletion_requested_at__isnull=False)
    assert bob.ok("delete", "vm", str(web.pk), "--yes", "--wait", "--timeout", "40") == ""
    assert "is being deleted" not in bob.refused(3, "delete", "vm", "web", "--yes")


def test_a_vm_that_is_being_deleted_is_not_started(bob, web):
    bob.ok("delete", "vm", "web", "-y")
    assert "is being deleted" in bob.refused(5, "start", "vm", "web")


def test_stop_waits_for_what_comes_after_it_was_said(bob, web):
    shown(phase="Stopped")
    VirtualMachine.objects.update(power_state=PowerState.ON)
    later(lambda: shown(phase="Stopped"), power_state=PowerState.OFF)
    began = time.monotonic()
    bob.ok("stop", "vm", "web", "--wait", "--timeout", "40")
    assert time.monotonic() - began > 1, "the phase from before is no answer"


@pytest.mark.parametrize("wish", ["phase=running", "condition=Ready", "condition=Ready=True"])
def test_wait_ends_when_it_is_so(bob, web, wish):
    shown(conditions=[{"type": "Ready", "status": "True", "reason": "Running", "message": ""}])
    assert bob.ok("wait", "vm", "web", "--for", wish, "-o", "name") == "dev/web\n"


def test_waiting_too_long_tells_where_it_stands(bob, web):
    shown(phase="Provisioning", progress="42.10%")
    told = bob.refused(8, "wait", "vm", "web", "--for", "phase=Running", "--timeout", "0.5")
    assert "not yet phase Running after 0.5 s: it is Provisioning (42.10%)" in told
    assert "\r" not in told, "no progress line where there is no terminal"


def test_waiting_for_what_will_not_come_ends_with_the_cause(bob, web):
    ready = {"type": "Ready", "status": "False", "reason": "ImportFailed", "message": "web-disk-0: 404 Not Found"}
    shown(phase="Failed", conditions=[ready])
    told = bob.refused(1, "wait", "vm", "web", "--for", "phase=Running", "--timeout", "20")
    assert "it is Failed: web-disk-0: 404 Not Found" in told


def test_waiting_for_what_is_gone_already(bob, vdc):
    bob.ok("wait", "vm", "web", "--for", "deleted")
    bob.refused(3, "wait", "vm", "web", "--for", "phase=Running")
    assert "write deleted, phase=PHASE" in bob.refused(2, "wait", "vm", "web", "--for", "phase=Flying")


def test_rights_are_the_servers_business(bob, vdc, item):
    a_vm(vdc, "not-mine")
    assert "that you can see" in bob.refused(3, "delete", "vm", "not-mine", "-y")
    assert VirtualMachine.objects.get().deletion_requested_at is None


def test_an_order_is_given_to_one_vm(root, vdc, item):
    vm = a_vm(vdc, "web")
    disk = Disk.objects.get()
    assert "say --yes" in root.refused(2, "order", "recreate-disk", "vm/web", "--disk", disk.name)
    assert "web-disk-0" in root.refused(3, "order", "recreate-disk", "vm/web", "--disk", "nope", "-y")
    assert "for one vm" in root.refused(2, "order", "repair", "vdc/dev", "-y")
    lost = {"type": "DiskLost", "status": "True", "reason": "Gone", "since": None}
    shown(conditions=[lost | {"message": f"DataVolume {vdc.namespace}/{disk.name} is gone."}])
    InventoryItem.objects.create(
        owner_kind="vm", owner_id=vm.pk, data_of_kind="disk", data_of_id=disk.pk, cluster=vdc.cluster,
        group="cdi.kubevirt.io", kind="DataVolume", namespace=vdc.namespace, name=disk.name, uid=uuid4(),
    )  # fmt: skip
    root.ok("order", "recreate-disk", "vm/web", "--disk", disk.name, "--dry-run")
    assert not Disk.objects.get().order
    done = root("order", "recreate-disk", "vm/web", "--disk", disk.name, "-y")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert Disk.objects.get().order == "recreate-disk"
    assert "ClaimGone" in root("order", "reclaim", "vm/web", "-y").stderr
    refused = root("order", "accept", "vm/web", "-y")
    assert refused.returncode in (1, 5), "there is nothing to accept"
