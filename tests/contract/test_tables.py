"""Promise: lists and objects come as rows, as metadata or as YAML to who asks for it (k8s-transcript 03)."""

import pytest
import yaml

from tests.contract.conftest import Cluster
from tests.contract.things import config_map, made, maps, refusal, widget, widgets

SPOKEN = "only the following media types are accepted: application/json, application/yaml"

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


@pytest.mark.parametrize(
    ("path", "body", "columns", "cells"),
    [
        ("api/v1/namespaces/{}/services", {"spec": {"ports": [{"port": 80}], "clusterIP": "None", "selector": {"b": "c"}}},
         ["Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector"],
         ["ClusterIP", "None", "<none>", "80/TCP", "b=c"]),
        ("api/v1/namespaces/{}/persistentvolumeclaims",
         {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                   "storageClassName": "none-such"}},
         ["Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age", "VolumeMode"],
         ["Pending", "", "", "", "none-such", "<unset>", "Filesystem"]),
        ("apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
         {"spec": {"podSelector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["y", "x"]}]}}},
         ["Pod-Selector", "Age"], ["k in (x,y)"]),
        ("apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
         {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
          "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]},
         ["Role", "Age", "Users", "Groups", "ServiceAccounts"], ["Role/r", "u", "", "n/s"]),
        ("apis/coordination.k8s.io/v1/namespaces/{}/leases", {"spec": {"holderIdentity": "me"}}, ["Holder", "Age"], ["me"]),
    ],
)  # fmt: skip
def test_columns_of_built_in_kinds(  # noqa: PLR0917
    cluster: Cluster, space: str, path: str, body: dict[str, object], columns: list[str], cells: list[object]
) -> None:
    where = "/" + path.format(space)
    made(cluster, where, {"metadata": {"name": "a"}, **body})
    table = cluster.call("GET", f"{where}/a", headers=TABLE).body
    named = [column["name"] for column in table["columnDefinitions"]]
    assert named == ["Name", *columns]
    assert all(column["description"] for column in table["columnDefinitions"])
    age = named.index("Age")
    shown = table["rows"][0]["cells"]
    assert [*shown[:age], *shown[age + 1 :]] == ["a", *cells]


def test_a_kind_without_columns_says_when_it_was_made(cluster: Cluster, space: str) -> None:
    where = f"/api/v1/namespaces/{space}/limitranges"
    obj = made(cluster, where, {"metadata": {"name": "a"}, "spec": {"limits": []}})
    table = cluster.call("GET", where, headers=TABLE).body
    assert [(column["name"], column["type"]) for column in table["columnDefinitions"]] == [
        ("Name", "string"),
        ("Created At", "date"),
    ]
    assert table["rows"][0]["cells"] == ["a", obj["metadata"]["creationTimestamp"]]


def test_a_row_carries_what_there_is(cluster: Cluster, space: str) -> None:
    answer = cluster.call("GET", maps(space) + "?includeObject=All", headers=TABLE)
    why = "includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty"
    assert (answer.status, answer.body["message"]) == (400, f"Unable to convert to Table as requested: {why}")


def test_one_is_not_shown_as_many(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    one = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    many = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    text = "you requested PartialObjectMetadata, but the requested object is a list"
    listed = refusal(cluster.call("GET", maps(space), headers=one))
    assert listed == (406, "NotAcceptable", f"{text} (*core.ConfigMapList)")
    found = refusal(cluster.call("GET", widgets(space), headers=one))
    assert found == (406, "NotAcceptable", f"{text} (*unstructured.UnstructuredList)")
    single = refusal(cluster.call("GET", maps(space, "a"), headers=many))
    assert single[2].endswith("but the requested object is not a list (*core.ConfigMap)")


def test_the_older_table_is_served(cluster: Cluster, space: str) -> None:
    old = {"Accept": "application/json;as=Table;v=v1beta1;g=meta.k8s.io"}
    assert cluster.call("GET", widgets(space), headers=old).body["apiVersion"] == "meta.k8s.io/v1beta1"


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;as=Bogus;v=v1;g=meta.k8s.io", "application/json;v=v1"]
)
def test_who_accepts_nothing_is_told_before_anything_is_done(cluster: Cluster, space: str, accept: str) -> None:
    routed = "406: Not Acceptable\n\nAvailable representations: " if accept == "text/html" else SPOKEN
    code, reason, message = refusal(cluster.call("DELETE", maps(space, "none"), headers={"Accept": accept}))
    assert (code, reason, message.startswith(routed)) == (406, "NotAcceptable", True)
    assert refusal(cluster.call("DELETE", widgets(space, "none"), headers={"Accept": accept}))[2].startswith(SPOKEN)
