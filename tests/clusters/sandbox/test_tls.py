"""TLS by a self-signed CA, and the kubeconfig that goes with it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.clusters.sandbox.conftest import TOKEN, Sandbox


def test_tls_with_kubeconfig(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    tls, kubeconfig = tmp_path / "tls", tmp_path / "kubeconfig"
    sandbox = start("--tls", str(tls), "--kubeconfig", str(kubeconfig), tls=tls)
    assert sandbox.call("GET", "/api/v1/namespaces/default").status == 200
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE((tls / "server.key").stat().st_mode) == 0o600
    config = yaml.safe_load(kubeconfig.read_text())
    assert config["clusters"][0]["cluster"] == {"server": sandbox.url, "certificate-authority": str(tls / "ca.crt")}
    assert config["users"][0]["user"] == {"token": TOKEN}
