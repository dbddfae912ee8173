"""As it is deployed: one worker, beat and one watcher that were started before OVIM knew any cluster."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusters.fleet import edit_cluster
from clusters.models import Cluster
from tenancy.models import RoleName
from tenancy.services.bindings import bind_role, unbind_role
from tenancy.services.users import create_user, disable_user
from tests.cast import Api, make_person, session_of
from tests.clusters.fleet import SYSTEM, Fleet, Prepared
from tests.clusters.kubectl import RBAC, Kubectl
from tests.engine import processes
from vms.services import set_power

pytestmark = pytest.mark.slow


@pytest.fixture
def deployed(fleet: Fleet, tmp_path: Path) -> Iterator[None]:
    """It ends before the clusters are emptied: while OVIM runs, it makes again what is deleted by hand."""
    fast = {"OVIM_SANDBOX_PACE": "fast"}
    with (
        processes.worker(tmp_path / "worker.log", **fast),
        processes.beat(tmp_path / "beat.log"),
        processes.watcher(tmp_path / "watcher.log"),
    ):
        yield


def within(seconds: float, holds: Callable[[], Any]) -> float:
    """How long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, list(Cluster.objects.values())
        time.sleep(0.1)
    return time.monotonic() - began


def test_clusters_that_come_go_and_come_back_need_no_restart(deployed: None, fleet: Fleet) -> None:
    east = fleet.register(fleet.east)
    one = fleet.vm("one", fleet.vdc("home", east))
    within(60, lambda: fleet.phase(one) == "Running")
    west = fleet.register(fleet.west)  # at run time, beside one that is at work
    two = fleet.vm("two", fleet.vdc("away", west))
    within(60, lambda: fleet.phase(two) == "Running")
    within(20, lambda: Cluster.objects.filter(seen_at__isnull=False, watched_at__isnull=False).count() == 2)

    fleet.west.sandbox.stop(signal.SIGKILL)
    lost = within(40, lambda: Cluster.objects.filter(name="west", failing_since__isnull=False).exists())
    set_power(actor=SYSTEM, vm=two, on=False)
    three = fleet.vm("three", two.vdc)
    others = [fleet.vm(f"more-{number}", one.vdc) for number in range(3)]
    meanwhile = within(60, lambda: all(fleet.phase(vm) == "Running" for vm in others))
    assert fleet.phase(three) == "Pending"

    fleet.west.sandbox.options += ("--unread-seconds", "3")  # it refuses OVIM for a moment before it takes work
    fleet.west.sandbox.start()
    back = within(60, lambda: Cluster.objects.filter(name="west", failing_since=None).exists())
    converged = within(60, lambda: fleet.phase(two) == "Stopped" and fleet.phase(three) == "Running")
    print(f"lost {lost:.1f} s, others {meanwhile:.1f} s, back {back:.1f} s, converged {converged:.1f} s")


def test_a_second_cluster_by_client_certificate_runs_machines(south: Prepared, deployed: None, fleet: Fleet) -> None:
    """All of it over HTTP; the worker and the watcher go by the certificate alone."""
    fleet.register(fleet.east)
    root = Api(session_of(make_person("root")))
    kubeconfig = south.kubeconfig("kubernetes-admin", "system:masters")
    registered = root.post("clusters", {"name": "south", "kubeconfig": kubeconfig})
    assert registered.status_code == 201, registered.content
    fleet.organization()
    home = root.get("organizations").json()["items"][0]["id"]
    vdc = root.post("vdcs", {"organization": home, "name": "far", "cluster": registered.json()["id"]})
    assert vdc.status_code == 201, vdc.content
    body = {"vdc": vdc.json()["id"], "name": "web", "cpu": 1, "memory": "512Mi", "disk_gib": 1}
    made = root.post("vms", body | {"image_url": f"{fleet.images}/good.qcow2"})
    assert made.status_code == 201, made.content
    address = f"vms/{made.json()['id']}"
    within(60, lambda: root.get(address).json()["phase"] == "Running")
    (there,) = south.sandbox.request("GET", "/apis/kubevirt.io/v1/virtualmachines")["items"]
    place = there["metadata"]
    assert place["name"] == "web"
    assert not fleet.names(fleet.east, "/apis/kubevirt.io/v1/virtualmachines")

    for action in ("break", "crash"):  # it starts anew, and does not get as far as running
        south.sandbox.control("guest", action=action, namespace=place["namespace"], name="web")
    within(30, lambda: root.get(address).json()["phase"] != "Running")  # by the watch
    south.sandbox.control("guest", action="mend", namespace=place["namespace"], name="web")
    within(60, lambda: root.get(address).json()["phase"] == "Running")
    within(20, lambda: root.get(f"clusters/{registered.json()['id']}").json()["seen_at"] is not None)


def test_roles_are_given_kept_and_taken_there_within_seconds(deployed: None, fleet: Fleet) -> None:
    east = fleet.register(fleet.east)
    edit_cluster(actor=SYSTEM, cluster=east, changes={"tenant_access": True, "oidc_username_prefix": "oidc:"})
    vdc = fleet.vdc("dev", east)
    vera = create_user(actor=SYSTEM, username="vera", password="a long enough one", organization=vdc.organization)
    within(60, lambda: fleet.phase(vdc) == "Active" and fleet.phase(vdc.access) == "Active")
    there, sandbox = Kubectl(fleet.east.sandbox, "oidc:vera"), fleet.east.sandbox
    given: dict[str, Any] = {
        "actor": SYSTEM,
        "user": vera,
        "role": RoleName.VDC_ADMIN,
        "organization": vdc.organization,
    }
    binding = bind_role(**given, vdc_id=vdc.pk)
    came = within(10, lambda: there.sees(vdc.namespace))
    path = f"{RBAC}/namespaces/{vdc.namespace}/rolebindings/ovim-vdc-admin"
    wanted = sandbox.request("GET", path)["subjects"]
    within(30, lambda: Cluster.objects.get().watched_at)  # from here on it hears what others do
    sandbox.request("PUT", path, sandbox.request("GET", path) | {"subjects": []})
    assert not there.sees(vdc.namespace)
    mended = within(10, lambda: there.sees(vdc.namespace))
    sandbox.request("DELETE", path)
    remade = within(10, lambda: there.sees(vdc.namespace))
    assert sandbox.request("GET", path)["subjects"] == wanted
    unbind_role(actor=SYSTEM, binding=binding)
    went = within(10, lambda: not there.sees(vdc.namespace))
    bind_role(**given, vdc_id=vdc.pk)
    within(10, lambda: there.sees(vdc.namespace))
    disable_user(actor=SYSTEM, user=vera)
    ended = within(10, lambda: not there.sees(vdc.namespace))
    print(f"came {came:.1f} s, mended {mended:.1f} s, remade {remade:.1f} s, went {went:.1f} s, disabled {ended:.1f} s")
