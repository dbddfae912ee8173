"""The recorded conversation with KubeVirt's real webhooks replays; a restarted cluster goes on where it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters.sandbox_kubevirt.conftest import KUBEVIRT, ROOT, machine, serve

CONVERSATION = ROOT / "tests/contract/replay/06-virtual-machine.json"


@pytest.mark.skipif(not CONVERSATION.exists(), reason="the recorded conversation is not in this checkout")
def test_the_recorded_conversation_replays(tmp_path: Path) -> None:
    process, api = serve(OVIM_SANDBOX_CONTROLLERS="off")  # the recording's cluster ran webhooks, no controllers
    try:
        command = [sys.executable, "tests/contract/replay.py", "--server", api.server, "--token", "t", "--quiet"]
        report = tmp_path / "differences.json"
        subprocess.run([*command, "--json", str(report), str(CONVERSATION)], cwd=ROOT, check=False, capture_output=True)
    finally:
        process.terminate()
        process.wait(10)
    (found,) = json.loads(report.read_text()).values()
    assert found["steps"] == 79
    assert [step["name"] for step in found["different"]] == []


def test_a_machine_half_started_at_a_restart_gets_running(tmp_path: Path) -> None:
    process, api = serve("--data", str(tmp_path), OVIM_SANDBOX_PACE="1")
    machines = f"{KUBEVIRT}/namespaces/default/virtualmachines"
    try:
        api.post(machines, machine("web"))
        api.wait(f"{machines}/web", lambda vm: vm.get("status", {}).get("printableStatus") == "Starting")
    finally:
        process.terminate()
        process.wait(10)
    process, api = serve("--data", str(tmp_path), OVIM_SANDBOX_PACE="fast")
    try:
        api.wait(f"{machines}/web", lambda vm: vm.get("status", {}).get("printableStatus") == "Running")
        pods = api.get("/api/v1/namespaces/default/pods")["items"]
        assert len(pods) == 1
    finally:
        process.terminate()
        process.wait(10)
