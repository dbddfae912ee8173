"""Promise: a namespace is gone only when all that was in it is gone (k8s-transcript 07, 12)."""

import time
from collections.abc import Callable

from tests.contract.conftest import MERGE, Cluster


def _eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def test_a_namespace_takes_what_is_in_it_along(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    made = cluster.call("POST", path, {"metadata": {"name": "held", "finalizers": ["example.org/hold"]}})
    assert made.status == 201
    assert cluster.call("DELETE", f"/api/v1/namespaces/{space}").body["status"]["phase"] == "Terminating"
    refused = cluster.call("POST", path, {"metadata": {"name": "late"}})
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    _eventually(lambda: "deletionTimestamp" in cluster.call("GET", f"{path}/held").body["metadata"])
    assert cluster.call("GET", f"/api/v1/namespaces/{space}").status == 200
    freed = cluster.call("PATCH", f"{path}/held", {"metadata": {"finalizers": None}}, media=MERGE)
    assert freed.status == 200
    _eventually(lambda: cluster.call("GET", f"/api/v1/namespaces/{space}").status == 404)
