"""Orders to the sandbox's machinery: guests, nodes, images, the clock, virt-api. `ctl` speaks the same interface."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clusters.sandbox import ctl
from tests.clusters.sandbox_kubevirt.conftest import CDI, KUBEVIRT, Api, Object, condition, data_volume, machine
from tests.clusters.sandbox_kubevirt.test_vm_life import power, until, vm_path, vmi_path

NODES = "/api/v1/nodes"


def order(sandbox: Api, verb: str, **body: Any) -> Object:
    code, answer = sandbox.call("POST", f"/_sandbox/{verb}", body)
    assert code == 200, answer
    return dict(answer)


def running(sandbox: Api, namespace: str, name: str, *, other_than: str = "") -> Object:
    return sandbox.wait(
        vmi_path(namespace, name),
        lambda vmi: (
            bool(vmi) and vmi["metadata"]["uid"] != other_than and vmi.get("status", {}).get("phase") == "Running"
        ),
    )


def events(sandbox: Api, namespace: str, name: str) -> set[str]:
    found = sandbox.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    return {item["reason"] for item in found if item["involvedObject"]["name"] == name}


@pytest.fixture
def nodes_again(sandbox: Api) -> Iterator[None]:
    yield
    for node in sandbox.get(NODES)["items"]:
        order(sandbox, "node", name=node["metadata"]["name"], state="back")


def test_a_crashed_guest_of_an_always_machine_runs_again_at_once(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    first = running(sandbox, namespace, "web")
    assert order(sandbox, "guest", action="crash", namespace=namespace, name="web")["action"] == "crash"
    running(sandbox, namespace, "web", other_than=first["metadata"]["uid"])
    assert "startFailure" not in sandbox.get(vm_path(namespace, "web"))["status"]


def test_a_panic_nobody_is_told_of_only_silences_the_agent(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))

    def agent(value: str) -> Object:
        return sandbox.wait(
            vmi_path(namespace, "web"), lambda vmi: condition(vmi, "AgentConnected").get("status", "") == value
        )

    agent("True")
    order(sandbox, "guest", action="panic", namespace=namespace, name="web")
    assert agent("")["status"]["phase"] == "Running"
    assert power(sandbox, namespace, "web", "reset", "virtualmachineinstances") == 200
    agent("True")


def test_a_guest_that_never_boots_backs_off_until_it_is_mended(sandbox: Api, namespace: str) -> None:
    order(sandbox, "guest", action="break", namespace=namespace, name="web")
    sandbox.post(vm_path(namespace), machine("web"))
    vm = until(sandbox, namespace, "web", "CrashLoopBackOff")
    assert vm["status"]["startFailure"]["consecutiveFailCount"] == 1
    sandbox.wait(
        vm_path(namespace, "web"),
        lambda found: (found.get("status", {}).get("startFailure") or {}).get("consecutiveFailCount", 0) >= 2,
    )
    order(sandbox, "guest", action="mend", namespace=namespace, name="web")
    vm = until(sandbox, namespace, "web", "Running")
    assert "startFailure" not in vm["status"]


def test_a_clock_that_jumps_ends_the_back_off(sandbox: Api, namespace: str) -> None:
    order(sandbox, "guest", action="break", namespace=namespace, name="web")
    sandbox.post(vm_path(namespace), machine("web"))

    def failures(count: int) -> Object:
        return sandbox.wait(
            vm_path(namespace, "web"),
            lambda found: (found.get("status", {}).get("startFailure") or {}).get("consecutiveFailCount", 0) >= count,
            20,
        )

    failures(3)  # the next start is at least nine seconds away
    order(sandbox, "guest", action="mend", namespace=namespace, name="web")
    began = time.monotonic()
    try:
        assert order(sandbox, "clock", offset=600)["offset"] == 600
        until(sandbox, namespace, "web", "Running")
        assert time.monotonic() - began < 5
    finally:
        order(sandbox, "clock", offset=0)


def test_a_lost_node_fails_its_machines_and_they_run_elsewhere(sandbox: Api, namespace: str, nodes_again: None) -> None:
    for name, strategy in (("web", "Always"), ("job", "Manual")):
        sandbox.post(vm_path(namespace), machine(name, strategy=strategy))
    until(sandbox, namespace, "job", "Stopped")
    power(sandbox, namespace, "job", "start")
    first = {name: running(sandbox, namespace, name) for name in ("web", "job")}
    for node in {vmi["status"]["nodeName"] for vmi in first.values()}:
        order(sandbox, "node", name=node, state="lost")
        ready = condition(sandbox.get(f"{NODES}/{node}"), "Ready")
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    again = running(sandbox, namespace, "web", other_than=first["web"]["metadata"]["uid"])
    assert again["status"]["nodeName"] not in {vmi["status"]["nodeName"] for vmi in first.values()}
    assert "NodeUnresponsive" in events(sandbox, namespace, "web")
    failed = sandbox.wait(vmi_path(namespace, "job"), lambda vmi: vmi["status"]["phase"] == "Failed")
    assert failed["status"]["reason"] == "NodeUnresponsive"
    until(sandbox, namespace, "job", "Stopped")


def test_a_node_that_comes_back_in_time_keeps_its_machines(sandbox: Api, namespace: str, nodes_again: None) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    first = running(sandbox, namespace, "web")
    node = first["status"]["nodeName"]
    order(sandbox, "node", name=node, state="lost", grace=-1)
    sandbox.wait(vmi_path(namespace, "web"), lambda vmi: condition(vmi, "Ready").get("status") == "False")
    power(sandbox, namespace, "web", "stop")
    until(sandbox, namespace, "web", "Stopping")
    time.sleep(0.5)
    assert sandbox.get(vm_path(namespace, "web"))["status"]["printableStatus"] == "Stopping"  # nobody there to obey
    order(sandbox, "node", name=node, state="back")
    until(sandbox, namespace, "web", "Stopped")
    labels = sandbox.get(f"{NODES}/{node}")["metadata"]["labels"]
    assert labels["kubevirt.io/schedulable"] == "true"


def test_an_image_that_went_and_came_back(sandbox: Api, namespace: str) -> None:
    image = "registry.example/gone:1"
    order(sandbox, "image", state="missing", image=image)
    sandbox.post(vm_path(namespace), machine("web", volumes=[{"name": "root", "containerDisk": {"image": image}}]))
    vm = until(sandbox, namespace, "web", "ImagePullBackOff")
    assert image in condition(vm, "Synchronized")["message"]
    order(sandbox, "image", state="back", image=image)
    vm = until(sandbox, namespace, "web", "Running")
    assert not condition(vm, "Synchronized")


def test_without_virt_api_nothing_about_machines_is_admitted(sandbox: Api, namespace: str) -> None:
    order(sandbox, "virt-api", state="down")
    try:
        code, refusal = sandbox.call("POST", vm_path(namespace), machine("web"))
        assert (code, refusal["reason"]) == (500, "InternalError")
        assert 'failed calling webhook "virtualmachines-mutator.kubevirt.io"' in refusal["message"]
        assert sandbox.call("GET", f"{KUBEVIRT}/namespaces/{namespace}/virtualmachines")[0] == 200
        assert power(sandbox, namespace, "web", "start") == 503
    finally:
        order(sandbox, "virt-api", state="up")
    sandbox.post(vm_path(namespace), machine("web"))
    until(sandbox, namespace, "web", "Running")


def test_ctl_orders_and_shows_machines(sandbox: Api, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.post(vm_path(namespace), machine("web", strategy="Once"))
    running(sandbox, namespace, "web")
    server = ["--server", sandbox.server, "--token", "t"]
    assert ctl.main([*server, "guest", "shutdown", f"{namespace}/web"]) == 0
    until(sandbox, namespace, "web", "Stopped")
    capsys.readouterr()
    assert ctl.main([*server, "vms"]) == 0
    rows = json.loads(capsys.readouterr().out)["vms"]
    row = next(item for item in rows if item["vm"] == f"{namespace}/web")
    assert (row["strategy"], row["status"], row["phase"]) == ("Once", "Stopped", "Succeeded")
    assert ctl.main([*server, "guest", "crash", f"{namespace}/web"]) == 1
    assert "no running machine" in capsys.readouterr().err


def test_an_import_stalls_and_goes_on(sandbox: Api, namespace: str) -> None:
    volumes = f"{CDI}/namespaces/{namespace}/datavolumes"
    order(sandbox, "import", action="stall", namespace=namespace, name="disk")
    sandbox.post(volumes, data_volume("disk", {"blank": {}}))
    sandbox.post(volumes, data_volume("other", {"blank": {}}))
    sandbox.wait(f"{volumes}/other", lambda dv: dv.get("status", {}).get("phase") == "Succeeded")
    held = sandbox.wait(f"{volumes}/disk", lambda dv: dv.get("status", {}).get("phase") == "ImportInProgress")
    time.sleep(0.5)
    again = sandbox.get(f"{volumes}/disk")["status"]
    assert (again["phase"], again["progress"]) == ("ImportInProgress", held["status"]["progress"])
    order(sandbox, "import", action="release", namespace=namespace, name="disk")
    sandbox.wait(f"{volumes}/disk", lambda dv: dv["status"].get("phase") == "Succeeded")


def test_a_cron_whose_time_comes_looks_again(sandbox: Api, namespace: str) -> None:
    """Nobody listens there: what matters is when it is asked, by the controllers' clock."""
    crons = f"{CDI}/namespaces/{namespace}/dataimportcrons"
    template = data_volume("x", {"registry": {"url": "docker://127.0.0.1:9/os:latest"}})["spec"]
    spec = {"managedDataSource": "os", "schedule": "0 3 * * *", "template": {"spec": template}}
    sandbox.post(
        crons,
        {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataImportCron", "metadata": {"name": "os"}, "spec": spec},
    )
    first = sandbox.wait(f"{crons}/os", lambda found: condition(found, "UpToDate").get("reason") == "NoDigest")
    asked = first["status"]["lastExecutionTimestamp"]
    try:
        order(sandbox, "clock", offset=25 * 3600)
        later = sandbox.wait(f"{crons}/os", lambda found: found["status"]["lastExecutionTimestamp"] > asked)
        assert later["metadata"]["annotations"]["cdi.kubevirt.io/storage.import.nextCronTime"].endswith("03:00:00Z")
    finally:
        order(sandbox, "clock", offset=0)


def test_what_an_import_needs_beside_its_claim_is_there_and_goes(sandbox: Api, namespace: str) -> None:
    volumes = f"{CDI}/namespaces/{namespace}/datavolumes"
    claims, pods = (f"/api/v1/namespaces/{namespace}/{kind}" for kind in ("persistentvolumeclaims", "pods"))
    source = {"registry": {"url": "docker://127.0.0.1:9/os:latest"}}
    sandbox.post(volumes, data_volume("disk", source, "1Gi"))
    sandbox.wait(f"{volumes}/disk", lambda dv: dv.get("status", {}).get("restartCount", 0) >= 1)
    uid = sandbox.get(f"{claims}/disk")["metadata"]["uid"]
    names = {item["metadata"]["name"] for item in sandbox.get(claims)["items"]}
    assert names == {"disk", f"prime-{uid}", f"prime-{uid}-scratch"}
    pod = sandbox.get(f"{pods}/importer-prime-{uid}")
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "60M"}
    assert sandbox.call("DELETE", f"{volumes}/disk")[0] == 200
    for path in (claims, pods):
        sandbox.wait(path, lambda found: not found["items"])


def test_a_quota_that_leaves_no_room_for_the_helpers_stops_the_import(sandbox: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    sandbox.post(quotas, {"metadata": {"name": "plan"}, "spec": {"hard": {"persistentvolumeclaims": "1"}}})
    sandbox.wait(f"{quotas}/plan", lambda quota: "hard" in quota.get("status", {}))
    volumes = f"{CDI}/namespaces/{namespace}/datavolumes"
    sandbox.post(volumes, data_volume("disk", {"blank": {}}))
    stuck = sandbox.wait(f"{volumes}/disk", lambda dv: condition(dv, "Bound").get("reason") == "Pending")
    assert "reason" not in condition(stuck, "Running")
    sandbox.patch(f"{quotas}/plan", {"spec": {"hard": {"persistentvolumeclaims": "2"}}})
    sandbox.wait(f"{volumes}/disk", lambda dv: dv["status"].get("phase") == "Succeeded")
