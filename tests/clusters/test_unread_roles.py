"""An API server that has just started refuses OVIM's account for a moment (k8s-transcript 17): nothing comes of it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusters import pulse
from clusters.models import Cluster, InventoryItem, ObservedObject, Orphan, WorkItem
from clusters.tasks import audit, look_into
from tests.clusters.fleet import SYSTEM, Fleet
from tests.clusters.test_lost import FAST, root, watched
from tests.engine import driver
from vdcs.models import Vdc
from vms.models import VirtualMachine
from vms.services import delete_vm, set_power

SECONDS = 4.0
BAD = {"Failed", "Unknown"}
LOST = {"DiskLost", "Replaced", "NameTaken", "Drifted", "Refused"}


@pytest.fixture
def there(fleet: Fleet) -> Iterator[Cluster]:
    """A cluster with machines, watched."""
    cluster = fleet.register(fleet.west)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulse, "PULSE_SECONDS", FAST)
        with watched(cluster):
            yield cluster


def turned(fleet: Fleet, cluster: Cluster, holds: Callable[[], Any], seconds: float = 40) -> None:
    """The watcher watches by itself; work is done as it becomes due."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, list(VirtualMachine.objects.values("name", "phase", "conditions"))
        driver.work(cluster)
        time.sleep(0.05)


def during(seconds: float, fleet: Fleet, cluster: Cluster) -> list[tuple[str, str]]:
    """All that rows said in that time which would alarm somebody: name and what."""
    said: set[tuple[str, str]] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        driver.work(cluster)
        for rows in (VirtualMachine.objects, Vdc.objects):
            for name, phase, conditions in rows.values_list("name", "phase", "conditions"):
                said |= {(name, phase)} if phase in BAD else set()
                said |= {(name, item["type"]) for item in conditions if item["type"] in LOST}
        said |= {("cluster", row.last_error) for row in Cluster.objects.exclude(failing_since=None)}
        time.sleep(0.05)
    return sorted(said)


def test_nothing_is_lost_failed_or_dropped_and_all_asked_for_meanwhile_is_done(fleet: Fleet, there: Cluster) -> None:
    vdc = fleet.vdc("dev", there)
    kept, stopped, gone = (fleet.vm(name, vdc) for name in ("kept", "stopped", "gone"))
    turned(fleet, there, lambda: all(fleet.phase(vm) == "Running" for vm in (kept, stopped, gone)))
    held = set(InventoryItem.objects.filter(tombstoned_at=None, owner_id=kept.pk).values_list("uid", flat=True))
    cached = known(there)

    fleet.west.sandbox.control("unread", seconds=SECONDS)
    fleet.west.sandbox.control("watches/drop")  # as a restart does: they begin anew, and are refused
    set_power(actor=SYSTEM, vm=stopped, on=False)
    delete_vm(actor=SYSTEM, vm=gone)
    fresh = fleet.vm("fresh", vdc)
    other = fleet.vdc("other", there)
    assert during(SECONDS - 1, fleet, there) == []
    assert known(there) == cached, "a refused list says nothing is gone"
    assert fleet.phase(kept) == "Running"
    assert fleet.phase(stopped) in ("Running", "Stopping")
    refused = [item for item in fresh_conditions(fresh) if "forbidden" in item["message"]]
    assert refused, "who looks meanwhile reads why nothing happens"

    turned(fleet, there, lambda: fleet.phase(stopped) == "Stopped" and fleet.phase(fresh) == "Running")
    turned(fleet, there, lambda: fleet.phase(other) == "Active" and not fleet.exists(gone))
    assert fleet.phase(kept) == "Running"
    assert set(InventoryItem.objects.filter(tombstoned_at=None, owner_id=kept.pk).values_list("uid", flat=True)) == held
    assert not any("forbidden" in item["message"] for item in fresh_conditions(fresh))
    assert Cluster.objects.get(pk=there.pk).failing_since is None
    assert not WorkItem.objects.filter(attempts__gt=6).exists(), "it was tried again in good time"


def known(cluster: Cluster) -> set[tuple[str, str]]:
    """What OVIM takes to be there, of what nothing in the cluster removes by itself."""
    lasting = ("Namespace", "VirtualMachine", "VirtualMachineInstance", "DataVolume", "ResourceQuota", "NetworkPolicy")
    found = ObservedObject.objects.filter(cluster=cluster, kind__in=lasting)
    return set(found.values_list("kind", "name"))


def fresh_conditions(vm: VirtualMachine) -> list[dict[str, Any]]:
    vm.refresh_from_db()
    return list(vm.conditions)


def test_a_look_and_a_search_that_fall_into_it_tell_of_no_lack(fleet: Fleet, there: Cluster) -> None:
    vdc = fleet.vdc("dev", there)
    vm = fleet.vm("web", vdc)
    turned(fleet, there, lambda: fleet.phase(vm) == "Running")
    before = Cluster.objects.get(pk=there.pk)
    fleet.west.sandbox.control("unread", seconds=1.5)
    look_into(str(there.pk))
    found = Cluster.objects.get(pk=there.pk)
    assert (found.check_error, found.lacking, found.capabilities) == ("", [], before.capabilities)
    fleet.west.sandbox.control("unread", seconds=1.5)
    Cluster.objects.update(audited_at=None)
    audit()
    assert not Orphan.objects.exists()
    found = Cluster.objects.get(pk=there.pk)
    assert (found.audited_at, found.audit_note) == (None, ""), "what could not be asked is asked the next time"
    assert root().post(f"clusters/{there.pk}/check").json()["check_error"] == ""


def test_an_account_that_really_lacks_everything_is_told_after_all(fleet: Fleet, there: Cluster) -> None:
    fleet.west.sandbox.control("unread", seconds=30)
    look_into(str(there.pk))
    fleet.west.sandbox.control("unread", seconds=0)
    assert "refuses even to be looked at" in Cluster.objects.get(pk=there.pk).check_error
