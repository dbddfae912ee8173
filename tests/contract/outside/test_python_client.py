"""The official Python client: typed calls, its watch, its dynamic client (k8s-transcript 15 has the same)."""

import json
import threading
from typing import Any

import pytest
from kubernetes import client, config, dynamic, utils, watch

from tests.contract.things import GROUP, widget

pytestmark = pytest.mark.usefixtures("kinds")
APPLY = "application/apply-patch+yaml"
PLACE = {"group": GROUP, "version": "v1", "plural": "widgets"}


@pytest.fixture
def api(kubeconfig: str) -> client.ApiClient:
    return config.new_client_from_config(kubeconfig)


def message(problem: client.ApiException) -> str:
    return str(json.loads(problem.body)["message"])


def test_typed_calls(api: client.ApiClient, space: str) -> None:
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(space, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    assert made.metadata.managed_fields[0].manager == "OpenAPI-Generator"
    with pytest.raises(client.ApiException) as twice:
        core.create_namespaced_config_map(space, {"metadata": {"name": "c"}})
    assert (twice.value.status, twice.value.reason, message(twice.value)) == (
        409,
        "Conflict",
        'configmaps "c" already exists',
    )
    assert core.patch_namespaced_config_map("c", space, {"data": {"x": "y"}}).data == {"a": "b", "x": "y"}
    operations = [{"op": "remove", "path": "/data/x"}]
    assert core.patch_namespaced_config_map("c", space, operations).data == {"a": "b"}
    applied = core.patch_namespaced_config_map(
        "d",
        space,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"k": "v"}},
        field_manager="ovim",
        force=True,
        _content_type=APPLY,
    )
    assert applied.metadata.name == "d"
    page = core.list_namespaced_config_map(space, limit=1)
    rest = core.list_namespaced_config_map(space, limit=10, _continue=page.metadata._continue)
    assert {item.metadata.name for item in [*page.items, *rest.items]} >= {"c", "d"}
    assert core.delete_namespaced_config_map("c", space)["status"] == "Success"
    utils.create_from_dict(api, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "u"}}, namespace=space)
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")


def test_custom_objects(api: client.ApiClient, space: str) -> None:
    custom = client.CustomObjectsApi(api)
    custom.create_namespaced_custom_object(namespace=space, body=widget("a"), **PLACE)
    patched = custom.patch_namespaced_custom_object(namespace=space, name="a", body={"spec": {"size": 2}}, **PLACE)
    assert (patched["spec"]["size"], patched["metadata"]["generation"]) == (2, 2)
    with pytest.raises(client.ApiException) as listed:
        custom.patch_namespaced_custom_object(namespace=space, name="a", body=[], **PLACE)
    assert listed.value.status == 400
    status = custom.patch_namespaced_custom_object_status(
        namespace=space, name="a", body={"status": {"phase": "Up"}}, **PLACE
    )
    assert status["status"] == {"phase": "Up"}
    stale = {**patched, "metadata": {**patched["metadata"], "resourceVersion": "1"}}
    with pytest.raises(client.ApiException) as conflict:
        custom.replace_namespaced_custom_object(namespace=space, name="a", body=stale, **PLACE)
    assert conflict.value.status == 409
    assert custom.list_namespaced_custom_object(namespace=space, label_selector="a!=b", **PLACE)["items"]
    gone = custom.delete_namespaced_custom_object(namespace=space, name="a", **PLACE)
    assert gone["status"] == "Success"


def test_its_watch(api: client.ApiClient, space: str) -> None:
    custom = client.CustomObjectsApi(api)
    custom.create_namespaced_custom_object(namespace=space, body=widget("old"), **PLACE)
    threading.Timer(
        0.3, lambda: custom.create_namespaced_custom_object(namespace=space, body=widget("new"), **PLACE)
    ).start()
    stream = watch.Watch().stream(
        custom.list_namespaced_custom_object, namespace=space, timeout_seconds=2, allow_watch_bookmarks=True, **PLACE
    )
    seen: list[Any] = [(event["type"], event["object"]["metadata"].get("name")) for event in stream]
    assert seen[:2] == [("ADDED", "old"), ("ADDED", "new")]
    assert {kind for kind, _ in seen[2:]} <= {"BOOKMARK"}
    with pytest.raises(client.ApiException) as expired:
        list(
            watch.Watch().stream(
                custom.list_namespaced_custom_object, namespace=space, resource_version="1", timeout_seconds=2, **PLACE
            )
        )
    assert (expired.value.status, expired.value.reason.startswith("Expired: too old resource version: 1")) == (
        410,
        True,
    )


def test_its_dynamic_client(api: client.ApiClient, space: str) -> None:
    dyn = dynamic.DynamicClient(api)
    kind = dyn.resources.get(api_version=f"{GROUP}/v1", kind="Widget")
    body = widget("a", size=3)
    applied = dyn.server_side_apply(kind, body=body, namespace=space, field_manager="ovim", force_conflicts=True)
    assert applied.spec.tier == "silver"
    with pytest.raises(dynamic.exceptions.ConflictError) as clash:
        dyn.server_side_apply(kind, body=widget("a", size=4), namespace=space, field_manager="other")
    assert 'conflict with \\"ovim\\": .spec.size' in str(clash.value.body)
    with pytest.raises(dynamic.exceptions.NotFoundError):
        kind.get(name="none", namespace=space)
    with pytest.raises(dynamic.exceptions.UnsupportedMediaTypeError if hasattr(
        dynamic.exceptions, "UnsupportedMediaTypeError") else dynamic.exceptions.DynamicApiError) as media:  # fmt: skip
        kind.patch(body={"spec": {"size": 5}}, name="a", namespace=space)
    assert media.value.status == 415
    merged = kind.patch(
        body={"spec": {"size": 5}}, name="a", namespace=space, content_type="application/merge-patch+json"
    )
    assert merged.spec.size == 5
    assert [item.metadata.name for item in kind.get(namespace=space).items] == ["a"]
    seen = [event["type"] for event in kind.watch(namespace=space, timeout=1)]
    assert seen == ["ADDED"]
    assert kind.delete(name="a", namespace=space).status == "Success"
    with pytest.raises(dynamic.exceptions.ResourceNotFoundError):
        dyn.resources.get(api_version="v1", kind="Nothing")
