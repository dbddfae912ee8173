"""Promise: an API server that ends and starts again refuses all but masters for a moment (k8s-transcript 17).

Nobody restarts a real cluster for a test: these run on the sandbox, and are held to what was recorded of a real one.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.contract.conftest import Cluster
from tests.sandbox import Sandbox

pytestmark = pytest.mark.skipif(
    "OVIM_CONTRACT_KUBECONFIG" in os.environ, reason="a real cluster is not restarted for a test"
)
RBAC, MAPS = "/apis/rbac.authorization.k8s.io/v1", "/api/v1/namespaces/default/configmaps"
RECORDED = 'configmaps "cm1" is forbidden: User "alice" cannot get resource "configmaps"'  # the recording ends here
SECONDS = 1.5


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox("--plain", "--data", str(tmp_path / "data"), tls=tmp_path / "tls") as running:
        yield running


def speaker(served: Sandbox, folder: Path, name: str, *groups: str) -> Cluster:
    file = folder / name
    file.write_text(yaml.safe_dump(served.kubeconfig(name, *groups)))
    return Cluster(file)


def given(admin: Cluster) -> None:
    """The map, and alice's right to it by a RoleBinding."""
    assert admin.call("POST", MAPS, {"metadata": {"name": "cm1"}}).status == 201
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    where = f"{RBAC}/namespaces/default"
    assert admin.call("POST", f"{where}/roles", {"metadata": {"name": "r"}, "rules": rules}).status == 201
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }
    assert admin.call("POST", f"{where}/rolebindings", binding).status == 201


def test_after_a_start_only_masters_are_let_in_until_roles_are_read(served: Sandbox, tmp_path: Path) -> None:
    admin, alice = speaker(served, tmp_path, "admin", "system:masters"), speaker(served, tmp_path, "alice")
    given(admin)
    assert alice.call("GET", f"{MAPS}/cm1").status == 200
    served.stop()
    for who in (admin, alice):
        with pytest.raises(urllib3.exceptions.HTTPError):
            who.call("GET", f"{MAPS}/cm1")
    served.options = (*served.options, "--unread-seconds", str(SECONDS))
    starting = threading.Thread(target=served.start)  # ends once it is ready
    starting.start()
    seen = transitions({"admin": admin, "alice": alice}, 15)
    starting.join()
    assert [item[:2] for item in seen if item[0] == "admin"] == [("admin", 200)]
    first, then = (item for item in seen if item[0] == "alice")
    assert (first[1], then[1]) == (403, 200)
    body = json.loads(first[2])
    assert body["message"].startswith(RECORDED)
    assert (body["kind"], body["status"], body["reason"]) == ("Status", "Failure", "Forbidden")


def transitions(speakers: dict[str, Cluster], seconds: float) -> list[tuple[str, int, str]]:
    """Each change of what one of them is answered, until all are let in."""
    seen: list[tuple[str, int, str]] = []
    latest: dict[str, int] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until and set(latest.values()) != {200}:
        for name, cluster in speakers.items():
            try:
                answer = cluster.call("GET", f"{MAPS}/cm1")
            except urllib3.exceptions.HTTPError:
                continue
            if latest.get(name) != answer.status:
                latest[name] = answer.status
                seen.append((name, answer.status, answer.text))
    return seen


def test_meanwhile_it_is_not_ready_and_says_so_to_whom_it_lets_in(served: Sandbox, tmp_path: Path) -> None:
    admin, alice = speaker(served, tmp_path, "admin", "system:masters"), speaker(served, tmp_path, "alice")
    given(admin)
    served.control("unread", seconds=SECONDS)
    refused = admin.call("GET", "/readyz")
    assert refused.status == 500
    assert "[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n" in refused.text
    assert refused.text.endswith("readyz check failed\n")
    assert admin.call("GET", "/readyz/ping").text == "ok"
    review: Any = {"spec": {"resourceAttributes": {"verb": "get", "resource": "configmaps"}}}
    version = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    for method, path, body in (
        ("GET", "/version", None),
        ("GET", MAPS, None),
        ("GET", f"{MAPS}?watch=1", None),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", version | review),
    ):
        assert alice.call(method, path, body).status == 403, path
    time.sleep(SECONDS)
    assert admin.call("GET", "/readyz").text == "ok"
    assert alice.call("GET", MAPS).status == 200


def test_an_open_watch_ends_as_if_its_time_were_over(served: Sandbox, tmp_path: Path) -> None:
    admin = speaker(served, tmp_path, "admin", "system:masters")
    response = admin.http.request("GET", f"{served.url}{MAPS}?watch=1", preload_content=False)
    assert response.status == 200
    served.stop()
    ended = b"".join(response.stream())  # no broken chunk: it raises nothing
    assert all(json.loads(line)["type"] == "ADDED" for line in ended.splitlines())
