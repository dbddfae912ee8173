"""An operator written with kopf sees every change, keeps its finalizer and ends its objects."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import eventually, made, widget, widgets

pytest.importorskip("kopf")
ROOT = Path(__file__).resolve().parents[3]
OPERATOR = Path(__file__).with_name("operator_for_widgets.py")


@pytest.fixture
def operator(cluster: Cluster, kinds: None, space: str, tmp_path: Path) -> Iterator[Path]:
    """Its log, while it runs in the namespace."""
    log = tmp_path / "operator.log"
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "kopf", "run", str(OPERATOR), "--standalone", "--namespace", space, "--verbose"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    yield log
    process.terminate()
    process.wait(20)


def test_it_leads_a_widget_from_birth_to_death(cluster: Cluster, space: str, operator: Path) -> None:
    def status() -> dict[str, Any]:
        found: dict[str, Any] = cluster.call("GET", widgets(space, "a")).body.get("status", {})
        return found

    made(cluster, widgets(space), widget("a", size=2))
    eventually(lambda: status().get("phase") == "Created", 90)  # with the start of the operator
    meta = cluster.call("GET", widgets(space, "a")).body["metadata"]
    assert "kopf.zalando.org/KopfFinalizerMarker" in meta["finalizers"], operator.read_text()
    cluster.call("PATCH", widgets(space, "a"), {"spec": {"size": 9}}, media=MERGE)
    eventually(lambda: status().get("phase") == "Size9")
    eventually(lambda: int(status().get("replicas", 0)) >= 3)
    assert cluster.call("DELETE", widgets(space, "a")).body["metadata"]["deletionTimestamp"]
    eventually(lambda: cluster.call("GET", widgets(space, "a")).status == 404)
    assert f"gone: {space}/a" in operator.read_text()
    assert "Traceback" not in operator.read_text()
    told = cluster.call("GET", f"/api/v1/namespaces/{space}/events").body["items"]
    assert [event["involvedObject"]["name"] for event in told if event["reason"] == "Born"] == ["a"], (
        operator.read_text()
    )
