"""Faults by order: each does what it says, as often as it says, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import urllib3

from tests.clusters.sandbox.conftest import ROOT, TOKEN, WIDGETS, Sandbox, eventually


def test_next_two_requests_are_throttled(sandbox: Sandbox) -> None:
    sandbox.order("faults", action="status", code=429, message="slow down", retry_after=3, count=2, resource="widgets")
    for _ in range(2):
        answer = sandbox.call("GET", WIDGETS)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
        assert (answer.body["reason"], answer.body["message"]) == ("TooManyRequests", "slow down")
    assert sandbox.call("GET", WIDGETS).status == 200
    assert sandbox.show()["faults"] == []


def test_fault_matches_method_and_name_only(sandbox: Sandbox) -> None:
    sandbox.widget("a")
    sandbox.widget("b")
    sandbox.order("faults", action="status", code=503, method="GET", resource="widgets", name="a", count=-1)
    assert sandbox.call("GET", f"{WIDGETS}/b").status == 200
    assert sandbox.call("DELETE", f"{WIDGETS}/b").status == 200
    assert sandbox.call("GET", f"{WIDGETS}/a").status == 503
    sandbox.order("clear")
    assert sandbox.call("GET", f"{WIDGETS}/a").status == 200


def test_reset_gives_no_answer_and_does_nothing(sandbox: Sandbox) -> None:
    sandbox.order("faults", action="reset", method="PATCH")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        sandbox.apply(f"{WIDGETS}/x", {"apiVersion": "test.example/v1", "kind": "Widget", "spec": {"size": 1}})
    assert sandbox.call("GET", f"{WIDGETS}/x").status == 404


def test_lost_answer_was_executed(sandbox: Sandbox) -> None:
    sandbox.order("faults", action="lost", method="PATCH")
    body = {"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": {"size": 1}}
    with pytest.raises(urllib3.exceptions.ProtocolError):
        sandbox.apply(f"{WIDGETS}/x", body)
    found = sandbox.call("GET", f"{WIDGETS}/x")
    assert found.status == 200
    again = sandbox.apply(f"{WIDGETS}/x", body)
    assert again.status == 200
    assert again.body["metadata"]["resourceVersion"] == found.body["metadata"]["resourceVersion"]


def test_latency_delays_the_answer(sandbox: Sandbox) -> None:
    sandbox.order("faults", action="latency", delay_ms=400, resource="widgets")
    begin = time.monotonic()
    assert sandbox.call("GET", WIDGETS).status == 200
    assert time.monotonic() - begin >= 0.4


def test_dropped_watch_is_cut_not_ended(sandbox: Sandbox) -> None:
    seen: list[Any] = []
    raised: list[Exception] = []

    def listen() -> None:
        try:
            seen.extend(sandbox.watch(WIDGETS))
        except urllib3.exceptions.HTTPError as problem:
            raised.append(problem)

    thread = threading.Thread(target=listen)
    thread.start()
    eventually(lambda: sandbox.show()["watches"] == 1)
    assert sandbox.order("watches/drop", resource="widgets.test.example") == {"watches": 1}
    thread.join(10)
    assert raised
    assert sandbox.show()["watches"] == 0


def test_stalled_watch_delivers_after_release(sandbox: Sandbox) -> None:
    version = sandbox.call("GET", WIDGETS).body["metadata"]["resourceVersion"]
    seen: list[Any] = []
    thread = threading.Thread(
        target=lambda: seen.extend(sandbox.watch(WIDGETS, resourceVersion=version, timeoutSeconds="4"))
    )
    thread.start()
    eventually(lambda: sandbox.show()["watches"] == 1)
    assert sandbox.order("watches/stall") == {"watches": 1}
    sandbox.widget("late")
    time.sleep(0.3)
    assert seen == []
    sandbox.order("watches/release")
    thread.join(10)
    assert [event["object"]["metadata"]["name"] for event in seen] == ["late"]


def test_controls_need_the_token(sandbox: Sandbox) -> None:
    assert sandbox.call("GET", "/_sandbox/show", token="wrong").status == 401
    anonymous = sandbox.http.request("GET", sandbox.url + "/_sandbox/show")
    assert anonymous.status == 403


def test_unknown_action_is_refused(sandbox: Sandbox) -> None:
    answer = sandbox.call("POST", "/_sandbox/faults", {"action": "explode"})
    assert answer.status == 400
    assert "status, reset, lost, latency" in answer.body["message"]


def test_ctl_drives_the_same_interface(sandbox: Sandbox) -> None:
    def ctl(*arguments: str) -> Any:
        command = [sys.executable, "-m", "clusters.sandbox", "ctl", "--server", sandbox.url, "--token", TOKEN]
        result = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return json.loads(result.stdout)

    ctl("fault", "status", "--code", "500", "--resource", "widgets")
    assert sandbox.call("GET", WIDGETS).status == 500
    assert ctl("show")["objects"]["namespaces"] == 4
    assert ctl("compact")["version"] == sandbox.show()["resourceVersion"]
