"""Promise: no namespace gets more than its quota, and every pod and claim keeps within its range (k8s-transcript 09)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.conftest import Cluster
from tests.contract.things import applied, config_map, eventually, made, maps, refusal, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")
RANGE = [
    {
        "type": "Container",
        "default": {"cpu": "500m", "memory": "256Mi"},
        "defaultRequest": {"cpu": "100m"},
        "max": {"cpu": "2"},
        "min": {"cpu": "50m"},
    },
    {"type": "Pod", "max": {"memory": "1Gi"}},
    {"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}, "min": {"storage": "1Gi"}},
]


def quota(cluster: Cluster, space: str, name: str = "plan", **hard: str) -> None:
    """A quota, in force."""
    path = f"/api/v1/namespaces/{space}/resourcequotas"
    listed = {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}
    body = made(cluster, path, {"metadata": {"name": name}, "spec": {"hard": listed}})
    assert body["status"] == {}
    eventually(lambda: "used" in cluster.call("GET", f"{path}/{name}").body["status"])


def pod(name: str, requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]}}


def claim(name: str, size: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": name}, "spec": spec}


def test_a_pod_is_charged_and_refused(cluster: Cluster, space: str) -> None:
    quota(cluster, space, requests_cpu="1", requests_memory="1Gi", limits_memory="2Gi", pods="2")
    path = f"/api/v1/namespaces/{space}/pods"
    silent = refusal(cluster.call("POST", path, pod("p")))
    needs = "must specify limits.memory for: c; requests.cpu for: c; requests.memory for: c"
    assert silent == (403, "Forbidden", f'pods "p" is forbidden: failed quota: plan: {needs}')
    big = pod("p", {"cpu": "1500m", "memory": "2Gi"}, {"memory": "4Gi"})
    asked = "requested: limits.memory=4Gi,requests.cpu=1500m,requests.memory=2Gi"
    used = "used: limits.memory=0,requests.cpu=0,requests.memory=0"
    most = "limited: limits.memory=2Gi,requests.cpu=1,requests.memory=1Gi"
    why = f"exceeded quota: plan, {asked}, {used}, {most}"
    for query in ("", "?dryRun=All"):
        assert refusal(cluster.call("POST", path + query, big)) == (403, "Forbidden", f'pods "p" is forbidden: {why}')
    made(cluster, path, pod("p", {"cpu": "600m", "memory": "512Mi"}, {"memory": "512Mi"}))
    status = cluster.call("GET", f"/api/v1/namespaces/{space}/resourcequotas/plan").body["status"]
    assert status["used"] == {"limits.memory": "512Mi", "pods": "1", "requests.cpu": "600m", "requests.memory": "512Mi"}


def test_any_kind_can_be_counted(cluster: Cluster, space: str) -> None:
    quota(cluster, space, **{"count/widgets.contract.example.org": "2"})
    for name in "ab":
        made(cluster, widgets(space), widget(name))
    count = "count/widgets.contract.example.org"
    why = f"exceeded quota: plan, requested: {count}=1, used: {count}=2, limited: {count}=2"
    text = f'widgets.contract.example.org "c" is forbidden: {why}'
    assert refusal(cluster.call("POST", widgets(space), widget("c"))) == (403, "Forbidden", text)
    assert refusal(applied(cluster, widgets(space, "c"), widget("c"))) == (403, "Forbidden", text)
    assert applied(cluster, widgets(space, "a"), widget("a", {"labels": {"x": "y"}}), force="true").status == 200
    cluster.call("DELETE", widgets(space, "a"))
    # A controller that has only just heard of the kind begins to watch it after half a minute.
    eventually(lambda: cluster.call("POST", widgets(space), widget("c")).status == 201, 90)


def test_thirty_at_once_get_five(cluster: Cluster, space: str) -> None:
    quota(cluster, space, **{"count/widgets.contract.example.org": "5"})
    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(lambda i: cluster.call("POST", widgets(space), widget(f"w{i}")).status, range(30)))
    assert sorted(codes) == [201] * 5 + [403] * 25


def test_storage_is_charged(cluster: Cluster, space: str) -> None:
    quota(cluster, space, requests_storage="10Gi", persistentvolumeclaims="1")
    path = f"/api/v1/namespaces/{space}/persistentvolumeclaims"
    assert "requested: requests.storage=20Gi" in refusal(cluster.call("POST", path, claim("a", "20Gi")))[2]
    made(cluster, path, claim("a", "5Gi"))
    assert "requested: persistentvolumeclaims=1" in refusal(cluster.call("POST", path, claim("b", "1Gi")))[2]


def test_what_is_over_may_stay(cluster: Cluster, space: str) -> None:
    for name in "abc":
        made(cluster, maps(space), config_map(name))
    quota(cluster, space, **{"count/configmaps": "1"})
    assert cluster.call("PUT", maps(space, "a"), config_map("a", k="v")).status == 200
    assert refusal(cluster.call("POST", maps(space), config_map("d")))[0] == 403


def test_a_scope_that_does_not_fit(cluster: Cluster, space: str) -> None:
    body = {"metadata": {"name": "bad"}, "spec": {"hard": {"configmaps": "1"}, "scopes": ["BestEffort"]}}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/resourcequotas", body)
    why = 'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'
    assert refusal(answer) == (422, "Invalid", f'ResourceQuota "bad" is invalid: {why}')


def test_a_range_fills_and_bounds(cluster: Cluster, space: str) -> None:
    made(cluster, f"/api/v1/namespaces/{space}/limitranges", {"metadata": {"name": "r"}, "spec": {"limits": RANGE}})
    path, claims = f"/api/v1/namespaces/{space}/pods", f"/api/v1/namespaces/{space}/persistentvolumeclaims"
    filled = made(cluster, path, pod("d"))
    resources = filled["spec"]["containers"][0]["resources"]
    assert resources == {
        "limits": {"cpu": "500m", "memory": "256Mi"},
        "requests": {"cpu": "100m", "memory": "256Mi"},
    }
    assert "kubernetes.io/limit-ranger" in filled["metadata"]["annotations"]
    refused = [
        (path, pod("e", None, {"cpu": "3", "memory": "2Gi"}),
         ('pods "e" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, '
         "maximum memory usage per Pod is 1Gi, but limit is 2Gi]")),
        (claims, claim("x", "20Gi"), ('persistentvolumeclaims "x" is forbidden: maximum storage usage per '
         "PersistentVolumeClaim is 10Gi, but request is 20Gi")),
        (claims, claim("x", "100Mi"), ('persistentvolumeclaims "x" is forbidden: minimum storage usage per '
         "PersistentVolumeClaim is 1Gi, but request is 100Mi")),
    ]  # fmt: skip
    for where, body, text in refused:
        assert refusal(cluster.call("POST", where, body)) == (403, "Forbidden", text)


def test_a_pod_gets_its_account(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/pods"
    eventually(lambda: cluster.call("GET", f"/api/v1/namespaces/{space}/serviceaccounts/default").status == 200)
    spec = made(cluster, path, pod("p"))["spec"]
    assert (spec["serviceAccountName"], spec["priority"]) == ("default", 0)
    (volume,) = spec["volumes"]
    assert spec["containers"][0]["volumeMounts"][0]["name"] == volume["name"]
    assert [t["key"] for t in spec["tolerations"]] == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    strange = {**pod("q"), "spec": {**pod("q")["spec"], "serviceAccountName": "none"}}
    text = f'pods "q" is forbidden: error looking up service account {space}/none: serviceaccount "none" not found'
    assert refusal(cluster.call("POST", path, strange)) == (403, "Forbidden", text)


def test_two_containers_with_the_same_fault_are_told_once(cluster: Cluster, space: str) -> None:
    limit = {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}
    made(
        cluster,
        f"/api/v1/namespaces/{space}/limitranges",
        {"metadata": {"name": "ratio"}, "spec": {"limits": [limit]}},
    )
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": name, "image": "x"} for name in "ab"]}}
    said = 'pods "p" is forbidden: cpu max limit to request ratio per Container is 2, but no request is specified'

    def refused() -> bool:
        answer = cluster.call("POST", f"/api/v1/namespaces/{space}/pods?dryRun=All", pod)
        return answer.status == 403 and answer.body["message"].startswith(said)

    eventually(refused)
