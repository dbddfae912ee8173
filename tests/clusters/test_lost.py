"""Two clusters, one of them lost: it is told, its work waits, the other goes on, and all converge when it is back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection, transaction

from clusters import connections, pulse, secrets
from clusters.errors import Unreachable
from clusters.fleet import drain_cluster
from clusters.models import Cluster, ObservedObject, Placement, WorkItem
from clusters.tasks import look_into
from clusters.watch import Watcher
from core.errors import Conflict
from core.models import AuditEntry
from tenancy.models import Organization
from tests.cast import Api, make_person, session_of
from tests.clusters.fleet import SYSTEM, Fleet, Prepared
from tests.engine.test_watch import eventually
from tests.portal import browser, text
from vdcs.models import QuotaClaim, Vdc
from vdcs.services import create_vdc, delete_vdc
from vms.models import VirtualMachine
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
    assert set(ObservedObject.objects.filter(cluster=west, kind="VirtualMachine").values_list("name", flat=True)) == {
        "two"
    }


def test_a_lost_cluster_is_told_and_nothing_waits_for_it_elsewhere(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "PULSE_SECONDS", FAST)
    east, west = fleet.register(fleet.east), fleet.register(fleet.west)
    old = fleet.vm("old", fleet.vdc("away", west))
    home = fleet.vdc("home", east)
    fleet.until(lambda: fleet.phase(old) == "Running")
    assert root().get(f"vms/{old.pk}").json()["unseen_since"] is None
    with watched(west):
        eventually(lambda: Cluster.objects.filter(name="west", seen_at__gt=west.seen_at).exists())
        fleet.west.sandbox.stop(signal.SIGKILL)
        try:
            # Nobody asked anything of it: the pulse alone has noticed.
            eventually(lambda: Cluster.objects.filter(name="west", failing_since__isnull=False).exists())
            _it_is_told(old)
            set_power(actor=SYSTEM, vm=old, on=False)
            fresh = fleet.vm("fresh", home)
            fleet.until(lambda: fleet.phase(fresh) == "Running")
            assert fleet.phase(old) == "Running", "as it was last seen"
        finally:
            fleet.west.sandbox.start()
        fleet.until(lambda: Cluster.objects.filter(name="west", failing_since=None).exists())
        fleet.until(lambda: fleet.phase(old) == "Stopped")
    assert root().get(f"vms/{old.pk}").json()["unseen_since"] is None
    assert Cluster.objects.get(name="west").last_error == ""


def _it_is_told(vm: VirtualMachine) -> None:
    """By the API in lists and details, by the portal on each page that shows it."""
    api, portal = root(), browser("root")
    cluster = next(item for item in api.get("clusters").json()["items"] if item["name"] == "west")
    assert cluster["failing_since"] is not None
    assert cluster["seen_at"] < cluster["failing_since"]
    assert "can't be reached" in cluster["last_error"]
    assert 'ovim_cluster_lost{cluster="west"} 1.0' in portal.get("/metrics").content.decode()
    last = cluster["seen_at"]
    assert [item["unseen_since"] for item in api.get("vms").json()["items"]] == [last]
    assert api.get(f"vms/{vm.pk}").json()["unseen_since"] == last
    seen = {item["name"]: item["unseen_since"] for item in api.get("vdcs").json()["items"]}
    assert seen == {"away": last, "home": None}
    for address in ("/", "/clusters/", f"/clusters/{cluster['id']}/"):
        assert "Lost" in text(portal.get(address)), address
    for address in (f"/vms/{vm.pk}/", f"/vdcs/{vm.vdc_id}/"):
        assert "Its cluster has not answered for" in text(portal.get(address)), address


def test_a_credential_that_ended_is_a_lost_cluster_until_it_is_renewed(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "PULSE_SECONDS", FAST)
    east = fleet.register(fleet.east)
    Cluster.objects.update(credential=secrets.encrypt("revoked"), access_generation=2)
    with watched(east):
        eventually(lambda: Cluster.objects.filter(failing_since__isnull=False).exists())
    assert Cluster.objects.get().last_error == "The cluster refuses OVIM's credential: it has expired or was revoked."
    vm = fleet.vm("web", fleet.vdc("dev"))
    body = {"server": fleet.east.url, "token": fleet.east.token}
    assert root().request("put", f"clusters/{east.pk}/access", body).status_code == 200
    fleet.until(lambda: fleet.phase(vm) == "Running")


# Choosing


def test_a_cluster_that_can_not_carry_vms_is_refused_by_name(fleet: Fleet, bare: Prepared) -> None:
    fleet.register(fleet.east)
    plain = fleet.register(bare, "plain")
    fleet.organization()
    body = {"organization": str(fleet.organization().pk), "name": "dev", "cluster": str(plain.pk)}
    answer = root().post("vdcs", body)
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["field"], answer.json()["errors"][0]["rule"]) == ("cluster", "no_kubevirt")
    assert "plain has no KubeVirt" in answer.json()["detail"]


def test_a_storage_class_that_the_cluster_lacks_is_refused_with_those_it_has(fleet: Fleet) -> None:
    fleet.register(fleet.east)
    vdc = fleet.vdc("dev")
    body = {"vdc": str(vdc.pk), "name": "web", "image_url": f"{fleet.images}/good.qcow2", "cpu": 1, "memory": "1Gi"}
    answer = root().post("vms", body | {"disk": "1Gi", "storage_class": "gold"})
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["field"], answer.json()["errors"][0]["rule"]) == ("storage_class", "not_found")
    assert "It has: fast, local, standard." in answer.json()["detail"]
    assert root().post("vms", body | {"disk": "1Gi", "storage_class": "fast"}).status_code == 201


# Emptying, removing, forgetting


def test_a_cordoned_cluster_takes_nothing_new_and_goes_on(fleet: Fleet) -> None:
    east = fleet.register(fleet.east)
    vdc = fleet.vdc("dev")
    edited = root().patch(f"clusters/{east.pk}", {"schedulable": False})
    assert (edited.status_code, edited.json()["schedulable"]) == (200, False)
    with pytest.raises(Conflict, match="east takes nothing new"):
        fleet.vdc("more")
    with pytest.raises(Conflict, match="east takes nothing new"):
        fleet.organization("globex")
    vm = fleet.vm("web", vdc)
    fleet.until(lambda: fleet.phase(vm) == "Running")


def test_closing_a_cluster_waits_for_a_vdc_that_is_just_being_made(fleet: Fleet) -> None:
    """Else the VDC would come to a cluster that was found empty and is being left."""
    fleet.register(fleet.east)
    west = fleet.register(fleet.west)
    home = fleet.organization()
    steps: list[str] = []

    def close() -> None:
        drain_cluster(actor=SYSTEM, cluster=west)
        steps.append("drained")
        connection.close()

    closing = threading.Thread(target=close)
    with transaction.atomic():
        vdc = create_vdc(actor=SYSTEM, organization=home, name="late", cluster=west)
        closing.start()
        closing.join(timeout=1)
        steps.append("made")
    closing.join(timeout=10)
    assert steps == ["made", "drained"]
    vdc.placement.refresh_from_db()
    assert vdc.placement.deletion_requested_at is None


def test_what_a_cluster_can_do_is_looked_at_again_and_again(fleet: Fleet) -> None:
    east = fleet.register(fleet.east)
    Cluster.objects.update(capabilities={}, checked_at=None)
    look_into(str(east.pk))
    east.refresh_from_db()
    assert east.capabilities["kubevirt"] == "v1.9.0"
    assert east.checked_at is not None
    Cluster.objects.update(identity=uuid4())
    before = east.checked_at
    look_into(str(east.pk))
    east.refresh_from_db()
    assert "Another cluster answers at this address" in east.check_error
    assert east.checked_at == before


def test_a_cluster_is_drained_and_then_removed(fleet: Fleet) -> None:
    fleet.register(fleet.east)
    west = fleet.register(fleet.west)
    vdc = fleet.vdc("away", west)
    fleet.vdc("other", west, "globex")
    fleet.until(lambda: fleet.phase(vdc) == "Active")
    address = f"clusters/{west.pk}"
    refused = root().delete(address)
    assert refused.status_code == 409
    assert refused.json()["namespaces"] == ["acme", "acme-away", "globex", "globex-other"]
    delete_vdc(actor=SYSTEM, vdc=Vdc.objects.get(name="other"))
    fleet.until(lambda: not Vdc.objects.filter(name="other").exists())
    assert root().post(f"{address}/drain").status_code == 202
    fleet.until(lambda: not Placement.objects.filter(cluster=west, tenant_id=fleet.organization("globex").pk).exists())
    assert Organization.objects.filter(name="globex").exists(), "it left this cluster, not OVIM"
    assert Placement.objects.filter(cluster=west).count() == 1, "acme has a VDC there"
    delete_vdc(actor=SYSTEM, vdc=vdc)
    fleet.until(lambda: not fleet.exists(vdc))
    assert root().post(f"{address}/drain").status_code == 202
    fleet.until(lambda: not Placement.objects.filter(cluster=west).exists())
    assert root().delete(address).status_code == 204
    assert not Cluster.objects.filter(name="west").exists()
    assert AuditEntry.objects.filter(action="cluster.remove", object_name="west").exists()


def test_the_default_cluster_is_not_let_go_of(fleet: Fleet) -> None:
    east = fleet.register(fleet.east)
    fleet.register(fleet.west)
    for answer in (root().delete(f"clusters/{east.pk}"), root().post(f"clusters/{east.pk}/drain")):
        assert answer.status_code == 409
        assert "make another one the default" in answer.json()["detail"]


def test_a_lost_cluster_is_forgotten_with_what_it_leaves_behind_told(fleet: Fleet) -> None:
    fleet.register(fleet.east)
    west = fleet.register(fleet.west)
    vdc = fleet.vdc("away", west, limits={"cpu": 4})
    vm = fleet.vm("web", vdc)
    kept = fleet.vm("kept", fleet.vdc("home"))
    fleet.until(lambda: fleet.phase(vm) == "Running" and fleet.phase(kept) == "Running")
    forget = partial(root().post, f"clusters/{west.pk}/forget")
    assert "answers: delete what is on it" in forget({"confirm": "west"}).json()["detail"]
    connections.failing(west.pk, Unreachable("gone for good"))
    assert forget({"confirm": "east"}).json()["errors"][0]["rule"] == "name"
    assert "schedulable to false first" in forget({"confirm": "west"}).json()["detail"]
    root().patch(f"clusters/{west.pk}", {"schedulable": False})
    page = text(browser("root").get(f"/clusters/{west.pk}/forget/"))
    assert "1 × VirtualMachine" in page
    assert "acme-away" in page
    done = forget({"confirm": "west"})
    assert done.status_code == 200, done.content
    left = done.json()
    assert left["namespaces"] == ["acme", "acme-away"]
    assert left["rows"] == {"vm": 1, "vdc": 1, "placed-organization": 1}
    assert left["objects"]["VirtualMachine"] == 1
    assert not any(fleet.exists(row) for row in (west, vdc, vm))
    assert not QuotaClaim.objects.filter(owner_id=vm.pk).exists()
    assert not WorkItem.objects.filter(object_id__in=[vm.pk, vdc.pk]).exists()
    entry = AuditEntry.objects.get(action="cluster.forget")
    assert entry.before is not None
    assert entry.before["left_behind"]["namespaces"] == ["acme", "acme-away"]
    assert fleet.names(fleet.west, "/apis/kubevirt.io/v1/virtualmachines") == {"web"}, "what is there stays"
    assert fleet.phase(kept) == "Running"


def test_nobody_else_may_do_any_of_it(fleet: Fleet) -> None:
    """404, not 403: to others there are no clusters. The door itself answers 403 first (tests/test_permissions.py)."""
    east = fleet.register(fleet.east)
    alice = Api(session_of(make_person("alice")))
    for method, path in (
        ("delete", ""),
        ("post", "/drain"),
        ("post", "/check"),
        ("post", "/forget"),
        ("put", "/access"),
    ):
        assert alice.request(method, f"clusters/{east.pk}{path}", {"confirm": "east"}).status_code == 403
    assert fleet.exists(east)
