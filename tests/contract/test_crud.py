"""Promise: an object is made, read, replaced and refused the way Kubernetes does it (k8s-transcript 02)."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import (
    GROUP,
    VERSION,
    config_map,
    made,
    maps,
    refusal,
    version,
    widget,
    widgets,
)

pytestmark = pytest.mark.usefixtures("kinds")
UNVERSIONED = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
STALE = "the object has been modified; please apply your changes to the latest version and try again"
OTHER_VERSION = (
    "the API version in the data (contract.example.org/v2) does not match the expected "
    "API version (contract.example.org/v1)"
)
QUANTITIES = [("2048Mi", "2Gi"), ("1.5", "1500m"), ("2000m", "2"), ("1e3", "1e3"), ("0.5Gi", "512Mi")]


def test_a_new_object_carries_what_the_server_gives_it(cluster: Cluster, space: str) -> None:
    body = made(cluster, widgets(space), {**widget("a", ports=[{"name": "http"}]), "status": {"phase": "mine"}})
    assert body["spec"] == {"size": 1, "tier": "silver", "ports": [{"name": "http", "proto": "TCP"}]}
    assert "status" not in body
    assert body["metadata"]["generation"] == 1
    assert body["metadata"]["namespace"] == space
    (entry,) = body["metadata"]["managedFields"]
    assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == ("Update", VERSION, "FieldsV1")
    assert cluster.call("GET", widgets(space, "a")).body == body
    core = made(cluster, maps(space), {"metadata": {"name": "b"}, "data": {"k": "v"}})
    assert (core["kind"], core["apiVersion"], "generation" in core["metadata"]) == ("ConfigMap", "v1", False)


def test_a_generated_name_begins_as_asked(cluster: Cluster, space: str) -> None:
    names = {made(cluster, maps(space), {"metadata": {"generateName": "g-"}})["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("g-") and len(name) == 7 for name in names)
    long = made(cluster, maps(space), {"metadata": {"generateName": "x" * 70}})["metadata"]["name"]
    assert (len(long), long.startswith("x" * 58)) == (63, True)
    bad = cluster.call("POST", maps(space), {"metadata": {"generateName": "Big-"}})
    assert bad.status == 422
    assert 'metadata.generateName: Invalid value: "Big-"' in bad.body["message"]


def test_some_kinds_are_made_by_a_put(cluster: Cluster, space: str) -> None:
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases/l"
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert cluster.call("PUT", lease, body).status == 201
    unsaid = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    again = refusal(cluster.call("PUT", lease, body))
    assert again == (422, "Invalid", f'leases.coordination.k8s.io "l" is invalid: {unsaid}')
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/roles/r"
    assert cluster.call("PUT", role, {"metadata": {"name": "r"}, "rules": []}).status == 201
    secret = cluster.call("PUT", f"/api/v1/namespaces/{space}/secrets/s", {"metadata": {"name": "s"}})
    assert refusal(secret) == (404, "NotFound", 'secrets "s" not found')


def test_a_namespace_is_in_none(cluster: Cluster) -> None:
    answer = cluster.call("POST", "/api/v1/namespaces?dryRun=All", {"metadata": {"name": "n", "namespace": "other"}})
    assert (answer.status, "namespace" in answer.body["metadata"]) == (201, False)


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("GET {maps}/no", None, (404, "NotFound", 'configmaps "no" not found')),
        ("GET {widgets}/no", None, (404, "NotFound", f'widgets.{GROUP} "no" not found')),
        ("DELETE {widgets}/no", None, (404, "NotFound", f'widgets.{GROUP} "no" not found')),
        ("PUT {maps}/no", config_map("no"), (404, "NotFound", 'configmaps "no" not found')),
        ("POST {maps}", config_map("one"), (409, "AlreadyExists", 'configmaps "one" already exists')),
        ("POST /api/v1/namespaces/nowhere/configmaps", config_map("a"),
         (404, "NotFound", 'namespaces "nowhere" not found')),
        ("POST {maps}/one", config_map("one"),
         (405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
        ("PUT {maps}", config_map("one"),
         (405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
        ("DELETE /api/v1/namespaces", None,
         (405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
        ("PUT {maps}/one", config_map("two"),
         (400, "BadRequest", "the name of the object (two) does not match the name on the URL (one)")),
        ("POST {maps}", config_map("a", {"namespace": "elsewhere"}),
         (400, "BadRequest",
          "the namespace of the provided object does not match the namespace sent on the request")),
        ("POST {maps}", config_map("a", {"resourceVersion": "5"}),
         (500, None, "resourceVersion should not be set on objects to be created")),
        ("POST {maps}", {"metadata": {}},
         (422, "Invalid",
          'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required')),
        ("PUT {widgets}/wide", widget("wide"),
         (422, "Invalid", f'widgets.{GROUP} "wide" is invalid: {UNVERSIONED}')),
        ("PUT {maps}/one", config_map("one", {"resourceVersion": "1"}),
         (409, "Conflict", f'Operation cannot be fulfilled on configmaps "one": {STALE}')),
        ("POST {widgets}", {**widget("a"), "apiVersion": "contract.example.org/v2"},
         (400, "BadRequest", OTHER_VERSION)),
    ],
)  # fmt: skip
def test_it_refuses(cluster: Cluster, space: str, verb: str, body: Any, said: tuple[int, str | None, str]) -> None:
    method, path = verb.split()
    made(cluster, maps(space), config_map("one"))
    made(cluster, widgets(space), widget("wide"))
    answer = cluster.call(method, path.format(maps=maps(space), widgets=widgets(space)), body)
    assert refusal(answer) == said


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"size": 0}, ["spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"]),
        ({"size": 101}, ["spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100"]),
        ({"size": "big"},
         ['spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"']),
        ({"tier": "bronze"},
         ['spec.tier: Unsupported value: "bronze": supported values: "gold", "silver"']),
        ({"color": "x" * 11}, ["spec.color: Too long: may not be more than 10 bytes"]),
        ({"color": "Red"}, ["spec.color: Invalid value: \"Red\": spec.color in body should match '^[a-z]+$'"]),
        ({"ports": [{}]}, ["spec.ports[0].name: Required value"]),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, ['spec.ports[1]: Duplicate value: {"name":"a"}']),
        ({"tags": ["a", "a"]}, ['spec.tags[1]: Duplicate value: "a"']),
        ({"replicas": -1}, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]),
    ],
)  # fmt: skip
def test_a_schema_is_kept(cluster: Cluster, space: str, spec: dict[str, Any], errors: list[str]) -> None:
    answer = cluster.call("POST", widgets(space), widget("bad", **spec))
    listed = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
    assert refusal(answer) == (422, "Invalid", f'Widget.{GROUP} "bad" is invalid: {listed}')
    details = answer.body["details"]
    assert (details["name"], details["group"], details["kind"]) == ("bad", GROUP, "Widget")
    assert [f"{cause['field']}: {cause['message']}" for cause in details["causes"]] == errors


@pytest.mark.parametrize("path", [maps, widgets])
def test_what_changes_nothing_writes_nothing(cluster: Cluster, space: str, path: Any) -> None:
    body = made(cluster, path(space), (config_map if path is maps else widget)("a"))
    again = cluster.call("PUT", path(space, "a"), body)
    assert (again.status, version(again.body)) == (200, version(body))
    labelled = {**body, "metadata": {**body["metadata"], "labels": {"x": "y"}}}
    changed = cluster.call("PUT", path(space, "a"), labelled)
    assert version(changed.body) > version(body)
    assert refusal(cluster.call("PUT", path(space, "a"), labelled))[1] == "Conflict"


@pytest.mark.parametrize(
    ("validation", "status", "warned"), [("Strict", 400, False), ("Warn", 201, True), ("", 201, True), ("Ignore", 201, False)]
)  # fmt: skip
def test_unknown_fields(cluster: Cluster, space: str, validation: str, status: int, warned: bool) -> None:
    query = f"?fieldValidation={validation}" if validation else ""
    custom = cluster.call("POST", widgets(space) + query, widget("a", nope=1, ports=[{"name": "p", "zz": 2}]))
    core = cluster.call("POST", maps(space) + query, {**config_map("a"), "nope": 1})
    assert (custom.status, core.status) == (status, status)
    fields = ['unknown field "spec.nope"', 'unknown field "spec.ports[0].zz"']
    if status == 400:
        why = f"strict decoding error: {', '.join(fields)}"
        assert custom.body["message"] == f'Widget in version "v1" cannot be handled as a Widget: {why}'
        return
    assert custom.body["spec"] == {"size": 1, "tier": "silver", "ports": [{"name": "p", "proto": "TCP"}]}
    expected = [f'299 - "{field}"'.replace('"s', '\\"s').replace('""', '\\""') for field in fields] if warned else []
    assert custom.headers.getlist("Warning") == expected
    assert core.headers.getlist("Warning") == (['299 - "unknown field \\"nope\\""'] if warned else [])


@pytest.mark.parametrize("verb", ["POST", "PUT"])
def test_a_field_that_comes_twice(cluster: Cluster, space: str, verb: str) -> None:
    path = maps(space) if verb == "POST" else maps(space, "twice")
    raw = b'{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}'
    if verb == "PUT":
        made(cluster, maps(space), config_map("twice"))
    strict = cluster.call(verb, f"{path}?fieldValidation=Strict", raw)
    why = 'strict decoding error: duplicate field "data.a"'
    assert refusal(strict) == (400, "BadRequest", f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}')
    warned = cluster.call(verb, path, raw)
    assert warned.body["data"] == {"a": "2"}
    assert warned.headers["Warning"] == '299 - "duplicate field \\"data.a\\""'


@pytest.mark.parametrize("path", [maps, widgets])
def test_a_dry_run_shows_and_does_nothing(cluster: Cluster, space: str, path: Any) -> None:
    thing = config_map if path is maps else widget
    shown = cluster.call("POST", f"{path(space)}?dryRun=All", thing("dry"))
    assert (shown.status, "resourceVersion" in shown.body["metadata"]) == (201, False)
    assert shown.body["metadata"]["uid"]
    assert cluster.call("GET", path(space, "dry")).status == 404
    real = made(cluster, path(space), thing("real"))
    changed = {**real, "metadata": {**real["metadata"], "labels": {"dry": "run"}}}
    assert cluster.call("PUT", f"{path(space, 'real')}?dryRun=All", changed).body["metadata"]["labels"]
    assert cluster.call("DELETE", f"{path(space, 'real')}?dryRun=All").status == 200
    assert cluster.call("GET", path(space, "real")).body == real
    versioned = cluster.call("POST", f"{path(space)}?dryRun=All", thing("dry", {"resourceVersion": "7"}))
    assert (versioned.status, versioned.body["metadata"]["resourceVersion"]) == (201, "7")  # the store is not asked
    refused = cluster.call("POST", f"{path(space)}?dryRun=Some", thing("dry"))
    text = 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
    assert refusal(refused) == (422, "Invalid", text)


def test_what_is_frozen_stays(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), {**config_map("ice", a="1"), "immutable": True})
    for change in ({"data": {"a": "2"}}, {"immutable": False}):
        answer = cluster.call("PUT", maps(space, "ice"), {**config_map("ice", a="1"), "immutable": True, **change})
        assert answer.status == 422
        assert "field is immutable when `immutable` is set" in answer.body["message"]


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"metadata": {"labels": {"a": "b"}}}, ""),
        ({"spec": {"activeDeadlineSeconds": 60}}, ""),
        ({"spec": {"hostname": "other"}}, "spec: Forbidden: pod updates may not change fields other than"),
        ({"spec": {"containers": []}}, "spec.containers: Forbidden: pod updates may not add or remove containers"),
    ],
)
def test_a_pod_is_settled_once_made(cluster: Cluster, space: str, change: Any, refused: str) -> None:
    path = f"/api/v1/namespaces/{space}/pods"
    made(cluster, path, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}})
    answer = cluster.call("PATCH", f"{path}/p", change, media=MERGE)
    assert answer.status == (422 if refused else 200), answer.text
    assert refused in answer.body.get("message", "")


def test_a_secret_keeps_its_strings_as_data(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/secrets"
    secret = made(cluster, path, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert (secret["data"], secret["type"], "stringData" in secret) == ({"a": "Yg=="}, "Opaque", False)
    bad = cluster.call("POST", path, {"metadata": {"name": "t"}, "data": {"a": "%"}})
    text = 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
    assert refusal(bad) == (400, "BadRequest", text)


@pytest.mark.parametrize(("sent", "kept"), QUANTITIES)
def test_a_quantity_is_kept_in_its_canonical_form(cluster: Cluster, space: str, sent: str, kept: str) -> None:
    path = f"/api/v1/namespaces/{space}/resourcequotas"
    quota = made(cluster, path, {"metadata": {"name": "q"}, "spec": {"hard": {"limits.memory": sent}}})
    assert quota["spec"]["hard"] == {"limits.memory": kept}


@pytest.mark.parametrize("field", [{"deletionTimestamp": "2020-01-01T00:00:00Z"}, {"deletionGracePeriodSeconds": 5}])
@pytest.mark.parametrize("path", [maps, widgets])
def test_nobody_writes_that_an_object_ends(cluster: Cluster, space: str, path: Any, field: dict[str, Any]) -> None:
    made(cluster, path(space), config_map("a") if path is maps else widget("a"))
    answer = cluster.call("PATCH", path(space, "a"), {"metadata": field}, media=MERGE)
    (name,) = field
    code, reason, message = refusal(answer)
    assert (code, reason, f"metadata.{name}: Invalid value: " in message) == (422, "Invalid", True)
    assert message.endswith("field is immutable")
