"""Promise: a watch tells everything that happens after a version, once, in order (k8s-transcript 08, 12)."""

import threading
from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import config_map, events, made, maps, refusal, version, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")
INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def told(found: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in found]


def now(cluster: Cluster, space: str) -> str:
    return str(version(cluster.call("GET", widgets(space)).body))


def test_from_nowhere_it_begins_with_all_there_is(cluster: Cluster, space: str) -> None:
    for name in "ab":
        made(cluster, widgets(space), widget(name))
    assert told(events(cluster, widgets(space))) == [("ADDED", "a"), ("ADDED", "b")]
    assert told(events(cluster, widgets(space), resourceVersion="0")) == [("ADDED", "a"), ("ADDED", "b")]


def test_from_a_version_it_tells_what_came_after(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("old"))
    since = now(cluster, space)
    made(cluster, widgets(space), widget("a", {"finalizers": ["example.org/hold"]}))
    cluster.call("PATCH", widgets(space, "old"), {"spec": {"size": 1}}, media=MERGE)  # changes nothing: not told
    cluster.call("DELETE", widgets(space, "a"))
    cluster.call("PATCH", widgets(space, "a"), {"metadata": {"finalizers": None}}, media=MERGE)
    found = events(cluster, widgets(space), resourceVersion=since)
    assert told(found) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [version(event["object"]) for event in found]
    assert versions == sorted(set(versions))


def test_a_selector_turns_changes_into_comings_and_goings(cluster: Cluster, space: str) -> None:
    since = now(cluster, space)
    made(cluster, widgets(space), widget("a"))
    for labels in ({"see": "me"}, {"see": "me", "more": "x"}, {"see": None}, {"see": "me"}):
        cluster.call("PATCH", widgets(space, "a"), {"metadata": {"labels": labels}}, media=MERGE)
    cluster.call("DELETE", widgets(space, "a"))
    found = events(cluster, widgets(space), resourceVersion=since, labelSelector="see%3Dme")
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert found[2]["object"]["metadata"]["labels"]["see"] == "me"  # as it last matched
    by_field = events(cluster, widgets(space), resourceVersion=since, fieldSelector="metadata.name%3Db")
    assert by_field == []


def test_it_tells_while_it_is_open(cluster: Cluster, space: str) -> None:
    since = now(cluster, space)
    threading.Timer(0.4, lambda: made(cluster, widgets(space), widget("late"))).start()
    assert told(events(cluster, widgets(space), resourceVersion=since, timeoutSeconds="2")) == [("ADDED", "late")]


def test_initial_events_end_with_a_bookmark(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    found = events(cluster, widgets(space), **INITIAL)
    assert told(found)[:2] == [("ADDED", "a"), ("BOOKMARK", "")]
    mark = found[1]["object"]
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (mark["kind"], version(mark) >= version(found[0]["object"])) == ("Widget", True)


@pytest.mark.parametrize(("plural", "rest"), [
    ("api/v1 limitranges", {"spec": {"limits": None}}), ("api/v1 services", {"spec": {}, "status": {"loadBalancer": {}}}),
    ("api/v1 persistentvolumeclaims", {"spec": {"resources": {}}, "status": {}}), ("api/v1 secrets", {}),
    ("apis/rbac.authorization.k8s.io/v1 roles", {"rules": None}),
])  # fmt: skip
def test_a_bookmark_of_a_built_in_kind_is_an_object_never_filled(
    cluster: Cluster, space: str, plural: str, rest: Any
) -> None:
    base, _, name = plural.partition(" ")
    path = f"/{base}/namespaces/{space}/{name}"
    mark = next(e["object"] for e in events(cluster, path, **INITIAL) if e["type"] == "BOOKMARK")
    assert {k: v for k, v in mark.items() if k not in {"kind", "apiVersion", "metadata"}} == rest


def test_a_bookmark_comes_before_the_end(cluster: Cluster, space: str) -> None:
    since = now(cluster, space)
    marks = events(cluster, widgets(space), resourceVersion=since, allowWatchBookmarks="true", timeoutSeconds="4")
    assert marks
    for mark in marks:
        assert (mark["type"], set(mark["object"])) == ("BOOKMARK", {"kind", "apiVersion", "metadata"})
        assert set(mark["object"]["metadata"]) == {"resourceVersion"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sendInitialEvents=true", (422, "Invalid", ('ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
         "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))),
        ("resourceVersionMatch=NotOlderThan", (422, "Invalid", ('ListOptions.meta.k8s.io "" is invalid: '
         "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents "
         "is provided"))),
        ("resourceVersionMatch=Odd", (422, "Invalid", ('ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: '
         "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided, "
         'resourceVersionMatch: Unsupported value: "Odd": supported values: "NotOlderThan"]'))),
        ("fieldSelector=spec.size%3D1", (400, "BadRequest", "field label not supported: spec.size")),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused(cluster: Cluster, space: str, query: str, said: Any) -> None:
    assert refusal(cluster.call("GET", f"{widgets(space)}?watch=1&{query}")) == said


def test_a_version_that_is_none(cluster: Cluster, space: str) -> None:
    assert refusal(cluster.call("GET", f"{widgets(space)}?watch=1&resourceVersion=abc"))[:2] == (500, None)


def test_a_version_that_is_forgotten_is_an_event(cluster: Cluster, space: str) -> None:
    (event,) = events(cluster, widgets(space), resourceVersion="1")
    status = event["object"]
    assert (event["type"], status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


def test_the_future_is_waited_for(cluster: Cluster, space: str) -> None:
    future = int(now(cluster, space)) + 1_000_000
    assert events(cluster, widgets(space), resourceVersion=str(future)) == []
    (event,) = events(cluster, widgets(space), **INITIAL, resourceVersion=str(future), timeoutSeconds="10")
    status = event["object"]  # but not by who wants to see all there is first
    assert (event["type"], status["code"], status["reason"]) == ("ERROR", 504, "Timeout")
    assert status["message"].startswith(f"Timeout: Too large resource version: {future}, current: ")


def test_rows_and_metadata_are_told_as_asked(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    made(cluster, widgets(space), widget("b"))
    asked = f"{widgets(space)}?watch=1&timeoutSeconds=1"
    lines = cluster.call("GET", asked, headers=TABLE).text.splitlines()
    assert len(lines) == 2
    assert '"columnDefinitions":[' in lines[0]
    assert '"columnDefinitions":null' in lines[1] or '"columnDefinitions":[]' in lines[1]
    partial = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    assert '"kind":"PartialObjectMetadata"' in cluster.call("GET", asked, headers=partial).text.replace(" ", "")


def test_the_old_path_still_watches(cluster: Cluster, space: str) -> None:
    made(cluster, maps(space), config_map("a"))
    path = f"/api/v1/watch/namespaces/{space}/configmaps"
    found = events(cluster, path, fieldSelector="metadata.name%3Da")
    assert told(found) == [("ADDED", "a")]
    assert told(events(cluster, f"{path}/a")) == [("ADDED", "a")]
