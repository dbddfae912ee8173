"""Two clusters, one of them lost: it is told, its work waits, the other goes on, and all converge when it is back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clusters import pulse
from clusters.models import Cluster, ObservedObject, Placement
from clusters.watch import Watcher
from core.errors import Conflict, Invalid
from tests.cast import Api, make_person, session_of
from tests.clusters.fleet import SYSTEM, Fleet
from tests.engine.test_watch import eventually
from tests.portal import browser, text
from vms.services import set_power

FAST = 0.2


@contextmanager
def watched(cluster: Cluster) -> Iterator[Watcher]:
    watcher = Watcher(cluster.pk)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    yield watcher
    watcher.stopping.set()
    thread.join(timeout=10)


def root() -> Api:
    return Api(session_of(make_person("root")))


def test_vms_go_to_the_cluster_of_their_vdc(fleet: Fleet) -> None:
    east, west = fleet.register(fleet.east), fleet.register(fleet.west)
    home, away = fleet.vdc("home"), fleet.vdc("away", west)
    assert (home.cluster, away.cluster) == (east, west), "the first cluster is the default one"
    assert set(Placement.objects.values_list("cluster__name", flat=True)) == {"east", "west"}
    one, two = fleet.vm("one", home), fleet.vm("two", away)
    fleet.until(lambda: fleet.phase(one) == "Running" and fleet.phase(two) == "Running")
    path = "/apis/kubevirt.io/v1/virtualmachines"
    assert fleet.names(fleet.east, path) == {"one"}
    assert fleet.names(fleet.west, path) == {"two"}
    assert set(ObservedObject.objects.filter(cluster=west, kind="VirtualMachine").values_list("name", flat=True)) == {"two"}


def test_a_lost_cluster_is_told_and_nothing_waits_for_it_elsewhere(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "PULSE_SECONDS", FAST)
    east, west = fleet.register(fleet.east), fleet.register(fleet.west)
    old = fleet.vm("old", fleet.vdc("away", west))
    home = fleet.vdc("home", east)
    fleet.until(lambda: fleet.phase(old) == "Running")
    with watched(west):
        eventually(lambda: Cluster.objects.get(name="west").seen_at > west.seen_at)
        fleet.west.sandbox.stop(9)
        try:
            # Without any work for it: nobody asked anything of it.
            eventually(lambda: Cluster.objects.filter(name="west", failing_since__isnull=False).exists())
            _is_told(old)
            set_power(actor=SYSTEM, vm=old, on=False)
            fresh = fleet.vm("fresh", home)
            fleet.until(lambda: fleet.phase(fresh) == "Running")
            assert fleet.phase(old) == "Running", "as it was last seen"
        finally:
            fleet.west.restart()
        eventually(lambda: Cluster.objects.filter(name="west", last_error="").exists() or fleet.turn())
    _is_well_again(fleet, old)
