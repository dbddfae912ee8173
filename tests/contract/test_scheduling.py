"""Promise: a machine runs on a node that has room for it, or says why none has."""

from tests.contract.machines import Space, condition, data_volume, machine

IMMEDIATE = {"name": "data", "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}}


def test_the_machine_tells_its_node(here: Space) -> None:
    here.make("virtualmachines", machine("web"))
    vmi = here.instance("web")
    node = here.cluster.call("GET", f"/api/v1/nodes/{vmi['status']['nodeName']}")
    assert node.body["metadata"]["labels"]["kubevirt.io/schedulable"] == "true"
    assert vmi["metadata"]["labels"]["kubevirt.io/nodeName"] == vmi["status"]["nodeName"]
    assert here.launchers("web")[0]["spec"]["nodeName"] == vmi["status"]["nodeName"]


def test_a_machine_larger_than_every_node_is_unschedulable(here: Space) -> None:
    here.make("virtualmachines", machine("huge", memory="100Ti"))
    vm = here.printed("huge", "ErrorUnschedulable")
    told = condition(vm, "PodScheduled")
    assert told["reason"] == "Unschedulable"
    assert told["message"].startswith("0/")
    assert "Insufficient memory" in told["message"]
    pod = here.launchers("huge")[0]
    assert pod["status"]["phase"] == "Pending"
    assert here.told("Pod", pod["metadata"]["name"], "FailedScheduling")["type"] == "Warning"


def test_a_node_selector_that_no_node_has(here: Space) -> None:
    vm = machine("web")
    vm["spec"]["template"]["spec"]["nodeSelector"] = {"contract.example.org/there": "no"}
    here.make("virtualmachines", vm)
    told = condition(here.printed("web", "ErrorUnschedulable"), "PodScheduled")
    assert "node(s) didn't match Pod's node affinity/selector" in told["message"]


def test_a_claim_on_its_way_out_keeps_a_machine_off_every_node(here: Space) -> None:
    here.make("datavolumes", data_volume("data", {"blank": {}}) | {"metadata": IMMEDIATE})
    here.until("datavolumes", "data", lambda disk: disk.get("status", {}).get("phase") == "Succeeded")
    claim = here.get("persistentvolumeclaims", "data")
    kept = [*claim["metadata"]["finalizers"], "contract.example.org/kept"]
    assert here.patch("persistentvolumeclaims", "data", {"metadata": {"finalizers": kept}}).status == 200
    here.delete("persistentvolumeclaims", "data")
    try:
        vm = machine("web")
        spec = vm["spec"]["template"]["spec"]
        spec["volumes"] = [{"name": "root", "persistentVolumeClaim": {"claimName": "data"}}]
        here.make("virtualmachines", vm)
        told = condition(here.printed("web", "ErrorUnschedulable"), "PodScheduled")
        assert 'persistentvolumeclaim "data" is being deleted' in told["message"]
        assert "nodeName" not in here.launchers("web")[0]["spec"]
    finally:
        here.patch("persistentvolumeclaims", "data", {"metadata": {"finalizers": None}})


def test_required_affinity_picks_the_node(here: Space) -> None:
    nodes = here.cluster.call("GET", "/api/v1/nodes?labelSelector=kubevirt.io%2Fschedulable%3Dtrue").body["items"]
    host = nodes[-1]["metadata"]["labels"]["kubernetes.io/hostname"]
    vm = machine("web")
    rule = {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
    vm["spec"]["template"]["spec"]["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
    }
    here.make("virtualmachines", vm)
    assert here.instance("web")["status"]["nodeName"] == nodes[-1]["metadata"]["name"]
