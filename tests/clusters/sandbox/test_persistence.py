"""Objects, versions and uids survive a restart and a kill -9."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clusters.sandbox.conftest import WIDGETS, Sandbox, eventually


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_objects_survive(start: Callable[..., Sandbox], tmp_path: Path, how: int) -> None:
    sandbox = start("--data", str(tmp_path / "data"))
    sandbox.widgets()
    kept = sandbox.widget("kept")
    gone = sandbox.widget("gone")
    sandbox.call("DELETE", f"{WIDGETS}/gone")
    version = int(sandbox.show()["resourceVersion"])
    sandbox.stop(how)
    sandbox.restart()
    assert sandbox.call("GET", f"{WIDGETS}/kept").body == kept
    assert sandbox.call("GET", f"{WIDGETS}/gone").status == 404
    again = sandbox.widget("gone")
    assert again["metadata"]["uid"] != gone["metadata"]["uid"]
    assert int(again["metadata"]["resourceVersion"]) > version


def test_torn_last_line_is_cut_off(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    data = tmp_path / "data"
    sandbox = start("--data", str(data))
    sandbox.widgets()
    sandbox.widget("whole")
    sandbox.stop(signal.SIGKILL)
    with (data / "journal.jsonl").open("ab") as journal:
        journal.write(b'["widgets.test.example","default/torn",9')
    sandbox.restart()
    assert sandbox.call("GET", f"{WIDGETS}/whole").status == 200
    assert sandbox.call("GET", f"{WIDGETS}/torn").status == 404
    sandbox.widget("after")
    sandbox.stop(signal.SIGKILL)
    sandbox.restart()
    assert sandbox.call("GET", f"{WIDGETS}/after").status == 200


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_versions_from_before_a_restart_are_expired(start: Callable[..., Sandbox], tmp_path: Path, how: int) -> None:
    sandbox = start("--data", str(tmp_path / "data"))
    sandbox.widgets()
    version = sandbox.widget("a")["metadata"]["resourceVersion"]
    sandbox.widget("b")
    sandbox.call("DELETE", f"{WIDGETS}/a")
    sandbox.stop(how)
    sandbox.restart()
    (event,) = sandbox.watch(WIDGETS, resourceVersion=version, timeoutSeconds="1")
    assert event["object"]["code"] == 410


def test_what_comes_back_is_in_order(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = start("--data", str(tmp_path / "data"))
    sandbox.widgets()
    for name in "cabd":
        sandbox.widget(name)
    sandbox.call("DELETE", f"{WIDGETS}/b")
    sandbox.stop(signal.SIGKILL)
    sandbox.restart()
    sandbox.widget("bb")
    sandbox.call("DELETE", f"{WIDGETS}/c")
    names = [item["metadata"]["name"] for item in sandbox.call("GET", WIDGETS).body["items"]]
    assert names == ["a", "bb", "d"]


def test_what_was_to_be_done_when_it_was_killed_is_done_after_the_restart(
    start: Callable[..., Sandbox], tmp_path: Path
) -> None:
    """Owners that went without their dependents yet, and a quota that still counts what is gone."""
    sandbox = start("--data", str(tmp_path / "data"))
    sandbox.widgets()
    owner = sandbox.widget("owner")
    maps, quotas = ("/api/v1/namespaces/default/" + plural for plural in ("configmaps", "resourcequotas"))
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    hard = {"metadata": {"name": "few"}, "spec": {"hard": {"count/configmaps": "5"}}}
    assert sandbox.call("POST", quotas, hard).status == 201
    made = sandbox.call("POST", maps, {"metadata": {"name": "dependent", "ownerReferences": [reference]}})
    assert made.status == 201
    eventually(lambda: used(sandbox, quotas) == "2")  # the cluster's own CA is one
    sandbox.call("DELETE", f"{WIDGETS}/owner")
    sandbox.stop(signal.SIGKILL)  # within the tenth of a second that its controllers wait
    sandbox.restart()
    eventually(lambda: sandbox.call("GET", f"{maps}/dependent").status == 404)
    eventually(lambda: used(sandbox, quotas) == "1")


def used(sandbox: Sandbox, quotas: str) -> str:
    status = sandbox.call("GET", f"{quotas}/few").body.get("status") or {}
    return str((status.get("used") or {}).get("count/configmaps"))
