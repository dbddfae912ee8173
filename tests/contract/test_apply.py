"""Promise: server-side apply keeps who owns what, and refuses to take what another owns (k8s-transcript 04, 12)."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Answer, Cluster
from tests.contract.things import (
    GROUP,
    VERSION,
    applied,
    config_map,
    made,
    maps,
    refusal,
    version,
    widget,
    widgets,
)

TOO_BIG = "spec.size: Invalid value: 500: spec.size in body should be less than or equal to 100"
pytestmark = pytest.mark.usefixtures("kinds")


def causes(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 409, answer.text
    details = answer.body["details"]
    assert set(details) == {"causes"}
    assert {cause["reason"] for cause in details["causes"]} == {"FieldManagerConflict"}
    return sorted((cause["message"], cause["field"]) for cause in details["causes"])


def owned(body: Any, manager: str) -> Any:
    """The fields of a manager; None when it owns nothing."""
    found = [e["fieldsV1"] for e in body["metadata"].get("managedFields", ()) if e["manager"] == manager]
    return found[0] if found else None


def test_the_first_apply_creates_and_the_same_again_changes_nothing(cluster: Cluster, space: str) -> None:
    path, body = widgets(space, "a"), widget("a")
    first = applied(cluster, path, body)
    assert (first.status, first.body["spec"]["tier"]) == (201, "silver")
    assert owned(first.body, "m1") == {"f:spec": {"f:size": {}}}
    again = applied(cluster, path, body)
    assert (again.status, again.body) == (200, first.body)
    del body["metadata"]["name"]
    assert applied(cluster, path, body).body == first.body


def test_a_claim_whose_size_is_spelled_otherwise_is_written_once_more(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/persistentvolumeclaims/c"
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none-such"}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}}
    long, short = ({"resources": {"requests": {"storage": size}}, **spec} for size in ("2048Mi", "2Gi"))
    first = applied(cluster, path, {**body, "spec": long}).body
    assert first["spec"]["resources"]["requests"]["storage"] == "2Gi"
    second = applied(cluster, path, {**body, "spec": long}).body
    assert version(second) > version(first)
    assert second["spec"] == first["spec"]
    assert version(applied(cluster, path, {**body, "spec": short}).body) == version(second)


def test_two_managers_share_a_value_until_the_last_drops_it(cluster: Cluster, space: str) -> None:
    path = maps(space, "a")
    applied(cluster, path, config_map("a", one="1", two="2"))
    shared = applied(cluster, path, config_map("a", two="2"), "m2")
    assert shared.status == 200
    assert owned(shared.body, "m1")["f:data"] == {"f:one": {}, "f:two": {}}
    assert applied(cluster, path, config_map("a", one="1")).body["data"] == {"one": "1", "two": "2"}
    assert applied(cluster, path, config_map("a"), "m2").body["data"] == {"one": "1"}


def test_a_conflict_names_manager_and_field(cluster: Cluster, space: str) -> None:
    path = maps(space, "a")
    applied(cluster, path, config_map("a", one="1", two="2"))
    one = applied(cluster, path, config_map("a", one="x"), "m2")
    assert one.body["message"] == 'Apply failed with 1 conflict: conflict with "m1": .data.one'
    assert causes(one) == [('conflict with "m1"', ".data.one")]
    two = applied(cluster, path, config_map("a", one="x", two="y"), "m2")
    assert two.body["message"] == 'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.one\n- .data.two'
    forced = applied(cluster, path, config_map("a", one="x"), "m2", force="true")
    assert forced.body["data"] == {"one": "x", "two": "2"}
    assert owned(forced.body, "m1") == {"f:data": {"f:two": {}}}
    assert causes(applied(cluster, path, config_map("a", one="1"))) == [('conflict with "m2"', ".data.one")]


def test_what_others_wrote_by_hand_conflicts_too(cluster: Cluster, space: str) -> None:
    made(cluster, f"{maps(space)}?fieldManager=hand", config_map("a", one="1"))
    assert causes(applied(cluster, maps(space, "a"), config_map("a", one="2"))) == [
        ('conflict with "hand" using v1', ".data.one")
    ]
    made(cluster, f"{widgets(space)}?fieldManager=hand", widget("a", ports=[{"name": "p", "port": 1}]))
    other = applied(cluster, widgets(space, "a"), widget("a", ports=[{"name": "p", "port": 2}]))
    assert causes(other) == [(f'conflict with "hand" using {VERSION}', '.spec.ports[name="p"].port')]


def test_status_has_its_own_managers(cluster: Cluster, space: str) -> None:
    missing = applied(cluster, widgets(space, "no") + "/status", widget("no"))
    assert refusal(missing) == (404, "NotFound", f'widgets.{GROUP} "no" not found')
    applied(cluster, widgets(space, "a"), widget("a"))
    body = {"apiVersion": VERSION, "kind": "Widget", "status": {"phase": "up"}, "spec": {"size": 50}}
    done = applied(cluster, widgets(space, "a") + "/status", body, "ctl").body
    assert (done["spec"]["size"], done["status"]) == (1, {"phase": "up"})
    clash = applied(cluster, widgets(space, "a") + "/status", {**body, "status": {"phase": "down"}}, "other")
    assert causes(clash) == [('conflict with "ctl" with subresource "status"', ".status.phase")]


def test_lists_merge_as_they_are_declared(cluster: Cluster, space: str) -> None:
    path = widgets(space, "a")
    applied(cluster, path, widget("a", ports=[{"name": "a"}], tags=["x"], args=["1"]))
    more = applied(cluster, path, widget("a", ports=[{"name": "b"}], tags=["y"]), "m2").body["spec"]
    assert ([port["name"] for port in more["ports"]], more["tags"]) == (["a", "b"], ["x", "y"])
    assert causes(applied(cluster, path, widget("a", args=["2"]), "m2")) == [('conflict with "m1"', ".spec.args")]
    left = applied(cluster, path, widget("a", tags=["x"], args=["1"])).body["spec"]
    assert [port["name"] for port in left["ports"]] == ["b"]


def test_a_default_comes_back_when_its_owner_leaves(cluster: Cluster, space: str) -> None:
    assert applied(cluster, widgets(space, "a"), widget("a", tier="gold")).body["spec"]["tier"] == "gold"
    assert applied(cluster, widgets(space, "a"), widget("a")).body["spec"]["tier"] == "silver"


@pytest.mark.parametrize("nothing", [[{}], []])
def test_a_cleared_record_starts_anew(cluster: Cluster, space: str, nothing: Any) -> None:
    path = maps(space, "a")
    applied(cluster, path, config_map("a", one="1"))
    cleared = cluster.call("PATCH", path, {"metadata": {"managedFields": nothing}}, media=MERGE).body
    assert "managedFields" not in cleared["metadata"]
    clash = causes(applied(cluster, path, config_map("a", one="2")))
    assert clash == [('conflict with "before-first-apply" using v1', ".data.one")]


@pytest.mark.parametrize(
    ("query", "body", "code", "reason", "message"),
    [
        ("?x=1", {}, 422, "Invalid",
         'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
        ("?fieldManager=" + "x" * 129, {}, 422, "Invalid",
         'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes'),
        ("", {"apiVersion": None, "kind": None}, 400, "BadRequest", "invalid object type: /, Kind="),
        ("", {"kind": "Gadget"}, 400, "BadRequest", f"invalid object type: {VERSION}, Kind=Gadget"),
        ("", {"metadata": {"managedFields": []}}, 400, "BadRequest", "metadata.managedFields must be nil"),
        ("", {"metadata": {"name": "b"}}, 400, "BadRequest",
         "the name of the object (b) does not match the name on the URL (a)"),
        ("", {"spec": {"size": "big"}}, 500, None,
         ".spec.size: expected numeric (int or float), got string"),
        ("", {"spec": {"size": 1, "nope": 1}}, 500, None, ".spec.nope: field not declared in schema"),
        ("", {"spec": {"size": 1, "ports": [{"name": "a"}, {"name": "a"}]}}, 500, None,
         '.spec.ports: duplicate entries for key [name="a"]'),
        ("", {"spec": {"size": 500}}, 422, "Invalid",
         f'Widget.{GROUP} "a" is invalid: {TOO_BIG}'),
    ],
)  # fmt: skip
def test_it_refuses(  # noqa: PLR0917
    cluster: Cluster, space: str, query: str, body: dict[str, Any], code: int, reason: str | None, message: str
) -> None:
    applied(cluster, widgets(space, "a"), widget("a"))
    whole = {**widget("a"), **body}
    answer = cluster.call(
        "PATCH", widgets(space, "a") + (query or "?fieldManager=m1"), whole, media="application/apply-patch+yaml"
    )
    said = refusal(answer)
    assert said[:2] == (code, reason)
    if code == 500:
        assert said[2].startswith("failed to create typed patch object (")
        assert said[2].endswith(message)
        return
    assert said[2] == message


def test_only_what_is_still_there(cluster: Cluster, space: str) -> None:
    uid = "11111111-2222-3333-4444-555555555555"
    gone = applied(cluster, maps(space, "a"), config_map("a", {"uid": uid}))
    why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
    assert refusal(gone) == (409, "Conflict", f'Operation cannot be fulfilled on configmaps "a": {why}')
    assert applied(cluster, maps(space, "a"), config_map("a", {"resourceVersion": "1"})).status == 201
    stale = applied(cluster, maps(space, "a"), config_map("a", {"resourceVersion": "1"}, x="y"))
    assert refusal(stale)[:2] == (409, "Conflict")
    assert "the object has been modified" in stale.body["message"]
    assert "causes" not in stale.body["details"]
    other = applied(cluster, maps(space, "a"), config_map("a", {"uid": uid}))
    assert (other.status, "field is immutable" in other.text) == (422, True)


def test_a_dry_run_of_an_apply(cluster: Cluster, space: str) -> None:
    shown = applied(cluster, maps(space, "a"), config_map("a"), dryRun="All")
    assert (shown.status, "resourceVersion" in shown.body["metadata"]) == (201, False)
    assert cluster.call("GET", maps(space, "a")).status == 404


def test_yaml_is_understood(cluster: Cluster, space: str) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    two\n    lines\n"
    assert applied(cluster, maps(space, "a"), text).body["data"] == {"a": "two\nlines\n"}
    posted = cluster.call("POST", maps(space), b"metadata: {name: b}\ndata: {k: 'v'}", media="application/yaml")
    assert (posted.status, posted.body["data"]) == (201, {"k": "v"})


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("Secret", {"data": {"a": "!!"}}, "error decoding from json: illegal base64 data at input byte 0"),
        ("PersistentVolumeClaim", {"spec": {"resources": {"requests": {"storage": "xGi"}}}},
         "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_the_servers_failure(
    cluster: Cluster, space: str, kind: str, more: Any, why: str
) -> None:
    path = f"/api/v1/namespaces/{space}/{kind.lower()}s/a"
    answer = applied(cluster, path, {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, **more})
    which = f"/v1, Kind={kind}"
    text = f"failed to convert new object (/a; {which}) to proper version: unable to convert unstructured object to "
    assert refusal(answer) == (500, None, f"{text}{which}: {why}")


@pytest.mark.parametrize(("body", "where"), [(b"", None), (b"a: b: c", ""), (b"a: b\nc: d: e\n", "line 2: ")])
def test_a_body_that_says_nothing_is_refused(cluster: Cluster, space: str, body: bytes, where: str | None) -> None:
    text = "error decoding YAML: error converting YAML to JSON: yaml: {}mapping values are not allowed in this context"
    why = "invalid object type: /, Kind=" if where is None else text.format(where)
    assert refusal(applied(cluster, maps(space, "a"), body)) == (400, "BadRequest", why)


def test_a_name_is_that_of_the_url(cluster: Cluster, space: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap"}
    text = "the name of the object (a based on URL) was undeterminable: name must be provided"
    assert refusal(applied(cluster, maps(space, "a"), body)) == (400, "BadRequest", text)
    other = refusal(applied(cluster, maps(space, "a"), config_map("b")))
    assert other == (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)")
    assert applied(cluster, maps(space, "a"), config_map("a")).status == 201
    assert applied(cluster, maps(space, "a"), body).status == 200  # it is there, and keeps its name


def test_a_null_is_no_list(cluster: Cluster, space: str) -> None:
    code, reason, message = refusal(applied(cluster, widgets(space, "a"), widget("a", args=None)))
    why = 'spec.args: Invalid value: "null": spec.args in body must be of type array: "null"'
    assert (code, reason, message) == (422, "Invalid", f'Widget.{GROUP} "a" is invalid: {why}')


def test_a_status_that_is_ignored_and_does_not_fit_leaves_no_owners(cluster: Cluster, space: str) -> None:
    body = {**widget("a"), "status": {"replicas": "x"}}
    assert "managedFields" not in made(cluster, widgets(space), body)["metadata"]


def test_a_list_item_without_its_key_leaves_no_owner(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/serviceaccounts"
    obj = made(cluster, path, {"metadata": {"name": "a"}, "secrets": [{"namespace": "x"}]})
    assert "managedFields" not in obj["metadata"]
    named = made(cluster, path, {"metadata": {"name": "b"}, "secrets": [{"name": "x"}]})
    assert "managedFields" in named["metadata"]
