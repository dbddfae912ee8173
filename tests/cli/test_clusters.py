"""Clusters by the command: registered from a kubeconfig that is read here, looked at, cordoned, renewed, forgotten."""

import base64
import json

import pytest

from clusters.models import Cluster
from tests.clusters.conftest import _south, east, south  # noqa: F401  # fixtures
from tests.clusters.fleet import Prepared


@pytest.fixture
def kubeconfig(east: Prepared, tmp_path):  # noqa: F811
    """Of two contexts; the other one's token is nobody's business, and the right one's is in a file."""
    (tmp_path / "token").write_text(east.token + "\n")
    file = tmp_path / "kube.json"
    file.write_text(
        json.dumps(
            {
                "current-context": "other",
                "contexts": [
                    {"name": name, "context": {"cluster": name, "user": name}} for name in ("other", "east", "aws")
                ],
                "clusters": [{"name": name, "cluster": {"server": east.url}} for name in ("other", "east", "aws")],
                "users": [
                    {"name": "other", "user": {"token": "others-secret"}},
                    {"name": "east", "user": {"tokenFile": "token"}},
                    {
                        "name": "aws",
                        "user": {"exec": {"command": "aws", "env": [{"name": "KEY", "value": "aws-secret"}]}},
                    },
                ],
            }
        )
    )
    return str(file)


def test_registered_shown_cordoned_and_renewed(root, kubeconfig, east):  # noqa: F811
    assert "cluster east created." in root("create", "cluster", "east", "-f", kubeconfig, "--context", "east").stderr
    line = next(line for line in root.ok("get", "clusters").splitlines() if line.startswith("east"))
    assert "reached" in line
    assert "v1.9.0" in line
    told = root.ok("describe", "cluster", "east")
    for words in ("kubernetes", "v1.36.2", "vm_export", "not there", "standard", "for VMs", "ReadWriteMany"):
        assert words in told
    assert east.token not in told + root.ok("get", "cluster", "east", "-o", "yaml")
    assert "takes no new VDCs" in root("cluster", "cordon", "east").stderr
    assert "reached, cordoned" in root.ok("get", "cluster", "east")
    assert "takes new VDCs again" in root("cluster", "uncordon", "east").stderr
    assert "as it should be" in root("cluster", "check", "east").stderr
    done = root("cluster", "renew", "east", "--server", east.url, "--token-stdin", text=east.token + "\n")
    assert done.returncode == 0, done.stderr
    assert Cluster.objects.get(name="east").access_generation == 2
    assert "east is deleted." in root("delete", "cluster", "east", "--yes").stderr


def test_refusals_say_what_and_nothing_leaves_that_need_not(root, kubeconfig, east):  # noqa: F811
    told = root.refused(1, "create", "cluster", "east", "-f", kubeconfig, "--context", "aws")
    assert "runs a program to sign in" in told
    told = root.refused(2, "create", "cluster", "east", "-f", kubeconfig, "--context", "nowhere")
    assert "context 'nowhere'" in told
    assert "--token-stdin" in root.refused(2, "create", "cluster", "east", "--server", east.url)
    assert "-f KUBECONFIG" in root.refused(2, "create", "cluster", "east")
    told = root.refused(1, "create", "cluster", "e", "--server", east.url, "--token-stdin", text="wrong\n")
    assert "refuses the token" in told


def test_a_client_certificate_in_files_is_put_into_what_is_sent_and_told_before_it_ends(root, south, tmp_path):  # noqa: F811
    config = json.loads(south.kubeconfig("kubernetes-admin", "system:masters", lasting_seconds=10 * 24 * 3600))
    user = config["users"][0]["user"]
    for name in ("client-certificate", "client-key"):
        (tmp_path / f"{name}.pem").write_bytes(base64.b64decode(user.pop(f"{name}-data")))
        user[name] = f"{name}.pem"
    file = tmp_path / "kube.json"
    file.write_text(json.dumps(config))
    assert "cluster south created." in root("create", "cluster", "south", "-f", str(file)).stderr
    told = root.ok("describe", "cluster", "south")
    assert "kubernetes-admin (system:masters)" in told
    assert "The client certificate ends on" in told
    checked = root("cluster", "check", "south")
    assert checked.returncode == 0, checked.stderr
    assert "in 9 days" in checked.stderr
    assert "is as it should be" in checked.stderr
    renewed = root("cluster", "renew", "south", "-f", str(file))
    assert renewed.returncode == 0, renewed.stderr
    key = (tmp_path / "client-key.pem").read_text().splitlines()[1]
    assert key not in told + root.ok("get", "cluster", "south", "-o", "yaml")


def test_only_the_one_context_is_sent(kubeconfig):
    from cli.kubeconfigs import one_context

    assert "others-secret" not in one_context(kubeconfig, "east")
    assert "aws-secret" not in one_context(kubeconfig, "aws")


def test_a_lost_cluster_is_told_and_forgotten(root, kubeconfig):
    root.ok("create", "cluster", "east", "-f", kubeconfig, "--context", "east")
    Cluster.objects.filter(name="east").update(failing_since="2026-01-01T00:00Z", last_error="gone", schedulable=False)
    assert "lost, cordoned" in root.ok("get", "clusters")
    assert "Lost since:" in root.ok("describe", "cluster", "east")
    assert "Type the cluster's name" in root.refused(1, "cluster", "forget", "east", "--confirm", "west")
    assert root("cluster", "forget", "east", "--confirm", "east").returncode == 0
    assert not Cluster.objects.filter(name="east").exists()
