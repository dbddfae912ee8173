"""A VirtualMachine becomes a running machine, obeys power actions, and leaves nothing behind."""

from pathlib import Path

import pytest

from tests.clusters.sandbox_kubevirt.conftest import KUBEVIRT, POWER, Api, Object, condition, machine


def vm_path(namespace: str, name: str = "") -> str:
    return f"{KUBEVIRT}/namespaces/{namespace}/virtualmachines" + (f"/{name}" if name else "")


def vmi_path(namespace: str, name: str) -> str:
    return f"{KUBEVIRT}/namespaces/{namespace}/virtualmachineinstances/{name}"


def power(sandbox: Api, namespace: str, name: str, verb: str, kind: str = "virtualmachines") -> int:
    return sandbox.call("PUT", f"{POWER}/namespaces/{namespace}/{kind}/{name}/{verb}", {})[0]


def until(sandbox: Api, namespace: str, name: str, status: str) -> Object:
    return sandbox.wait(vm_path(namespace, name), lambda vm: vm.get("status", {}).get("printableStatus") == status)


def test_a_machine_starts_and_reports_what_a_real_one_reports(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    vm = until(sandbox, namespace, "web", "Running")
    assert vm["metadata"]["finalizers"] == ["kubevirt.io/virtualMachineControllerFinalize"]
    vmi = sandbox.wait(
        vmi_path(namespace, "web"), lambda found: condition(found, "AgentConnected").get("status") == "True"
    )
    status = vmi["status"]
    assert [entry["phase"] for entry in status["phaseTransitionTimestamps"]] == [
        "Pending",
        "Scheduling",
        "Scheduled",
        "Running",
    ]
    assert status["interfaces"][0]["ipAddress"].startswith("10.244.")
    assert status["guestOSInfo"]["id"] == "fedora"
    assert condition(vmi, "LiveMigratable")["status"] == "True"
    assert vmi["metadata"]["finalizers"] == [
        "kubevirt.io/virtualMachineControllerFinalize",
        "kubevirt.io/foregroundDeleteVirtualMachine",
    ]
    assert vmi["metadata"]["ownerReferences"][0]["uid"] == vm["metadata"]["uid"]
    pods = sandbox.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    assert [pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods] == ["VirtualMachineInstance"]
    # 2 vCPU at ratio 10; 1 GiB + 240 + 2*8 + 8 + 32 MiB
    devices = {f"devices.kubevirt.io/{device}": "1" for device in ("kvm", "tun", "vhost-net")}
    requests = {"cpu": "200m", "memory": "1320Mi", "ephemeral-storage": "50M"}
    assert pods[0]["spec"]["containers"][0]["resources"] == {"limits": devices, "requests": requests | devices}


def test_power_actions_edit_the_run_strategy_as_virt_api(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    until(sandbox, namespace, "web", "Running")
    assert power(sandbox, namespace, "web", "start") == 409
    assert power(sandbox, namespace, "web", "stop") == 202
    vm = until(sandbox, namespace, "web", "Stopped")
    assert vm["spec"]["runStrategy"] == "Halted"
    owners = {entry["manager"]: entry["fieldsV1"] for entry in vm["metadata"]["managedFields"]}
    assert owners["virt-api"] == {"f:spec": {"f:runStrategy": {}}}
    assert power(sandbox, namespace, "web", "stop") == 409
    assert power(sandbox, namespace, "web", "start") == 202
    until(sandbox, namespace, "web", "Running")


def test_a_restart_brings_a_new_instance(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    until(sandbox, namespace, "web", "Running")
    before = sandbox.get(vmi_path(namespace, "web"))["metadata"]["uid"]
    assert power(sandbox, namespace, "web", "restart") == 202
    sandbox.wait(
        vmi_path(namespace, "web"),
        lambda vmi: bool(vmi) and vmi["metadata"]["uid"] != before and vmi.get("status", {}).get("phase") == "Running",
    )
    vm = until(sandbox, namespace, "web", "Running")
    assert "stateChangeRequests" not in vm["status"]


def test_a_manual_machine_starts_and_stops_on_request_only(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web", strategy="Manual"))
    until(sandbox, namespace, "web", "Stopped")
    assert power(sandbox, namespace, "web", "start") == 202
    until(sandbox, namespace, "web", "Running")
    assert power(sandbox, namespace, "web", "stop") == 202
    vm = until(sandbox, namespace, "web", "Stopped")
    assert vm["spec"]["runStrategy"] == "Manual"


def test_pause_and_unpause(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    until(sandbox, namespace, "web", "Running")
    assert power(sandbox, namespace, "web", "pause", "virtualmachineinstances") == 200
    until(sandbox, namespace, "web", "Paused")
    assert power(sandbox, namespace, "web", "pause", "virtualmachineinstances") == 409
    assert power(sandbox, namespace, "web", "unpause", "virtualmachineinstances") == 200
    until(sandbox, namespace, "web", "Running")


@pytest.mark.parametrize("strategy", ["Once", "RerunOnFailure"])
def test_a_machine_stopped_by_hand_stays_stopped(sandbox: Api, namespace: str, strategy: str) -> None:
    sandbox.post(vm_path(namespace), machine("web", strategy=strategy))
    until(sandbox, namespace, "web", "Running")
    assert power(sandbox, namespace, "web", "stop") == 202
    until(sandbox, namespace, "web", "Stopped")


def test_a_deleted_machine_takes_everything_along(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    vm = machine("web", volumes=[{"name": "root", "dataVolume": {"name": "web-root"}}])
    vm["spec"]["dataVolumeTemplates"] = [
        {
            "metadata": {"name": "web-root"},
            "spec": {
                "source": {"http": {"url": f"{images[0]}/demo.qcow2"}},
                "storage": {"resources": {"requests": {"storage": "10Gi"}}},
            },
        }
    ]
    sandbox.post(vm_path(namespace), vm)
    until(sandbox, namespace, "web", "Running")
    assert sandbox.call("DELETE", vm_path(namespace, "web"))[0] == 200
    sandbox.wait(vm_path(namespace, "web"), lambda found: not found)
    for kind in ("pods", "persistentvolumeclaims"):
        sandbox.wait(f"/api/v1/namespaces/{namespace}/{kind}", lambda found: not found["items"])


def test_a_local_disk_is_bound_to_the_node_of_its_first_consumer(sandbox: Api, namespace: str) -> None:
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "local",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    sandbox.post(claims, {"metadata": {"name": "data"}, "spec": spec})
    assert sandbox.get(f"{claims}/data")["status"] == {"phase": "Pending"}
    disk = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    sandbox.post(vm_path(namespace), machine("web", volumes=[disk]))
    vm = until(sandbox, namespace, "web", "Running")
    assert sandbox.get(f"{claims}/data")["status"]["phase"] == "Bound"
    assert condition(vm, "LiveMigratable")["reason"] == "DisksNotLiveMigratable"


def test_a_machine_waits_for_a_claim_that_is_not_there(sandbox: Api, namespace: str) -> None:
    sandbox.post(
        vm_path(namespace), machine("web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "no"}}])
    )
    vm = until(sandbox, namespace, "web", "ErrorPvcNotFound")
    assert condition(vm, "Synchronized")["reason"] == "FailedPvcNotFound"


def test_a_failing_image_shows_on_the_machine(sandbox: Api, namespace: str, images: tuple[str, Path]) -> None:
    vm = machine("web", volumes=[{"name": "root", "dataVolume": {"name": "bad"}}])
    source = {"http": {"url": f"{images[0]}/no.qcow2"}}
    storage = {"resources": {"requests": {"storage": "10Gi"}}}
    vm["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "bad"}, "spec": {"source": source, "storage": storage}}]
    sandbox.post(vm_path(namespace), vm)
    until(sandbox, namespace, "web", "DataVolumeError")


def test_a_machine_no_node_can_hold_is_unschedulable(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("huge", memory="2048Gi"))
    vm = until(sandbox, namespace, "huge", "ErrorUnschedulable")
    assert condition(vm, "PodScheduled")["message"] == "0/3 nodes are available: 3 Insufficient memory."


def test_quota_refuses_the_launcher_and_never_the_machine(sandbox: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    sandbox.post(quotas, {"metadata": {"name": "plan"}, "spec": {"hard": {"requests.memory": "1Gi"}}})
    sandbox.wait(f"{quotas}/plan", lambda quota: "hard" in quota.get("status", {}))
    sandbox.post(vm_path(namespace), machine("web"))
    vmi = sandbox.wait(
        vmi_path(namespace, "web"), lambda found: condition(found, "Synchronized").get("status") == "False"
    )
    refusal = condition(vmi, "Synchronized")
    assert refusal["reason"] == "FailedCreate"
    assert refusal["message"].startswith('failed to create virtual machine pod: pods "virt-launcher-web-')
    assert "exceeded quota: plan, requested: requests.memory=" in refusal["message"]
    assert until(sandbox, namespace, "web", "Starting")
    sandbox.patch(f"{quotas}/plan", {"spec": {"hard": {"requests.memory": "8Gi"}}})
    until(sandbox, namespace, "web", "Running")


def test_a_machine_without_memory_is_accepted_and_fails_to_start(sandbox: Api, namespace: str) -> None:
    vm = machine("web")
    del vm["spec"]["template"]["spec"]["domain"]["memory"]
    sandbox.post(vm_path(namespace), vm)
    told = sandbox.wait(vm_path(namespace, "web"), lambda found: condition(found, "Failure").get("status") == "True")
    assert condition(told, "Failure")["reason"] == "FailedCreate"
    assert "no memory requested" in condition(told, "Failure")["message"]


def test_an_instance_type_sizes_the_machine(sandbox: Api, namespace: str) -> None:
    vm = machine("web")
    for key in ("memory", "cpu"):
        del vm["spec"]["template"]["spec"]["domain"][key]
    vm["spec"] |= {"instancetype": {"name": "u1.large"}, "preference": {"name": "fedora"}}
    sandbox.post(vm_path(namespace), vm)
    until(sandbox, namespace, "web", "Running")
    vmi = sandbox.get(vmi_path(namespace, "web"))
    assert vmi["status"]["memory"]["guestAtBoot"] == "8Gi"
    assert vmi["status"]["currentCPUTopology"] == {"cores": 1, "sockets": 2, "threads": 1}


def test_more_memory_reaches_a_running_machine_and_more_cores_ask_for_a_restart(sandbox: Api, namespace: str) -> None:
    sandbox.post(vm_path(namespace), machine("web"))
    until(sandbox, namespace, "web", "Running")

    def domain(**changes: object) -> None:
        code, answer = sandbox.patch(vm_path(namespace, "web"), {"spec": {"template": {"spec": {"domain": changes}}}})
        assert code == 200, answer

    domain(memory={"guest": "2Gi"})
    vmi = sandbox.wait(vmi_path(namespace, "web"), lambda found: found["status"]["memory"]["guestCurrent"] == "2Gi")
    assert vmi["status"]["memory"]["guestAtBoot"] == "1Gi"
    assert not condition(sandbox.get(vm_path(namespace, "web")), "RestartRequired")
    domain(cpu={"cores": 4})
    vm = sandbox.wait(vm_path(namespace, "web"), lambda found: bool(condition(found, "RestartRequired")))
    assert condition(vm, "RestartRequired")["message"] == "a non-live-updatable field was changed in the template spec"
    assert power(sandbox, namespace, "web", "restart") == 202
    sandbox.wait(
        vm_path(namespace, "web"),
        lambda found: not condition(found, "RestartRequired") and found["status"]["printableStatus"] == "Running",
    )
    assert sandbox.get(vmi_path(namespace, "web"))["status"]["currentCPUTopology"]["cores"] == 4
