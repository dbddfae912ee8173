"""Promise: status and intent are written apart, and the generation counts changes of intent only (k8s-transcript 06)."""

from typing import Any

import pytest

from tests.contract.conftest import JSON_PATCH, MERGE, Cluster
from tests.contract.things import GROUP, made, refusal, version, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")


def generation(obj: Any) -> int:
    return int(obj["metadata"]["generation"])


@pytest.mark.parametrize(
    ("below", "patch", "counted"),
    [
        ("", {"spec": {"size": 2}}, True),
        ("", {"metadata": {"labels": {"a": "b"}}}, False),
        ("", {"status": {"phase": "x"}}, False),
        ("", {"spec": {"size": 1}}, False),
        ("/status", {"status": {"phase": "x"}}, False),
    ],
)
def test_only_intent_counts(cluster: Cluster, space: str, below: str, patch: Any, counted: bool) -> None:
    made(cluster, widgets(space), widget("a"))
    answer = cluster.call("PATCH", widgets(space, "a") + below, patch, media=MERGE)
    assert generation(answer.body) == (2 if counted else 1)


def test_each_side_ignores_the_other(cluster: Cluster, space: str) -> None:
    first = made(cluster, widgets(space), widget("a"))
    ignored = cluster.call("PATCH", widgets(space, "a"), {"status": {"phase": "x"}}, media=MERGE).body
    assert ("status" in ignored, version(ignored)) == (False, version(first))
    body = {**first, "spec": {"size": 9}, "status": {"phase": "up", "replicas": 2}}
    body["metadata"] = {**first["metadata"], "labels": {"not": "here"}}
    put = cluster.call("PUT", widgets(space, "a") + "/status", body).body
    assert (put["spec"]["size"], put["status"], "labels" in put["metadata"]) == (
        1,
        {"phase": "up", "replicas": 2},
        False,
    )
    assert cluster.call("GET", widgets(space, "a") + "/status").body == put
    stale = cluster.call("PUT", widgets(space, "a") + "/status", body)
    assert refusal(stale)[:2] == (409, "Conflict")


def test_a_json_patch_adds_a_status_where_none_is(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    patch = [{"op": "add", "path": "/status", "value": {"phase": "x"}}]
    answer = cluster.call("PATCH", widgets(space, "a") + "/status", patch, media=JSON_PATCH)
    assert answer.body["status"] == {"phase": "x"}


def test_a_status_is_judged_by_its_schema(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    answer = cluster.call("PATCH", widgets(space, "a") + "/status", {"status": {"replicas": "x"}}, media=MERGE)
    errors = [
        'status.replicas: Invalid value: "string": replicas in body must be of type integer: "string"',
        ".status.replicas: Invalid value: 0: .status.replicas accessor error: x is of the type string, expected int64",
    ]
    assert refusal(answer) == (422, "Invalid", f'Widget.{GROUP} "a" is invalid: [{", ".join(errors)}]')
    missing = cluster.call("PATCH", widgets(space, "no") + "/status", {}, media=MERGE)
    assert refusal(missing) == (404, "NotFound", f'widgets.{GROUP} "no" not found')


def test_a_scale_is_a_view_of_two_numbers(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a", replicas=3))
    scale = cluster.call("GET", widgets(space, "a") + "/scale").body
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 3})
    assert scale["status"] == {"replicas": 0}
    put = cluster.call("PUT", widgets(space, "a") + "/scale", {**scale, "spec": {"replicas": 5}})
    assert put.body["spec"] == {"replicas": 5}
    assert cluster.call("GET", widgets(space, "a")).body["spec"]["replicas"] == 5
    patched = cluster.call("PATCH", widgets(space, "a") + "/scale", {"spec": {"replicas": 6}}, media=MERGE)
    assert patched.body["spec"] == {"replicas": 6}


def test_the_servers_own_kinds_have_a_status_too(cluster: Cluster, space: str) -> None:
    found = cluster.call("GET", f"/api/v1/namespaces/{space}/status").body
    assert (found["kind"], found["status"]["phase"]) == ("Namespace", "Active")


def test_parts_of_a_custom_resource(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a", replicas=2))
    path = widgets(space, "a")
    assert refusal(cluster.call("GET", f"{path}/none")) == (404, "NotFound", f'widgets.{GROUP} "a" not found')
    for method, verb in (("POST", "create"), ("DELETE", "delete")):
        text = f'{verb} is not supported on resources of kind "widgets.{GROUP}"'
        assert refusal(cluster.call(method, f"{path}/scale", widget("a"))) == (405, "MethodNotAllowed", text)
    wrong = cluster.call("PATCH", f"{path}/scale", {"spec": {"replicas": "3"}}, media=MERGE)
    assert refusal(wrong)[2].endswith(
        "cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32"
    )
    assert cluster.call("PUT", f"{path}/scale", {**widget("a")}).status == 400


def test_a_status_that_is_no_object(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    answer = cluster.call("PATCH", widgets(space, "a") + "/status", {"status": 5}, media=MERGE)
    text = ".status.replicas accessor error: 5 is of the type int64, expected map[string]interface{}"
    assert text in refusal(answer)[2]
