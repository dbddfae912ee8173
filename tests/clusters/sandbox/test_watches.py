"""Watches: resume, expire, bookmark (k8s-replay 04 has the rest)."""

from __future__ import annotations

from tests.clusters.sandbox.conftest import MERGE, WIDGETS, Sandbox


def test_resume_misses_nothing_and_repeats_nothing(sandbox: Sandbox) -> None:
    sandbox.widget("a")
    version = sandbox.widget("b")["metadata"]["resourceVersion"]
    sandbox.widget("c")
    sandbox.call("DELETE", f"{WIDGETS}/a")
    events = list(sandbox.watch(WIDGETS, resourceVersion=version, timeoutSeconds="1"))
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [("ADDED", "c"), ("DELETED", "a")]


def test_compacted_version_is_an_error_event_in_a_200(sandbox: Sandbox) -> None:
    version = sandbox.widget("a")["metadata"]["resourceVersion"]
    sandbox.widget("b")
    sandbox.order("compact", resource="widgets.test.example")
    (event,) = sandbox.watch(WIDGETS, resourceVersion=version, timeoutSeconds="1")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_continue_token_expires_with_compaction(sandbox: Sandbox) -> None:
    for name in "abc":
        sandbox.widget(name)
    first = sandbox.call("GET", f"{WIDGETS}?limit=2").body
    sandbox.widget("d")
    sandbox.order("compact")
    answer = sandbox.call("GET", f"{WIDGETS}?limit=2&continue={first['metadata']['continue']}")
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    rest = sandbox.call("GET", f"{WIDGETS}?continue={answer.body['metadata']['continue']}").body
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d"]


def test_pages_show_the_state_of_the_first_page(sandbox: Sandbox) -> None:
    for name in "abc":
        sandbox.widget(name)
    first = sandbox.call("GET", f"{WIDGETS}?limit=1").body
    sandbox.call("DELETE", f"{WIDGETS}/b")
    sandbox.widget("d")
    rest = sandbox.call("GET", f"{WIDGETS}?continue={first['metadata']['continue']}").body
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_no_op_write_sends_no_event(sandbox: Sandbox) -> None:
    version = sandbox.widget("a")["metadata"]["resourceVersion"]
    answer = sandbox.call("PATCH", f"{WIDGETS}/a", {"spec": {"size": 1}}, media=MERGE)
    assert answer.body["metadata"]["resourceVersion"] == version
    assert list(sandbox.watch(WIDGETS, resourceVersion=version, timeoutSeconds="1")) == []
