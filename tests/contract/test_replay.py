"""Recorded conversations with a real API server replay equal on the sandbox, every step of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOKEN = "admin-token"
FILES = sorted((HERE / "replay").glob("*.json"))


@contextmanager
def running_server(*arguments: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "clusters.sandbox", "serve", "--port", str(port), "--token", TOKEN, *arguments]
    # The recordings were made without KubeVirt's controllers: only its kinds and its admission.
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OVIM_SANDBOX_CONTROLLERS": "off"})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(url + "/readyz", timeout=1).close()
                break
            except urllib.error.URLError:
                assert time.monotonic() < end, "the sandbox did not start"
                assert process.poll() is None, "the sandbox ended"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_conversation_replays_equal(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "differences.json"
    with running_server(*([] if "virtual-machine" in file.name else ["--plain"])) as url:
        command = [sys.executable, str(HERE / "replay.py"), "--server", url, "--token", TOKEN, "--patience", "0.1"]
        result = subprocess.run([*command, "--json", str(out), str(file)], capture_output=True, text=True, check=False)
    assert result.returncode in {0, 1}, result.stderr
    report = json.loads(out.read_text())[file.name]
    assert {step["name"]: step["differences"] for step in report["different"]} == {}
