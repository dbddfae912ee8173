"""Programs of others, against the same cluster as the contract cases."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.sandbox.conftest import Sandbox
from tests.contract.conftest import Cluster

KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture
def kubeconfig(cluster: Cluster) -> str:
    return str(cluster.kubeconfig)


class Kubectl:
    """kubectl with a home of its own, in one namespace; `fails` answers what it complains about."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        self.base = [str(KUBECTL), "--kubeconfig", str(kubeconfig), "--namespace", "default"]
        self.env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def __call__(self, *arguments: str, text: str | None = None, fails: bool = False) -> str:
        result = subprocess.run(
            [*self.base, *arguments], input=text, capture_output=True, text=True, timeout=60, env=self.env, check=False
        )
        assert (result.returncode != 0) == fails, result.stderr + result.stdout
        return result.stderr + result.stdout if fails else result.stdout


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Over TLS, because kubectl sends no token without it; with KubeVirt's kinds."""
    home = tmp_path_factory.mktemp("kubectl")
    real = os.environ.get("OVIM_CONTRACT_KUBECONFIG")
    if real:
        yield Kubectl(Path(real), home)
        return
    running = Sandbox("--tls", str(home / "tls"), "--kubeconfig", str(home / "config"), tls=home / "tls")
    yield Kubectl(home / "config", home)
    running.stop()
