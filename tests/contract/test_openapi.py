"""Promise: the published schemas say what the server takes (k8s-transcript 01)."""

from typing import Any

import pytest

from tests.contract.conftest import Cluster
from tests.contract.things import GROUP, SPEC, VERSION

pytestmark = pytest.mark.usefixtures("kinds")


def kind_of(document: Any, kind: str) -> Any:
    schemas = document["components"]["schemas"].values()
    found = [s for s in schemas if any(gvk["kind"] == kind for gvk in s.get("x-kubernetes-group-version-kind", ()))]
    assert found, kind
    return found[0]


def resolved(document: Any, schema: Any) -> Any:
    """What a reference stands for."""
    for part in [schema, *schema.get("allOf", ())]:
        if "$ref" in part:
            return document["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return schema


def test_an_index_leads_to_each_version(cluster: Cluster) -> None:
    paths = cluster.call("GET", "/openapi/v3").body["paths"]
    assert {"api/v1", "apis/apps/v1", f"apis/{VERSION}"} <= set(paths)
    place = paths[f"apis/{VERSION}"]["serverRelativeURL"]
    assert place.startswith(f"/openapi/v3/apis/{VERSION}?hash=")
    assert cluster.call("GET", place).body["openapi"] == "3.0.0"


def test_a_definition_is_published_as_written(cluster: Cluster) -> None:
    document = cluster.call("GET", f"/openapi/v3/apis/{VERSION}").body
    widget = kind_of(document, "Widget")
    spec = widget["properties"]["spec"]
    assert (spec["required"], set(spec["properties"])) == (["size"], set(SPEC["properties"]))
    assert spec["properties"]["tier"]["enum"] == ["gold", "silver"]
    assert {"apiVersion", "kind", "metadata"} <= set(widget["properties"])
    patch = document["paths"][f"/apis/{VERSION}/namespaces/{{namespace}}/widgets/{{name}}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": GROUP, "version": "v1", "kind": "Widget"}
    assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= {p["name"] for p in patch["parameters"]}


def test_lists_tell_how_they_merge(cluster: Cluster) -> None:
    document = cluster.call("GET", "/openapi/v3/api/v1").body
    spec = resolved(document, kind_of(document, "Pod")["properties"]["spec"])
    containers = spec["properties"]["containers"]
    assert containers["x-kubernetes-list-type"] == "map"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert (containers["x-kubernetes-patch-merge-key"], containers["x-kubernetes-patch-strategy"]) == ("name", "merge")
    assert "name" in resolved(document, containers["items"])["required"]


def test_the_old_document_is_there(cluster: Cluster) -> None:
    body = cluster.call("GET", "/openapi/v2").body
    assert (body["swagger"], body["info"]["title"]) == ("2.0", "Kubernetes")
    kinds = [gvk["kind"] for d in body["definitions"].values() for gvk in d.get("x-kubernetes-group-version-kind", ())]
    assert {"ConfigMap", "Pod", "Widget"} <= set(kinds)
