"""Promise: what machines and nodes use can be read where monitoring reads it."""

import re
import time

import pytest

from clusters.sandbox.quantity import parse
from tests.contract.conftest import Cluster
from tests.contract.machines import INSTALLED_IN, PATIENCE, Object, Space, condition, data_volume, machine

METRICS = "/apis/metrics.k8s.io/v1beta1"
LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def measured(cluster: Cluster, path: str) -> Object:
    """A measurement, once there is one: metrics-server looks every fifteen seconds."""
    end = time.monotonic() + max(PATIENCE, 60)
    while (answer := cluster.call("GET", METRICS + path)).status != 200 or not answer.body.get("items", [1]):
        assert time.monotonic() < end, answer.text
        time.sleep(0.2)
    return dict(answer.body)


def series(cluster: Cluster, namespace: str, service: str) -> list[tuple[str, dict[str, str], float]]:
    """Every sample of an operator's metrics service, through the API server's proxy."""
    path = f"/api/v1/namespaces/{namespace}/services/https:{service}:metrics/proxy/metrics"
    answer = cluster.call("GET", path)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    found = []
    for line in answer.text.splitlines():
        if line and not line.startswith("#"):
            match = LINE.match(line)
            assert match is not None, line
            found.append((match[1], dict(LABEL.findall(match[2] or "")), float(match[3])))
    return found


def test_every_ready_node_is_measured(cluster: Cluster) -> None:
    nodes = {item["metadata"]["name"]: item for item in cluster.call("GET", "/api/v1/nodes").body["items"]}
    found = measured(cluster, "/nodes")
    assert found["kind"] == "NodeMetricsList"
    for item in found["items"]:
        allocatable = nodes[item["metadata"]["name"]]["status"]["capacity"]
        for unit in ("cpu", "memory"):
            assert 0 < parse(item["usage"][unit]) < parse(allocatable[unit])
    name = found["items"][0]["metadata"]["name"]
    assert measured(cluster, f"/nodes/{name}")["metadata"]["name"] == name
    assert cluster.call("GET", f"{METRICS}/nodes/nobody").status == 404


def test_a_machines_pod_is_measured(here: Space) -> None:
    here.make("virtualmachines", machine("web", memory="1Gi"))
    here.instance("web")
    pod = here.launchers("web")[0]["metadata"]["name"]
    found = measured(here.cluster, f"/namespaces/{here.name}/pods/{pod}")
    compute = next(item for item in found["containers"] if item["name"] == "compute")
    assert 0 < parse(compute["usage"]["memory"]) < parse("2Gi")
    assert parse(compute["usage"]["cpu"]) > 0
    assert not here.cluster.call("GET", f"{METRICS}/namespaces/default/pods?labelSelector=a%3Dnone").body["items"]


def test_discovery_shows_the_metrics_api(cluster: Cluster) -> None:
    kinds = {item["kind"] for item in cluster.call("GET", METRICS).body["resources"]}
    assert {"NodeMetrics", "PodMetrics"} <= kinds


def test_kubevirt_counts_what_a_running_machine_does(here: Space) -> None:
    here.make("virtualmachines", machine("web", memory="1Gi"))
    here.until("virtualmachineinstances", "web", lambda vmi: condition(vmi, "AgentConnected").get("status") == "True")

    def mine() -> dict[str, float]:
        samples = series(here.cluster, INSTALLED_IN, "kubevirt-prometheus-metrics")
        return {name: value for name, labels, value in samples if labels.get("namespace") == here.name}

    before = mine()
    for name in (
        "kubevirt_vmi_cpu_usage_seconds_total",
        "kubevirt_vmi_memory_domain_bytes",
        "kubevirt_vmi_memory_available_bytes",
        "kubevirt_vmi_network_receive_bytes_total",
        "kubevirt_vmi_storage_read_traffic_bytes_total",
        "kubevirt_vmi_filesystem_capacity_bytes",
        "kubevirt_vmi_filesystem_used_bytes",
        "kubevirt_vmi_launcher_memory_overhead_bytes",
        "kubevirt_vmi_info",
        "kubevirt_vm_info",
    ):
        assert name in before, name
    assert before["kubevirt_vm_running_status_last_transition_timestamp_seconds"] > 0
    assert before["kubevirt_vmi_memory_usable_bytes"] < before["kubevirt_vmi_memory_domain_bytes"] == 1024**3
    end = time.monotonic() + PATIENCE
    name = "kubevirt_vmi_cpu_usage_seconds_total"
    while (after := mine())[name] <= before[name]:
        assert time.monotonic() < end, "the machine's time stands still"
        time.sleep(0.5)
    assert after["kubevirt_vmi_network_receive_bytes_total"] >= before["kubevirt_vmi_network_receive_bytes_total"]


def test_a_stopped_machine_is_told_as_such(here: Space) -> None:
    here.make("virtualmachines", machine("web", strategy="Halted"))
    here.printed("web", "Stopped")
    samples = series(here.cluster, INSTALLED_IN, "kubevirt-prometheus-metrics")
    info = next(
        labels for name, labels, _ in samples if name == "kubevirt_vm_info" and labels["namespace"] == here.name
    )
    assert (info["status"], info["status_group"]) == ("stopped", "non_running")
    assert not [
        1 for name, labels, _ in samples if name.startswith("kubevirt_vmi_") and labels.get("namespace") == here.name
    ]


def test_cdi_tells_how_far_imports_are(here: Space) -> None:
    made = here.make("datavolumes", data_volume("disk", {"blank": {}}))
    here.until("datavolumes", "disk", lambda dv: dv.get("status", {}).get("phase") == "Succeeded")
    namespace = "cdi"
    answer = here.cluster.call("GET", f"/api/v1/namespaces/{namespace}/services/cdi-prometheus-metrics")
    if answer.status == 404:
        pytest.skip("CDI is installed elsewhere")
    samples = series(here.cluster, namespace, "cdi-prometheus-metrics")
    assert any(name.startswith("kubevirt_cdi_") for name, _, _ in samples)
    done = [value for name, labels, value in samples if labels.get("ownerUID") == made["metadata"]["uid"]]
    assert done in ([], [100.0])  # a real one forgets a finished import with its pod
