"""Promise: a client finds every kind, its verbs and its subresources by asking (k8s-transcript 01)."""

from typing import Any

import pytest

from tests.contract.conftest import Cluster
from tests.contract.things import GROUP, VERSION, refusal

pytestmark = pytest.mark.usefixtures("kinds")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
ALL = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def rows(cluster: Cluster, path: str) -> dict[str, Any]:
    body = cluster.call("GET", path).body
    assert body["kind"] == "APIResourceList"
    return {row["name"]: row for row in body["resources"]}


def test_the_version(cluster: Cluster) -> None:
    body = cluster.call("GET", "/version").body
    assert (body["major"], body["gitVersion"].startswith("v1.")) == ("1", True)


def test_groups_come_in_the_servers_order(cluster: Cluster) -> None:
    assert cluster.call("GET", "/api").body["versions"] == ["v1"]
    groups = [group["name"] for group in cluster.call("GET", "/apis").body["groups"]]
    first = ["apiregistration.k8s.io", "apps", "autoscaling", "batch", "networking.k8s.io", "rbac.authorization.k8s.io"]
    assert [group for group in groups if group in {*first, GROUP}] == [*first, GROUP]
    one = cluster.call("GET", f"/apis/{GROUP}").body
    assert one["preferredVersion"] == {"groupVersion": VERSION, "version": "v1"}


@pytest.mark.parametrize(
    ("path", "name", "row"),
    [
        ("/api/v1", "configmaps", {"namespaced": True, "kind": "ConfigMap", "shortNames": ["cm"], "verbs": ALL}),
        ("/api/v1", "namespaces", {"namespaced": False, "verbs": [v for v in ALL if v != "deletecollection"]}),
        ("/api/v1", "namespaces/finalize", {"verbs": ["update"], "singularName": ""}),
        ("/api/v1", "bindings", {"verbs": ["create"]}),
        ("/api/v1", "pods", {"categories": ["all"], "shortNames": ["po"]}),
        ("/api/v1", "pods/eviction", {"group": "policy", "version": "v1", "kind": "Eviction"}),
        ("/api/v1", "serviceaccounts/token", {"group": "authentication.k8s.io", "kind": "TokenRequest"}),
        ("/apis/apps/v1", "deployments/scale", {"group": "autoscaling", "kind": "Scale"}),
        (f"/apis/{VERSION}", "widgets", {"singularName": "widget", "shortNames": ["wg"], "kind": "Widget"}),
        (f"/apis/{VERSION}", "widgets/status", {"verbs": ["get", "patch", "update"], "kind": "Widget"}),
        (f"/apis/{VERSION}", "widgets/scale", {"group": "autoscaling", "version": "v1", "kind": "Scale"}),
    ],
)
def test_a_resource_is_described(cluster: Cluster, path: str, name: str, row: dict[str, Any]) -> None:
    found = rows(cluster, path)[name]
    assert {key: found[key] for key in row} == row


def test_all_at_once(cluster: Cluster) -> None:
    answer = cluster.call("GET", "/apis", headers={"Accept": AGGREGATED})
    assert answer.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    groups = {item["metadata"]["name"]: item["versions"] for item in answer.body["items"]}
    (version,) = groups[GROUP]
    (widgets,) = version["resources"]
    assert version["freshness"] == "Current"
    assert (widgets["resource"], widgets["scope"], widgets["singularResource"]) == ("widgets", "Namespaced", "widget")
    assert sorted(sub["subresource"] for sub in widgets["subresources"]) == ["scale", "status"]


def test_an_aggregated_api_may_list_names_without_verbs(cluster: Cluster) -> None:
    """Clients that read verbs meet null there, also of what is no subresource."""
    listed = rows(cluster, "/apis/subresources.kubevirt.io/v1")
    for name in ("expand-vm-spec", "virtualmachines/start", "virtualmachineinstances/vnc/screenshot"):
        assert listed[name] == {"name": name, "singularName": "", "namespaced": True, "kind": "", "verbs": None}
    answer = cluster.call("GET", "/apis", headers={"Accept": AGGREGATED}).body["items"]
    versions = next(item["versions"] for item in answer if item["metadata"]["name"] == "subresources.kubevirt.io")
    resources = {row["resource"]: row for row in next(v for v in versions if v["version"] == "v1")["resources"]}
    assert set(resources) == {"expand-vm-spec", "virtualmachines", "virtualmachineinstances"}
    assert resources["expand-vm-spec"]["verbs"] is None
    assert "subresources" not in resources["expand-vm-spec"]
    below = {row["subresource"]: row["verbs"] for row in resources["virtualmachines"]["subresources"]}
    assert {"start", "stop", "restart", "evacuate/cancel"} <= set(below)
    assert set(below.values()) == {None}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_open_to_all(cluster: Cluster, path: str) -> None:
    answer = cluster.http.request("GET", cluster.url + path)
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"ok", "text/plain; charset=utf-8")
    assert cluster.call("GET", "/readyz/ping").text == "ok"
    told = cluster.call("GET", "/readyz?verbose").text
    assert told.startswith("[+]ping ok\n")
    assert told.endswith("readyz check passed\n")


def test_a_stranger_sees_no_more(cluster: Cluster) -> None:
    stranger = cluster.http.request("GET", cluster.url + "/api")
    assert stranger.status == 403
    assert b'User \\"system:anonymous\\" cannot get path \\"/api\\"' in stranger.data
    bad = cluster.http.request("GET", cluster.url + "/api", headers={"Authorization": "Bearer wrong"})
    assert bad.status == 401


def test_only_reading(cluster: Cluster) -> None:
    assert refusal(cluster.call("POST", "/api", {}))[:2] == (405, "MethodNotAllowed")
