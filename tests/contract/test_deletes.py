"""Promise: what is deleted goes once its finalizers let it, and takes along what it owns (k8s-transcript 07)."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import (
    DEFINITION,
    DEFINITIONS,
    GROUP,
    config_map,
    eventually,
    made,
    maps,
    refusal,
    version,
    widget,
    widgets,
)

pytestmark = pytest.mark.usefixtures("kinds")
HOLD = {"finalizers": ["example.org/hold"]}


def owner_of(obj: Any) -> dict[str, Any]:
    names = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    return {"ownerReferences": [{**names, "name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}]}


@pytest.mark.parametrize(("path", "group"), [(maps, ""), (widgets, GROUP)])
def test_a_free_object_goes_at_once(cluster: Cluster, space: str, path: Any, group: str) -> None:
    obj = made(cluster, path(space), (config_map if path is maps else widget)("a"))
    gone = cluster.call("DELETE", path(space, "a"))
    plural = path(space).rpartition("/")[2]
    details = {"name": "a", **({"group": group} if group else {}), "kind": plural, "uid": obj["metadata"]["uid"]}
    assert gone.body == {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    assert refusal(cluster.call("DELETE", path(space, "a")))[:2] == (404, "NotFound")


def test_a_held_object_waits_for_its_finalizer(cluster: Cluster, space: str) -> None:
    path = widgets(space, "a")
    made(cluster, widgets(space), widget("a", HOLD))
    going = cluster.call("DELETE", path).body
    assert going["metadata"]["deletionTimestamp"]
    assert (going["metadata"]["deletionGracePeriodSeconds"], going["metadata"]["generation"]) == (0, 2)
    assert cluster.call("DELETE", path).body == going
    again = cluster.call("POST", widgets(space), widget("a"))
    text = f'object is being deleted: widgets.{GROUP} "a" already exists'
    assert refusal(again) == (409, "AlreadyExists", text)
    assert cluster.call("PATCH", path, {"spec": {"size": 2}}, media=MERGE).status == 200
    kept = cluster.call("PATCH", path, {"metadata": {"deletionTimestamp": None}}, media=MERGE).body
    assert kept["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["example.org/hold", "example.org/more"]}}
    refused = refusal(cluster.call("PATCH", path, more, media=MERGE))
    assert refused[:2] == (422, "Invalid")
    assert 'found new finalizers []string{"example.org/more"}' in refused[2]
    freed = cluster.call("PATCH", path, {"metadata": {"finalizers": None}}, media=MERGE)
    assert (freed.status, freed.body["spec"]["size"]) == (200, 2)
    assert cluster.call("GET", path).status == 404


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_precondition_guards(cluster: Cluster, space: str, field: str) -> None:
    obj = made(cluster, widgets(space), widget("a"))
    wrong = {"uid": "11111111-2222-3333-4444-555555555555", "resourceVersion": "1"}[field]
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {field: wrong}}
    code, reason, message = refusal(cluster.call("DELETE", widgets(space, "a"), body))
    assert (code, reason) == (409, "Conflict")
    word = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
    assert f'Operation cannot be fulfilled on Widget.{GROUP} "a": the {word} in the precondition ({wrong})' in message
    body["preconditions"] = {field: obj["metadata"][field]}
    assert cluster.call("DELETE", widgets(space, "a"), body).body["status"] == "Success"


@pytest.mark.parametrize("by_query", [True, False])
@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_dependents_follow_the_policy(cluster: Cluster, space: str, policy: str, by_query: bool) -> None:
    owner = made(cluster, widgets(space), widget("owner"))
    made(cluster, maps(space), config_map("owned", owner_of(owner)))
    body = None if by_query else {"propagationPolicy": policy}
    query = f"?propagationPolicy={policy}" if by_query else ""
    answer = cluster.call("DELETE", widgets(space, "owner") + query, body)
    finalizer = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(policy)
    assert answer.body.get("metadata", {}).get("finalizers") == finalizer
    eventually(lambda: cluster.call("GET", widgets(space, "owner")).status == 404)
    if policy == "Orphan":
        assert "ownerReferences" not in cluster.call("GET", maps(space, "owned")).body["metadata"]
    else:
        eventually(lambda: cluster.call("GET", maps(space, "owned")).status == 404)


def test_who_has_another_owner_lives_on(cluster: Cluster, space: str) -> None:
    first, second = (made(cluster, maps(space), config_map(name)) for name in ("first", "second"))
    owners = [*owner_of(first)["ownerReferences"], *owner_of(second)["ownerReferences"]]
    made(cluster, maps(space), config_map("child", {"ownerReferences": owners}))
    assert cluster.call("DELETE", f"{maps(space, 'first')}?propagationPolicy=Foreground").status == 200
    eventually(lambda: cluster.call("GET", maps(space, "first")).status == 404)
    (left,) = cluster.call("GET", maps(space, "child")).body["metadata"]["ownerReferences"]
    assert left["name"] == "second"


def test_who_names_an_owner_that_never_was_is_collected(cluster: Cluster, space: str) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "uid": "1" * 8}}
    made(cluster, maps(space), config_map("lost", owner_of(ghost)))
    eventually(lambda: cluster.call("GET", maps(space, "lost")).status == 404)


def test_a_cycle_of_owners_harms_nobody(cluster: Cluster, space: str) -> None:
    first = made(cluster, maps(space), config_map("a"))
    second = made(cluster, maps(space), config_map("b", owner_of(first)))
    assert cluster.call("PATCH", maps(space, "a"), {"metadata": owner_of(second)}, media=MERGE).status == 200
    assert cluster.call("DELETE", maps(space, "a")).status == 200
    eventually(lambda: cluster.call("GET", maps(space, "b")).status == 404)


def test_a_collection_goes_by_its_selector(cluster: Cluster, space: str) -> None:
    for name in "abc":
        labels = {"labels": {"go": "yes"}} if name != "c" else {}
        made(cluster, widgets(space), widget(name, {**labels, **(HOLD if name == "b" else {})}))
    answer = cluster.call("DELETE", f"{widgets(space)}?labelSelector=go%3Dyes")
    assert (answer.status, answer.body["kind"]) == (200, "WidgetList")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", "b"]
    left = cluster.call("GET", widgets(space)).body["items"]
    assert [(item["metadata"]["name"], "deletionTimestamp" in item["metadata"]) for item in left] == [
        ("b", True),
        ("c", False),
    ]
    cluster.call("PATCH", widgets(space, "b"), {"metadata": {"finalizers": None}}, media=MERGE)


@pytest.mark.parametrize(
    ("query", "body", "message"),
    [
        ("?propagationPolicy=Nope", None, ('propagationPolicy: Unsupported value: "Nope": supported values: '
         '"Foreground", "Background", "Orphan", "nil"')),
        ("?dryRun=Some", None, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("", {"dryRun": ["Some"]}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
    ],
)  # fmt: skip
def test_bad_options_are_refused(cluster: Cluster, space: str, query: str, body: Any, message: str) -> None:
    obj = made(cluster, maps(space), config_map("a"))
    answer = cluster.call("DELETE", maps(space, "a") + query, body)
    assert refusal(answer) == (422, "Invalid", f'DeleteOptions.meta.k8s.io "" is invalid: {message}')
    assert version(cluster.call("GET", maps(space, "a")).body) == version(obj)


def test_some_kinds_answer_what_was_deleted(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}"
    made(cluster, f"{path}/serviceaccounts", {"metadata": {"name": "bot"}})
    assert cluster.call("DELETE", f"{path}/serviceaccounts/bot").body["kind"] == "ServiceAccount"
    made(cluster, f"{path}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    assert cluster.call("DELETE", f"{path}/resourcequotas/q").body["kind"] == "ResourceQuota"


def test_options_that_cannot_be_read(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    answer = cluster.call("DELETE", maps(space, "a"), b"{")
    text = "couldn't get version/kind; json parse error: unexpected end of JSON input"
    assert refusal(answer) == (400, "BadRequest", text)
    assert cluster.call("GET", maps(space, "a")).status == 200


def test_a_finalizer_without_a_domain(cluster: Cluster, space: str) -> None:
    custom = cluster.call("POST", widgets(space), widget("a", {"finalizers": ["plain"]}))
    assert custom.status == 201
    assert "prefer a domain-qualified finalizer name" in custom.headers["Warning"]
    core = refusal(cluster.call("POST", maps(space), config_map("a", {"finalizers": ["plain"]})))
    assert core[:2] == (422, "Invalid")
    assert "name is neither a standard finalizer name nor is it fully qualified" in core[2]
    cluster.call("PATCH", widgets(space, "a"), {"metadata": {"finalizers": None}}, media=MERGE)


def test_the_default_namespace_stays(cluster: Cluster) -> None:
    answer = cluster.call("DELETE", "/api/v1/namespaces/default")
    assert refusal(answer) == (403, "Forbidden", 'namespaces "default" is forbidden: this namespace may not be deleted')


def test_a_body_says_everything(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    assert cluster.call("DELETE", maps(space, "a") + "?dryRun=All", {"propagationPolicy": "Background"}).status == 200
    assert cluster.call("GET", maps(space, "a")).status == 404


def test_the_old_way_to_ask_for_dependents_is_accepted(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a", HOLD))
    assert cluster.call("DELETE", maps(space, "a"), {"orphanDependents": False}).status == 202
    cluster.call("PATCH", maps(space, "a"), {"metadata": {"finalizers": None}}, media=MERGE)


def test_a_grace_that_is_no_number(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    answer = cluster.call("DELETE", maps(space, "a") + "?gracePeriodSeconds=x")
    assert refusal(answer) == (400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax')


def test_a_definition_goes_after_its_instances(cluster: Cluster, space: str) -> None:
    spec = {**DEFINITION["spec"], "group": "doomed.example.org", "names": {"plural": "widgets", "kind": "Widget"}}
    body = {**DEFINITION, "metadata": {"name": "widgets.doomed.example.org"}, "spec": spec}
    uid = made(cluster, DEFINITIONS, body)["metadata"]["uid"]
    path = f"{DEFINITIONS}/widgets.doomed.example.org"
    instances = f"/apis/doomed.example.org/v1/namespaces/{space}/widgets"
    eventually(lambda: cluster.call("GET", instances).status == 200)
    held = {"apiVersion": "doomed.example.org/v1", "kind": "Widget", "metadata": {"name": "a", **HOLD}}
    made(cluster, instances, {**held, "spec": {"size": 1}})
    refused = cluster.call("DELETE", path, {"preconditions": {"uid": "1"}})
    why = f"Precondition failed: UID in precondition: 1, UID in object meta: {uid}"
    assert refusal(refused)[2].endswith(
        f'customresourcedefinitions.apiextensions.k8s.io "{body["metadata"]["name"]}": {why}'
    )
    going = cluster.call("DELETE", path)
    assert (going.status, going.body["kind"]) == (200, "CustomResourceDefinition")
    meta = going.body["metadata"]
    assert meta["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert "deletionGracePeriodSeconds" not in meta
    last = going.body["status"]["conditions"][-1]
    assert (last["type"], last["status"], last["reason"]) == ("Terminating", "True", "InstanceDeletionPending")
    eventually(lambda: "deletionTimestamp" in cluster.call("GET", f"{instances}/a").body["metadata"])
    assert cluster.call("GET", path).body["status"]["conditions"][-1]["reason"] == "InstanceDeletionInProgress"
    cluster.call("PATCH", f"{instances}/a", {"metadata": {"finalizers": None}}, media=MERGE)
    eventually(lambda: cluster.call("GET", path).status == 404)


def test_a_namespace_has_words_of_its_own_for_a_precondition(cluster: Cluster) -> None:
    found = made(cluster, "/api/v1/namespaces", {"metadata": {"generateName": "guarded-"}})["metadata"]
    path = f"/api/v1/namespaces/{found['name']}"
    text = f'Operation cannot be fulfilled on namespaces "{found["name"]}": Precondition failed: '
    for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        answer = cluster.call("DELETE", path, {"preconditions": {field: "1"}})
        value = cluster.call("GET", path).body["metadata"][field]
        why = f"{text}{word} in precondition: 1, {word} in object meta: {value}"
        assert refusal(answer) == (409, "Conflict", why)
    cluster.call("DELETE", path)


def test_options_of_another_kind_are_none(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    code, _reason, message = refusal(cluster.call("DELETE", maps(space, "a"), {"kind": "Pod", "apiVersion": "v1"}))
    assert (code, message.startswith('no kind "Pod" is registered for version "v1" in scheme')) == (400, True)
    assert cluster.call("DELETE", maps(space, "a"), b"null").status == 200
