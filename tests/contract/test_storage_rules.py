"""Promise: claims and storage classes that make no sense are refused, and what is settled stays."""

import time
from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import eventually, made, refusal

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
GROUPLESS = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"


def claims(space: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{space}/persistentvolumeclaims" + (f"/{name}" if name else "")


def claim(name: str, **spec: Any) -> dict[str, Any]:
    given = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": given}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"volumeMode": "Tape"}, 'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'),
        ({"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
         "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"),
        ({"resources": {"requests": {"storage": "0"}}},
         'spec.resources[storage]: Invalid value: "0": must be greater than zero'),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}},
         'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator'),
        ({"dataSourceRef": {"kind": "Secret", "name": "x"}},
         (f'[spec.dataSource: Invalid value: "Secret": {GROUPLESS}, '
         f'spec.dataSourceRef: Invalid value: "Secret": {GROUPLESS}]')),
    ],
)  # fmt: skip
def test_a_claim_that_makes_no_sense(cluster: Cluster, space: str, spec: dict[str, Any], said: str) -> None:
    answer = cluster.call("POST", claims(space), claim("c", **spec))
    assert refusal(answer) == (422, "Invalid", f'PersistentVolumeClaim "c" is invalid: {said}')


def test_both_fields_name_the_source(cluster: Cluster, space: str) -> None:
    plain = {"apiGroup": None, "kind": "PersistentVolumeClaim", "name": "x"}
    old = made(cluster, claims(space), claim("old", dataSource={"kind": plain["kind"], "name": "x"}))["spec"]
    assert (old["dataSource"], old["dataSourceRef"]) == (plain, plain)
    other = {"apiGroup": "a.example", "kind": "Populator", "name": "x"}
    new = made(cluster, claims(space), claim("new", dataSourceRef=other))["spec"]
    assert (new["dataSource"], new["dataSourceRef"]) == (other, other)
    dropped = made(cluster, claims(space), claim("dropped", dataSource=other))["spec"]
    assert not {"dataSource", "dataSourceRef"} & set(dropped)


def test_part_of_a_byte_is_warned_of(cluster: Cluster, space: str) -> None:
    answer = cluster.call("POST", claims(space), claim("c", resources={"requests": {"storage": "1500m"}}))
    text = 'spec.resources.requests[storage]: fractional byte value \\"1500m\\" is invalid, must be an integer'
    assert (answer.status, answer.headers.get("Warning")) == (201, f'299 - "{text}"')


def test_the_volume_mode_stays(cluster: Cluster, space: str) -> None:
    made(cluster, claims(space), claim("c"))
    answer = cluster.call("PATCH", claims(space, "c"), {"spec": {"volumeMode": "Block"}}, media=MERGE)
    assert answer.status == 422
    causes = answer.body["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["spec", "volumeMode"]
    assert causes[1]["message"] == 'Invalid value: "Block": field is immutable'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "provisioner: Required value"),
        ({"provisioner": "p", "reclaimPolicy": "Recycle"},
         'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'),
        ({"provisioner": "p", "volumeBindingMode": "Late"},
         'volumeBindingMode: Unsupported value: "Late": supported values: "Immediate", "WaitForFirstConsumer"'),
    ],
)  # fmt: skip
def test_a_class_that_makes_no_sense(cluster: Cluster, given: dict[str, str], said: str) -> None:
    answer = cluster.call("POST", CLASSES, {"metadata": {"name": "contract-x"}, **given})
    assert refusal(answer) == (422, "Invalid", f'StorageClass.storage.k8s.io "contract-x" is invalid: {said}')


def test_a_class_stays_as_it_was_made(cluster: Cluster, space: str) -> None:
    made(cluster, CLASSES, {"metadata": {"name": space}, "provisioner": "a.example/b"})
    change = {"provisioner": "c", "volumeBindingMode": "WaitForFirstConsumer"}
    answer = cluster.call("PATCH", f"{CLASSES}/{space}", change, media=MERGE)
    said = 'provisioner: Invalid value: "c": field is immutable, '
    said += 'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'
    assert refusal(answer)[2] == f'StorageClass.storage.k8s.io "{space}" is invalid: [{said}]'
    assert cluster.call("PATCH", f"{CLASSES}/{space}", {"allowVolumeExpansion": True}, media=MERGE).status == 200
    cluster.call("DELETE", f"{CLASSES}/{space}")


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_a_claim_stays_while_a_pod_on_a_node_mounts_it(cluster: Cluster, space: str, phase: str) -> None:
    """One that has ended keeps it, too (pvc_protection_controller.go)."""
    made(cluster, claims(space), claim("c"))
    spec = {
        "nodeName": "nowhere",
        "containers": [{"name": "a", "image": "busybox"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    }
    pods = f"/api/v1/namespaces/{space}/pods"
    made(cluster, pods, {"metadata": {"name": "p"}, "spec": spec})
    status = cluster.call("PATCH", f"{pods}/p/status", {"status": {"phase": phase}}, media=MERGE)
    assert status.status == 200, status.text
    finalizers = ["kubernetes.io/pvc-protection"]
    eventually(lambda: cluster.call("GET", claims(space, "c")).body["metadata"].get("finalizers") == finalizers)
    assert cluster.call("DELETE", claims(space, "c")).status == 200
    time.sleep(1)
    assert cluster.call("GET", claims(space, "c")).body["metadata"]["finalizers"] == finalizers
    assert cluster.call("DELETE", f"{pods}/p", {"gracePeriodSeconds": 0}).status == 200
    eventually(lambda: cluster.call("GET", claims(space, "c")).status == 404)
