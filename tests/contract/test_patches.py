"""Promise: the three kinds of patch change what they say, and nothing when they can't (k8s-transcript 05, 12)."""

from typing import Any

import pytest

from tests.contract.conftest import APPLY, JSON_PATCH, MERGE, STRATEGIC, Cluster
from tests.contract.things import GROUP, config_map, made, maps, refusal, version, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")
REJECTED = (422, "Invalid", "the server rejected our request due to an error in our request")
STALE = "the object has been modified; please apply your changes to the latest version and try again"
UNDECODED = "error decoding patch: json: cannot unmarshal"
ACCEPTED = "the body of the request was in an unknown format - accepted media types include: "


@pytest.fixture
def both(cluster: Cluster, space: str) -> str:
    """A config map and a widget named a."""
    made(cluster, maps(space), config_map("a", one="1", two="2"))
    made(cluster, widgets(space), widget("a", ports=[{"name": "p", "port": 1}]))
    return space


@pytest.mark.parametrize(
    ("media", "patch", "data"),
    [
        (MERGE, {"data": {"one": "x", "two": None}}, {"one": "x"}),
        (STRATEGIC, {"data": {"one": "x", "two": None}}, {"one": "x"}),
        (STRATEGIC, {"data": {"$patch": "replace", "new": "n"}}, {"new": "n"}),
        (JSON_PATCH, [{"op": "replace", "path": "/data/one", "value": "x"}], {"one": "x", "two": "2"}),
        (JSON_PATCH, [{"op": "test", "path": "/data/one", "value": "1"}, {"op": "remove", "path": "/data/two"}],
         {"one": "1"}),
        (JSON_PATCH, [{"op": "move", "from": "/data/one", "path": "/data/x"}], {"x": "1", "two": "2"}),
        (JSON_PATCH, [{"op": "copy", "from": "/data/one", "path": "/data/a~1b"}], {"one": "1", "two": "2", "a/b": "1"}),
    ],
)  # fmt: skip
def test_a_patch_changes(cluster: Cluster, both: str, media: str, patch: Any, data: dict[str, str]) -> None:
    if "a/b" in data:
        answer = cluster.call("PATCH", maps(both, "a"), patch, media=media)
        assert answer.status == 422  # a slash is no part of a key
        return
    answer = cluster.call("PATCH", maps(both, "a"), patch, media=media)
    assert (answer.status, answer.body["data"]) == (200, data)


@pytest.mark.parametrize(
    ("media", "patch", "said"),
    [
        (JSON_PATCH, [{"op": "test", "path": "/data/one", "value": "9"}], REJECTED),
        (JSON_PATCH, [{"op": "remove", "path": "/data/none"}], REJECTED),
        (JSON_PATCH, [{"op": "add", "path": "/none/below", "value": 1}], REJECTED),
        (JSON_PATCH, {"a": 1}, (400, "BadRequest", f"{UNDECODED} object into Go value of type []handlers.jsonPatchOp")),
        (MERGE, [], (400, "BadRequest", f"{UNDECODED} array into Go value of type map[string]interface {{}}")),
        (MERGE, b"{", (400, "BadRequest", "error decoding patch: unexpected end of JSON input")),
        (MERGE, {"metadata": {"name": "b"}}, (400, "BadRequest",
         "the name of the object (b) does not match the name on the URL (a)")),
        (MERGE, {"metadata": {"resourceVersion": "1"}}, (409, "Conflict",
         f'Operation cannot be fulfilled on configmaps "a": {STALE}')),
        ("application/json", {}, (415, "UnsupportedMediaType", "415: Unsupported Media Type")),
    ],
)  # fmt: skip
def test_a_patch_is_refused(cluster: Cluster, both: str, media: str, patch: Any, said: tuple[int, str, str]) -> None:
    before = cluster.call("GET", maps(both, "a")).body
    assert refusal(cluster.call("PATCH", maps(both, "a"), patch, media=media)) == said
    assert cluster.call("GET", maps(both, "a")).body == before


def test_strategic_merge_is_for_the_servers_own_kinds(cluster: Cluster, both: str) -> None:
    answer = cluster.call("PATCH", widgets(both, "a"), {"spec": {"size": 2}}, media=STRATEGIC)
    assert refusal(answer) == (415, "UnsupportedMediaType", ACCEPTED + ", ".join([JSON_PATCH, MERGE, APPLY]))


def test_strategic_merge_follows_the_keys_of_lists(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services"
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    made(cluster, path, {"metadata": {"name": "s"}, "spec": {"ports": ports, "selector": {"x": "y"}}})
    patch = {
        "spec": {"ports": [{"port": 81, "name": "c"}, {"port": 80, "$patch": "delete"}, {"port": 82, "name": "d"}]}
    }
    found = cluster.call("PATCH", f"{path}/s", patch, media=STRATEGIC).body["spec"]["ports"]
    assert sorted((port["name"], port["port"]) for port in found) == [("c", 81), ("d", 82)]


@pytest.mark.parametrize("media", [MERGE, JSON_PATCH])
def test_a_patch_without_effect_writes_nothing(cluster: Cluster, both: str, media: str) -> None:
    before = cluster.call("GET", widgets(both, "a")).body
    patch = {"spec": {"size": 1}} if media == MERGE else [{"op": "replace", "path": "/spec/size", "value": 1}]
    assert version(cluster.call("PATCH", widgets(both, "a"), patch, media=media).body) == version(before)
    ignored = {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 7, "deletionTimestamp": None}}
    assert version(cluster.call("PATCH", widgets(both, "a"), ignored, media=MERGE).body) == version(before)


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        ({"spec": {"size": 500}}, 422,
         "spec.size: Invalid value: 500: spec.size in body should be less than or equal to 100"),
        ({"metadata": {"uid": "x"}}, 422, 'metadata.uid: Invalid value: "x": field is immutable'),
        ({"kind": "Gadget"}, 422, 'kind: Invalid value: "Gadget": must be Widget'),
    ],
)  # fmt: skip
def test_a_patched_object_is_judged(cluster: Cluster, both: str, patch: Any, code: int, message: str) -> None:
    answer = cluster.call("PATCH", widgets(both, "a"), patch, media=MERGE)
    assert answer.status == code
    assert answer.body["message"].endswith(f'.{GROUP} "a" is invalid: {message}')


def test_strict_shows_the_whole_patched_object(cluster: Cluster, both: str) -> None:
    answer = cluster.call("PATCH", f"{widgets(both, 'a')}?fieldValidation=Strict", {"spec": {"nope": 1}}, media=MERGE)
    code, reason, message = refusal(answer)
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(' "" is invalid: patch: Invalid value: "{\\"apiVersion\\"')
    assert message.endswith('": strict decoding error: unknown field "spec.nope"')
    assert set(answer.body["details"]) == {"causes"}


def test_force_is_for_apply(cluster: Cluster, both: str) -> None:
    answer = cluster.call("PATCH", f"{maps(both, 'a')}?force=true", {}, media=MERGE)
    text = 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    assert refusal(answer) == (422, "Invalid", text)


def test_a_json_patch_has_a_limit(cluster: Cluster, both: str) -> None:
    patch = [{"op": "test", "path": "/data/one", "value": "1"}] * 10_001
    assert refusal(cluster.call("PATCH", maps(both, "a"), patch, media=JSON_PATCH))[:2] == (
        413,
        "RequestEntityTooLarge",
    )


@pytest.mark.parametrize(
    ("media", "patch", "shown"),
    [
        (STRATEGIC, {"data": {"k": 1}}, '"map[data:map[k:1]]": cannot convert int64 to string'),
        (STRATEGIC, {"data": "x"}, '"map[data:x]": cannot restore map from string'),
        (MERGE, {"data": {"k": 1}}, ": json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        (JSON_PATCH, [{"op": "add", "path": "/data/k", "value": True}],
         ": json: cannot unmarshal bool into Go struct field ConfigMap.data of type string"),
    ],
)  # fmt: skip
def test_a_patch_to_what_is_no_config_map(cluster: Cluster, both: str, media: str, patch: Any, shown: str) -> None:
    code, reason, message = refusal(cluster.call("PATCH", maps(both, "a"), patch, media=media))
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(' "" is invalid: patch: Invalid value: "')
    assert message.endswith(shown)
    if media != STRATEGIC:  # the whole object, the patched part in order of its names
        assert '\\"uid\\":' in message
        assert message.index('\\"k\\":') < message.index('\\"one\\":') < message.index('\\"two\\":')


def test_a_step_with_an_unknown_field_is_warned_of(cluster: Cluster, both: str) -> None:
    steps = [{"op": "add", "path": "/data/k", "value": "v", "why": "x"}]
    answer = cluster.call("PATCH", maps(both, "a"), steps, media=JSON_PATCH)
    assert (answer.status, answer.headers["Warning"]) == (200, '299 - "json patch unknown field \\"[0].why\\""')


@pytest.mark.parametrize(
    ("patch", "args"),
    [
        ([{"op": "replace", "path": "/spec/args/-1", "value": "z"}], ["x", "z"]),
        ([{"op": "add", "path": "/spec/args/01", "value": "z"}], ["x", "z", "y"]),
        ([{"op": "remove", "path": "/spec/args/00"}], ["y"]),
        ([{"op": "copy", "from": "/spec/color", "path": "/spec/tier"}], ["x", "y"]),
    ],
)
def test_a_list_is_counted_from_both_ends(cluster: Cluster, space: str, patch: Any, args: list[str]) -> None:
    """A key that is copied and is not there is a null, which counts as absent."""
    made(cluster, widgets(space), widget("a", args=["x", "y"]))
    answer = cluster.call("PATCH", widgets(space, "a"), patch, media=JSON_PATCH)
    assert answer.body["spec"]["args"] == args, answer.text


def test_what_is_replaced_need_not_be_there(cluster: Cluster, both: str) -> None:
    patch = [{"op": "replace", "path": "/data/new", "value": "n"}]
    answer = cluster.call("PATCH", maps(both, "a"), patch, media=JSON_PATCH)
    assert answer.body["data"] == {"new": "n", "one": "1", "two": "2"}
    numbered = cluster.call("PATCH", maps(both, "a"), [1], media=JSON_PATCH)
    assert refusal(numbered) == (400, "BadRequest", f"{UNDECODED} number into Go value of type handlers.jsonPatchOp")


def test_a_patch_that_spoils_metadata_shows_what_it_led_to(cluster: Cluster, both: str) -> None:
    patch = [{"op": "add", "path": "/metadata/labels", "value": "gold"}]
    code, reason, message = refusal(cluster.call("PATCH", widgets(both, "a"), patch, media=JSON_PATCH))
    assert (code, reason, message.startswith(' "" is invalid: patch: Invalid value: "{')) == (422, "Invalid", True)
    assert message.endswith("cannot unmarshal string into Go struct field ObjectMeta.labels of type map[string]string")


def test_a_custom_resource_keeps_its_version_and_name(cluster: Cluster, both: str) -> None:
    lost = cluster.call("PATCH", widgets(both, "a"), {"metadata": {"resourceVersion": None}}, media=MERGE)
    why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert refusal(lost) == (422, "Invalid", f'widgets.{GROUP} "a" is invalid: {why}')
    unnamed = cluster.call("PATCH", maps(both, "a"), {"metadata": None}, media=STRATEGIC)
    text = "the name of the object (a based on URL) was undeterminable: name must be provided"
    assert refusal(unnamed) == (400, "BadRequest", text)


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({"data": {"$patch": "delete"}}, None),
        ({"data": {"$retainKeys": ["two"], "two": "3"}}, {"two": "3"}),
        ({"metadata": {"ownerReferences": [{"uid": "u", "$patch": "delete"}]}}, {"one": "1", "two": "2"}),
    ],
)
def test_directives_of_a_strategic_patch(cluster: Cluster, both: str, patch: Any, left: Any) -> None:
    answer = cluster.call("PATCH", maps(both, "a"), patch, media=STRATEGIC)
    assert (answer.status, answer.body.get("data")) == (200, left), answer.text


def test_a_directive_that_is_none_is_refused(cluster: Cluster, both: str) -> None:
    answer = cluster.call("PATCH", maps(both, "a"), {"data": {"$patch": "bogus"}}, media=STRATEGIC)
    assert refusal(answer) == (500, None, "unknown patch type: bogus in map: map[$patch:bogus]")


def test_nulls_in_lists_of_a_merge_patch_are_dropped(cluster: Cluster, both: str) -> None:
    patch = {"spec": {"free": {"list": [1, None, {"a": None, "b": 1.0}]}}}
    answer = cluster.call("PATCH", widgets(both, "a"), patch, media=MERGE)
    assert '"list":[1,null,{"b":1}]' in answer.text.replace(" ", "")
