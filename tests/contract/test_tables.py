"""Promise: lists and objects come as rows, as metadata or as YAML to who asks for it (k8s-transcript 03)."""

import pytest
import yaml

from tests.contract.conftest import Cluster
from tests.contract.things import config_map, made, maps, widget, widgets

PARTIAL = "PartialObjectMetadata"
pytestmark = pytest.mark.usefixtures("kinds")
INCLUDES = [("", PARTIAL), ("Metadata", PARTIAL), ("Object", "Widget"), ("None", None)]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.mark.parametrize(("include", "kind"), INCLUDES)
def test_rows_of_a_custom_kind(cluster: Cluster, space: str, include: str, kind: str | None) -> None:
    made(cluster, widgets(space), widget("a", size=5))
    query = f"?includeObject={include}" if include else ""
    table = cluster.call("GET", widgets(space) + query, headers=TABLE).body
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Phase"]
    (row,) = table["rows"]
    assert row["cells"] == ["a", 5, None]
    assert (row.get("object") or {}).get("kind") == kind
    one = cluster.call("GET", widgets(space, "a"), headers=TABLE).body
    assert one["rows"][0]["cells"] == row["cells"]


@pytest.mark.parametrize(
    ("path", "body", "columns", "cells"),
    [
        ("configmaps", config_map("a", x="1", y="2"), ["Name", "Data", "Age"], ["a", 2]),
        ("secrets", {"metadata": {"name": "a"}, "stringData": {"k": "v"}}, ["Name", "Type", "Data", "Age"],
         ["a", "Opaque", 1]),
    ],
)  # fmt: skip
def test_rows_of_a_built_in_kind(  # noqa: PLR0917
    cluster: Cluster, space: str, path: str, body: object, columns: list[str], cells: list[object]
) -> None:
    where = f"/api/v1/namespaces/{space}/{path}"
    made(cluster, where, body)
    table = cluster.call("GET", f"{where}?fieldSelector=metadata.name%3Da", headers=TABLE).body
    assert [column["name"] for column in table["columnDefinitions"]] == columns
    assert table["rows"][0]["cells"][: len(cells)] == cells


def test_metadata_alone(cluster: Cluster, space: str) -> None:
    obj = made(cluster, widgets(space), widget("a", {"labels": {"x": "y"}}))
    accept = "application/json;as=PartialObjectMetadata{};v=v1;g=meta.k8s.io"
    one = cluster.call("GET", widgets(space, "a"), headers={"Accept": accept.format("")}).body
    assert one == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    several = cluster.call("GET", widgets(space), headers={"Accept": accept.format("List")}).body
    assert (several["kind"], several["items"]) == ("PartialObjectMetadataList", [one])


def test_yaml_for_who_asks(cluster: Cluster, space: str) -> None:
    obj = made(cluster, maps(space), config_map("a", number="7", text="two\nlines\n", empty=""))
    answer = cluster.call("GET", maps(space, "a"), headers={"Accept": "application/yaml"})
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.text) == obj
    assert answer.text.startswith('apiVersion: v1\ndata:\n  empty: ""\n  number: "7"\n  text: |\n    two\n    lines\n')
    missing = cluster.call("GET", maps(space, "b"), headers={"Accept": "application/yaml"})
    assert yaml.safe_load(missing.text)["reason"] == "NotFound"
