"""A claim that was deleted while a pod used it goes when the pod does: whoever deleted it need not ask again."""

from __future__ import annotations

import time

from tests.clusters.sandbox.conftest import Sandbox, eventually

CLAIMS, PODS = ("/api/v1/namespaces/default/" + plural for plural in ("persistentvolumeclaims", "pods"))
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
SPEC = {
    "terminationGracePeriodSeconds": 0,
    "containers": [{"name": "c", "image": "i"}],
    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
}
POD = {"metadata": {"name": "user"}, "spec": SPEC | {"nodeName": "here"}}


def test_a_claim_goes_with_the_last_pod_that_used_it(sandbox: Sandbox) -> None:
    assert sandbox.call("POST", CLAIMS, CLAIM).status == 201
    assert sandbox.call("POST", PODS, POD).status == 201
    sandbox.call("DELETE", f"{CLAIMS}/data")
    time.sleep(0.4)  # its controllers have looked by then
    held = sandbox.call("GET", f"{CLAIMS}/data").body["metadata"]
    assert held["deletionTimestamp"]
    assert held["finalizers"] == ["kubernetes.io/pvc-protection"]
    sandbox.call("DELETE", f"{PODS}/user", {"gracePeriodSeconds": 0})
    eventually(lambda: sandbox.call("GET", f"{CLAIMS}/data").status == 404)


def test_a_claim_does_not_wait_for_a_pod_that_is_on_no_node(sandbox: Sandbox) -> None:
    assert sandbox.call("POST", CLAIMS, CLAIM).status == 201
    assert sandbox.call("POST", PODS, {"metadata": {"name": "user"}, "spec": SPEC}).status == 201
    sandbox.call("DELETE", f"{CLAIMS}/data")
    eventually(lambda: sandbox.call("GET", f"{CLAIMS}/data").status == 404)
    assert sandbox.call("GET", f"{PODS}/user").status == 200
