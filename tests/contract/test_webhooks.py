"""Promise: configured admission webhooks are asked, and have their way (k8s-transcript 10)."""

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import APPLY, MERGE, Cluster
from tests.contract.hooks import HOST, Hooks, awake, create, hooked, hooks, settled
from tests.contract.widgets import widgets

__all__ = ["hooks", "widgets"]
EMPTY = b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}'
BOOM = 'an error on the server ("boom") has prevented the request from succeeding'
BROKEN = [{"name": "x", "expression": "object.a <"}]
TOO_BIG = {"code": 422, "reason": "Invalid", "message": "over the plan"}


def deny(_request: dict[str, Any]) -> dict[str, Any]:
    causes = [{"reason": "FieldValueInvalid", "message": "too big", "field": "data"}]
    return {"allowed": False, "status": {**TOO_BIG, "details": {"causes": causes}}}


def allow(_request: dict[str, Any]) -> dict[str, Any]:
    return {"allowed": True}


def client(hooks: Hooks, path: str) -> dict[str, Any]:
    return {"clientConfig": {"url": hooks.url(path), "caBundle": hooks.bundle}}


def test_a_denial_is_the_webhooks_own_status_with_its_name_in_front(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/deny": deny}
    with hooked(cluster, space, client(hooks, "/deny")):
        settled(cluster, space, 422)
        refused = create(cluster, space, "a").body
        applied = cluster.call(
            "PATCH",
            f"/api/v1/namespaces/{space}/configmaps/a?fieldManager=m1",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
            media=APPLY,
        ).body
    assert refused == applied
    assert refused["message"] == 'admission webhook "w0.contract.ovim.io" denied the request: over the plan'
    assert (refused["code"], refused["reason"]) == (422, "Invalid")
    assert refused["details"] == {"causes": [{"reason": "FieldValueInvalid", "message": "too big", "field": "data"}]}
    assert cluster.call("GET", f"/api/v1/namespaces/{space}/configmaps/a").status == 404


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({}, 'admission webhook "w0.contract.ovim.io" denied the request without explanation'),
        ({"message": "no way"}, 'admission webhook "w0.contract.ovim.io" denied the request: no way'),
    ],
)
def test_a_denial_without_a_code_is_a_400(
    cluster: Cluster, space: str, hooks: Hooks, status: dict[str, str], message: str
) -> None:
    hooks.answers = {"/deny": lambda _: {"allowed": False, **({"status": status} if status else {})}}
    with hooked(cluster, space, client(hooks, "/deny")):
        settled(cluster, space, 400)
        refused = create(cluster, space, "a")
    assert (refused.status, refused.body["message"]) == (400, message)
    assert "reason" not in refused.body


def test_warnings_reach_the_client_of_every_operation(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/warn": lambda _: {"allowed": True, "warnings": ["be careful", "second warning"]}}
    rule = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps"]}
    path = f"/api/v1/namespaces/{space}/configmaps/a"
    with hooked(cluster, space, {**client(hooks, "/warn"), "rules": [rule]}):
        awake(cluster, space, hooks, "/warn")
        made = create(cluster, space, "a")
        changed = cluster.call("PATCH", path, {"data": {"k": "v"}}, media=MERGE)
        gone = cluster.call("DELETE", path)
    assert [answer.status for answer in (made, changed, gone)] == [201, 200, 200]
    for answer in (made, changed, gone):
        assert answer.headers["warning"] == '299 - "be careful", 299 - "second warning"'


def test_the_review_says_all_that_a_webhook_needs(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/look": allow}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    path = f"/api/v1/namespaces/{space}/configmaps/a"
    with hooked(cluster, space, {**client(hooks, "/look"), "rules": [rule]}):
        awake(cluster, space, hooks, "/look")
        create(cluster, space, "a", query="?fieldManager=m1", data={"k": "1"})
        cluster.call("PATCH", path, {"data": {"k": "2"}}, media=MERGE)
        cluster.call("DELETE", path)
        generated = cluster.call("POST", path[:-2], {"metadata": {"generateName": "gen-"}})
    dry = hooks.asked("/look")[0]
    made, changed, gone, unnamed = hooks.asked("/look")[-4:]
    assert dry["dryRun"] is True
    assert dry["options"]["dryRun"] == ["All"]
    at, headers, review = hooks.seen[-4]
    assert (review["kind"], review["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
    assert at == "/look?timeout=5s"
    assert headers["user-agent"].startswith("kube-apiserver-admission")
    assert made["uid"] != changed["uid"]
    assert made["kind"] == made["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert made["resource"] == made["requestResource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (made["name"], made["namespace"], made["operation"]) == ("a", space, "CREATE")
    assert (made["dryRun"], made["oldObject"]) == (False, None)
    assert made["options"]["kind"] == "CreateOptions"
    assert made["options"]["fieldManager"] == "m1"
    assert "system:authenticated" in made["userInfo"]["groups"]
    assert made["object"]["metadata"]["uid"]
    assert made["object"]["metadata"]["managedFields"][0]["manager"] == "m1"
    assert changed["operation"] == "UPDATE"
    assert (changed["object"]["data"], changed["oldObject"]["data"]) == ({"k": "2"}, {"k": "1"})
    assert changed["options"]["kind"] == "UpdateOptions"
    assert (gone["operation"], gone["object"], gone["oldObject"]["data"]) == ("DELETE", None, {"k": "2"})
    assert gone["options"]["kind"] == "DeleteOptions"
    assert generated.body["metadata"]["name"].startswith("gen-")
    assert "name" not in unnamed or unnamed["name"] == ""


def test_a_write_of_status_is_reviewed_as_one(cluster: Cluster, space: str, hooks: Hooks, widgets: str) -> None:
    hooks.answers = {"/look": allow}
    rule = {
        "apiGroups": ["contract.ovim.io"],
        "apiVersions": ["v1"],
        "operations": ["*"],
        "resources": ["widgets", "widgets/status"],
    }
    path = f"/apis/contract.ovim.io/v1/namespaces/{space}/widgets"
    body = {"apiVersion": "contract.ovim.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    assert cluster.call("POST", path, body).status == 201
    with hooked(cluster, space, {**client(hooks, "/look"), "rules": [rule]}):
        end = time.monotonic() + 30
        while not hooks.seen and time.monotonic() < end:
            cluster.call("PATCH", f"{path}/w/status", {"status": {"phase": str(time.time())}}, media=MERGE)
    request = hooks.asked("/look")[0]
    assert (request["subResource"], request["requestSubResource"], request["operation"]) == (
        "status",
        "status",
        "UPDATE",
    )


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((500, b"boom"), f"failed to call webhook: {BOOM}"),
        ((200, EMPTY), "received invalid webhook response: webhook response was absent"),
    ],
)
def test_an_answer_that_is_none_fails_the_request(
    cluster: Cluster, space: str, hooks: Hooks, reply: tuple[int, bytes], why: str
) -> None:
    hooks.answers = {"/bad": lambda _: reply}
    with hooked(cluster, space, client(hooks, "/bad")):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body
    assert refused["message"] == f'Internal error occurred: failed calling webhook "w0.contract.ovim.io": {why}'
    assert refused["reason"] == "InternalError"
    assert refused["details"]["causes"][0]["message"] == f'failed calling webhook "w0.contract.ovim.io": {why}'


def test_an_answer_to_another_question_fails_the_request(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/bad": lambda _: {"uid": "another", "allowed": True}}
    with hooked(cluster, space, client(hooks, "/bad")):
        settled(cluster, space, 500)
        assert 'got "another"' in create(cluster, space, "a").body["message"]


def test_a_slow_webhook_fails_in_its_time(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/slow": lambda _: time.sleep(3) or {"allowed": True}}  # type: ignore[func-returns-value]
    with hooked(cluster, space, {**client(hooks, "/slow"), "timeoutSeconds": 1}):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body
    url = hooks.url("/slow?timeout=1s")
    assert refused["message"].endswith(f'failed to call webhook: Post "{url}": context deadline exceeded')


def test_others_are_served_while_a_webhook_thinks(cluster: Cluster, space: str, hooks: Hooks) -> None:
    thinking, done = threading.Event(), threading.Event()

    def slow(_request: dict[str, Any]) -> dict[str, Any]:
        thinking.set()
        assert done.wait(10)
        return {"allowed": True}

    hooks.answers = {"/slow": allow}
    with hooked(cluster, space, {**client(hooks, "/slow"), "timeoutSeconds": 20}):
        awake(cluster, space, hooks, "/slow")
        hooks.answers = {"/slow": slow}
        writer = threading.Thread(target=create, args=(cluster, space, "a"))
        writer.start()
        assert thinking.wait(10)
        assert cluster.call("GET", f"/api/v1/namespaces/{space}").status == 200
        assert cluster.call("GET", f"/api/v1/namespaces/{space}/configmaps/a").status == 404
        done.set()
        writer.join()
    assert cluster.call("GET", f"/api/v1/namespaces/{space}/configmaps/a").status == 200


def test_an_unreachable_webhook_refuses_or_is_ignored_as_its_policy_says(cluster: Cluster, space: str) -> None:
    closed = {"clientConfig": {"url": "https://127.0.0.1:9/deny"}}
    with hooked(cluster, space, closed):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body["message"]
    assert refused.startswith('Internal error occurred: failed calling webhook "w0.contract.ovim.io": failed to call')
    assert 'Post "https://127.0.0.1:9/deny?timeout=5s": dial tcp 127.0.0.1:9: connect: connection refused' in refused
    with hooked(cluster, space, {**closed, "failurePolicy": "Ignore"}):
        settled(cluster, space, 201)
        assert create(cluster, space, "a").status == 201


def test_a_service_that_is_not_there(cluster: Cluster, space: str) -> None:
    service = {"name": "nosvc", "namespace": space, "path": "/x"}
    with hooked(cluster, space, {"clientConfig": {"service": service}}):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body["message"]
    assert refused.endswith(f'Post "https://nosvc.{space}.svc:443/x?timeout=5s": service "nosvc" not found')


def test_a_certificate_of_somebody_else_is_not_trusted(
    cluster: Cluster, space: str, hooks: Hooks, tmp_path: Path
) -> None:
    other = Hooks(tmp_path / "other")
    other.server.shutdown()
    hooks.answers = {"/deny": deny}
    config = {"clientConfig": {"url": hooks.url("/deny"), "caBundle": other.bundle}}
    with hooked(cluster, space, config):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body["message"]
    assert "x509: certificate signed by unknown authority" in refused
    assert hooks.seen == []


def served_at(cluster: Cluster, space: str, port: int) -> dict[str, Any]:
    """A Service without pods, its one endpoint in this process; answers the client configuration for it."""
    ports = [{"name": "https", "port": 443, "targetPort": port, "protocol": "TCP"}]
    body = {"metadata": {"name": "hook"}, "spec": {"ports": ports}}
    assert cluster.call("POST", f"/api/v1/namespaces/{space}/services", body).status == 201
    endpoints = {
        "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    made = cluster.call("POST", f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices", endpoints)
    assert made.status == 201, made.text
    return {"name": "hook", "namespace": space, "path": "/deny"}


@pytest.mark.usefixtures("hooks")  # which skips where the cluster can't reach this process
def test_a_service_is_called_where_its_endpoints_are(cluster: Cluster, space: str, tmp_path: Path) -> None:
    named = Hooks(tmp_path / "named", f"hook.{space}.svc")
    named.answers = {"/deny": deny}
    service = served_at(cluster, space, named.port)
    with hooked(cluster, space, {"clientConfig": {"service": service, "caBundle": named.bundle}}):
        settled(cluster, space, 422)
    named.server.shutdown()


@pytest.mark.usefixtures("hooks")
def test_a_certificate_for_another_name_is_not_trusted(cluster: Cluster, space: str, tmp_path: Path) -> None:
    named = Hooks(tmp_path / "named", "somebody.else.svc")
    service = served_at(cluster, space, named.port)
    with hooked(cluster, space, {"clientConfig": {"service": service, "caBundle": named.bundle}}):
        settled(cluster, space, 500)
        refused = create(cluster, space, "a").body["message"]
    named.server.shutdown()
    assert f"x509: certificate is valid for localhost, somebody.else.svc, not hook.{space}.svc" in refused
    assert named.seen == []


def test_conditions_spare_what_they_are_false_for(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/deny": deny}
    condition = {"name": "big", "expression": "has(object.data) && int(object.data.size) > 5"}
    with hooked(cluster, space, {**client(hooks, "/deny"), "matchConditions": [condition]}):
        settled(cluster, space, 422, data={"size": "9"})
        assert create(cluster, space, "small", data={"size": "1"}).status == 201
        assert create(cluster, space, "none").status == 201
        assert create(cluster, space, "large", data={"size": "9"}).status == 422


def test_objects_are_chosen_by_label_and_namespaces_too(cluster: Cluster, space: str, hooks: Hooks) -> None:
    hooks.answers = {"/deny": deny}
    chosen = {"objectSelector": {"matchExpressions": [{"key": "checked", "operator": "In", "values": ["yes"]}]}}
    checked = {"metadata": {"labels": {"checked": "yes"}}}
    with hooked(cluster, space, {**client(hooks, "/deny"), **chosen}):
        settled(cluster, space, 422, **checked)
        assert create(cluster, space, "plain").status == 201
        path = f"/api/v1/namespaces/{space}/configmaps/plain"
        assert cluster.call("PATCH", path, {"metadata": {"labels": {"checked": "yes"}}}, media=MERGE).status == 422
        assert create(cluster, "default", f"other-{space}", query="?dryRun=All", **checked).status == 201


def test_a_mutating_webhook_changes_what_is_stored(cluster: Cluster, space: str, hooks: Hooks) -> None:
    operations = [{"op": "add", "path": "/data/hooked", "value": "yes"}]
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    hooks.answers = {"/add": lambda _: {"allowed": True, "patchType": "JSONPatch", "patch": patch}, "/look": allow}
    with hooked(cluster, space, client(hooks, "/add"), mutating=True), hooked(cluster, space, client(hooks, "/look")):
        awake(cluster, space, hooks, "/add", "/look", data={"own": "1"})
        made = create(cluster, space, "a", data={"own": "1"})
    assert made.status == 201, made.text
    assert made.body["data"] == {"own": "1", "hooked": "yes"}
    owned = [entry["fieldsV1"] for entry in made.body["metadata"].get("managedFields", [])]
    assert "hooked" not in json.dumps(owned)
    assert hooks.asked("/add")[-1]["object"]["metadata"]["managedFields"]
    assert hooks.asked("/look")[-1]["object"]["data"] == made.body["data"]  # validators see the changed object
    assert hooks.asked("/look")[-1]["object"]["metadata"]["uid"] == made.body["metadata"]["uid"]


def test_a_generated_name_is_the_same_for_mutators_validators_and_the_client(
    cluster: Cluster, space: str, hooks: Hooks
) -> None:
    hooks.answers = {"/one": allow, "/two": allow}
    with hooked(cluster, space, client(hooks, "/one"), mutating=True), hooked(cluster, space, client(hooks, "/two")):
        awake(cluster, space, hooks, "/one", "/two")
        made = cluster.call("POST", f"/api/v1/namespaces/{space}/configmaps", {"metadata": {"generateName": "g-"}})
    assert hooks.asked("/two")[-1]["object"]["metadata"]["name"] == made.body["metadata"]["name"]


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"sideEffects": "Some"}, "webhooks[0].sideEffects", "Unsupported value"),
        ({"timeoutSeconds": 31}, "webhooks[0].timeoutSeconds", "must be between 1 and 30 seconds"),
        ({"name": "short"}, "webhooks[0].name", "at least three segments"),
        ({"clientConfig": {"url": "http://127.0.0.1/x"}}, "webhooks[0].clientConfig.url", "only allowed URL scheme"),
        ({"clientConfig": {}}, "webhooks[0].clientConfig", "exactly one of url or service is required"),
        ({"admissionReviewVersions": []}, "webhooks[0].admissionReviewVersions", "must specify one of v1, v1beta1"),
        ({"matchConditions": BROKEN}, "webhooks[0].matchConditions[0].expression", "compilation failed"),
    ],
)
def test_a_configuration_that_can_not_work_is_refused(
    cluster: Cluster, space: str, change: dict[str, Any], field: str, text: str
) -> None:
    hook = {
        "name": "w.contract.ovim.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:9/x"},
        **change,
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    refused = cluster.call("POST", path, {"metadata": {"name": space}, "webhooks": [hook]})
    assert refused.status == 422
    cause = next(c for c in refused.body["details"]["causes"] if c["field"] == field)
    assert text in cause["message"]
