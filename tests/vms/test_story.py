"""What happened to a VM, told as a story: by people, by OVIM, by the cluster. On a sandbox, with the engine's own hands."""

from typing import Any

import pytest
from django.db import connection

from clusters import queue
from clusters.events import EVENTS
from clusters.models import Happening, WorkItem
from clusters.watch import Batch, Watcher
from core.actor import system_actor
from tenancy.timeline import Source, Wish, timeline
from tests.engine import driver
from tests.vms.conftest import Site
from vdcs.models import QuotaScope, Vdc
from vms.models import VirtualMachine
from vms.services import delete_vm, edit_vm, set_power
from vms.words import SENTENCES

ACTOR = system_actor("bob")


@pytest.fixture
def told(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose turns hear of events, too, as the watcher does."""
    turn = site.turn
    watcher = Watcher(site.cluster.pk, (EVENTS,))

    def hearing() -> int:
        ran = turn()
        batch = Batch()
        for live in watcher.client.list(EVENTS)[0]:
            batch.add((False, {"apiVersion": "v1", "kind": "Event", **live}))
        watcher.flush(batch)
        return ran

    monkeypatch.setattr(site, "turn", hearing)
    return site


def story(vm: VirtualMachine, **wish: Any) -> list[str]:
    """From its beginning."""
    entries, _ = timeline(ACTOR, vm, Wish(limit=200, **wish), SENTENCES)
    return [entry.sentence for entry in reversed(entries)]


def in_order(parts: list[str], sentences: list[str]) -> None:
    rest = iter(sentences)
    for part in parts:
        assert any(part in sentence for sentence in rest), f"{part!r} is not there, or not in its place: {sentences}"


def phase(vm: VirtualMachine) -> str:
    vm.refresh_from_db()
    return vm.phase


def test_a_life_is_told_in_order(told: Site):
    vm = told.vm()
    told.until(lambda: phase(vm) == "Running" and vm.ip_addresses)
    set_power(actor=ACTOR, vm=vm, on=False)
    told.until(lambda: phase(vm) == "Stopped")
    told.until(lambda: not WorkItem.objects.exists())
    edit_vm(actor=ACTOR, vm=vm, changes={"memory_mib": 1024})
    told.rest()
    told.turn()
    before = story(vm)
    delete_vm(actor=ACTOR, vm=vm)
    told.until(lambda: not VirtualMachine.objects.exists())
    sentences = story(vm)
    assert sentences[: len(before)] == before
    in_order(
        [
            "made it: 1 vCPU, 512 MiB of memory",
            "DataVolume web-disk-0 written",
            "VirtualMachine web written",
            "It runs; import 100 % after",
            "bob stopped it",
            "VirtualMachine web changed: spec.runStrategy",
            "It is stopped",
            "bob asked for 1 GiB of memory, before it was 512 MiB of memory",
            "VirtualMachine web changed: spec.template.spec.domain.memory.guest",
            "bob asked for it to be deleted",
            "VirtualMachine web told to go",
            "Everything of it is gone",
        ],
        sentences,
    )
    cluster = story(vm, source=Source.CLUSTER)
    in_order(["Its disk is imported"], cluster)
    in_order(["Placed on node", "The guest was started", "KubeVirt stops the machine", "guest has shut down"], cluster)


def test_writes_have_durations_and_the_raw_text(told: Site):
    vm = told.vm()
    told.until(lambda: phase(vm) == "Running")
    entries, _ = timeline(ACTOR, vm, Wish(source=Source.SYSTEM, limit=200), SENTENCES)
    made = next(entry for entry in entries if entry.sentence == "VirtualMachine web written")
    assert made.duration_ms is not None
    assert made.raw["why"] == "not there yet"
    imported = next(entry for entry in entries if "import 100 %" in entry.sentence)
    assert imported.duration_ms
    assert "DiskReady" in {item["type"] for item in imported.raw["changes"]}


def test_an_unchanged_look_tells_nothing(told: Site):
    vm = told.vm()
    told.until(lambda: phase(vm) == "Running" and vm.ip_addresses)
    told.rest()
    told.turn()
    count = Happening.objects.count()
    for _ in range(5):
        queue.request(vm)
        told.turn()
    assert Happening.objects.count() == count


def test_a_failed_import_says_why(told: Site):
    vm = told.vm(image_url=f"{told.images}/missing.qcow2")
    told.until(lambda: phase(vm) == "Failed")
    told.until(lambda: any("404" in sentence for sentence in story(vm, source=Source.CLUSTER)))
    sentences = story(vm, errors=True)
    in_order(["It failed; the disk's image could not be imported"], sentences)
    assert any("404" in sentence for sentence in sentences)


def test_no_room_says_what_lacks(told: Site):
    scope = QuotaScope.objects.get(vdc=Vdc.objects.get(name="dev"))
    scope.limits = {}
    scope.save(update_fields=["limits"])
    vm = told.vm(memory_mib=2000 * 1024)
    told.until(lambda: any("no node has room" in sentence.lower() for sentence in story(vm, source=Source.SYSTEM)))
    told.until(lambda: any("o node has room" in sentence for sentence in story(vm, source=Source.CLUSTER)))
    assert any("lack memory" in sentence for sentence in story(vm))


def test_events_wake_nobody_and_stay_out_of_the_cache(told: Site):
    vm = told.vm()
    told.until(lambda: phase(vm) == "Running" and vm.ip_addresses)
    told.until(lambda: not WorkItem.objects.exists())
    Happening.objects.filter(what="event").delete()
    driver.relist(told.cluster, (EVENTS,))
    assert Happening.objects.filter(what="event", owner_id=vm.pk).exists()
    assert not WorkItem.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM clusters_observedobject WHERE kind = 'Event'")
        assert cursor.fetchone()[0] == 0


def test_a_relist_tells_nothing_twice(told: Site):
    vm = told.vm()
    told.until(lambda: phase(vm) == "Running" and vm.ip_addresses)
    told.rest()
    driver.relist(told.cluster, (EVENTS,))
    before = list(Happening.objects.order_by("pk").values_list("pk", "count", "last_at"))
    driver.relist(told.cluster, (EVENTS,))
    assert list(Happening.objects.order_by("pk").values_list("pk", "count", "last_at")) == before
