"""What OVIM did not make, and what lost its row, from the command line."""

import json
from uuid import uuid4

import pytest

from clusters.models import ObservedObject, Orphan
from tests.cast import make_person
from tests.vms.test_adopt import spec


@pytest.fixture
def theirs(vdc):
    return a_foreign_machine(vdc)


def a_foreign_machine(vdc) -> ObservedObject:
    """As the watcher has seen one that somebody made with kubectl."""
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": "theirs",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl-create", "operation": "Update", "time": "2026-01-01T00:00:00Z"}],
        },
        "spec": spec(),
    }
    return ObservedObject.objects.create(
        cluster=vdc.cluster, group="kubevirt.io", kind="VirtualMachine", namespace=vdc.namespace, name="theirs",
        uid=uuid4(), resource_version=1, body=body,
    )  # fmt: skip


def test_unmanaged_machines_are_listed_with_what_is_measured(ovim, server, vdc, theirs):
    make_person("vera")
    ovim.login(server, "vera")
    done = ovim("get", "unmanaged", "--vdc", "dev")
    assert done.returncode == 0, done.stderr
    assert "theirs" in done.stdout
    assert "kubectl-create" in done.stdout
    assert "cpu: claimed 0, measured 2, unmanaged 2, limit 8" in done.stderr
    found = json.loads(ovim.ok("get", "unmanaged", "--vdc", "dev", "-o", "json"))
    assert found["machines"][0]["name"] == "theirs"
    assert "Of which VDC?" in ovim.refused(2, "get", "unmanaged")
    assert "only --vdc" in ovim.refused(2, "get", "unmanaged", "--limit", "3")


def test_who_may_not_is_told_so(bob, vdc, theirs):
    assert "vm.order" in bob.refused(4, "get", "unmanaged", "--vdc", "dev")
    assert "vm.adopt" in bob.refused(4, "adopt", "dev/theirs", "--yes")


def test_what_can_not_be_adopted_says_why(root, vdc, theirs):
    assert "is not ready" in root.refused(5, "adopt", "dev/theirs", "--yes")
    assert "is not ready" in root.refused(5, "adopt", "dev/theirs", "--dry-run")
    assert "says already" in root.refused(2, "adopt", "dev/theirs", "--vdc", "dev")


def test_orphans_are_listed_and_deleted_by_id_with_their_name_where_they_may_hold_data(root, vdc):
    plain = Orphan.objects.create(cluster=vdc.cluster, kind="ConfigMap", namespace="a", name="left", uid=uuid4())
    disk = Orphan.objects.create(
        cluster=vdc.cluster, group="cdi.kubevirt.io", kind="DataVolume", namespace="a", name="disk", uid=uuid4()
    )
    told = root.ok("get", "orphans")
    assert "ConfigMap" in told
    assert str(disk.pk) in told
    assert root("delete", "orphan", str(plain.pk), "--yes").returncode == 0
    assert "Type its name" in root.refused(1, "delete", "orphan", str(disk.pk), "--yes")
    assert root("delete", "orphan", str(disk.pk), "--yes", "--confirm", "disk").returncode == 0
    assert Orphan.objects.filter(deletion_requested_at__isnull=False).count() == 2
