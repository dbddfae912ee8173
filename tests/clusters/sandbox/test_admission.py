"""What is the sandbox's alone: webhooks that are down by order, tokens that outlive it, expressions it can't judge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.sandbox.conftest import ROOT, TOKEN, Sandbox
from tests.contract.hooks import Hooks

VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
KINDS = "/apis/admissionregistration.k8s.io/v1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MUTATOR, VALIDATOR = "virtualmachines-mutator.kubevirt.io", "virtualmachine-validator.kubevirt.io"


def machine(name: str) -> dict[str, Any]:
    domain = {"devices": {}, "resources": {"requests": {"memory": "64Mi"}}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": domain}}}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def whole() -> Iterator[Sandbox]:
    """With KubeVirt and CDI."""
    sandbox = Sandbox()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    running = Hooks(tmp_path / "tls")
    yield running
    running.server.shutdown()


def configure(sandbox: Sandbox, hooks: Hooks, plural: str, *webhooks: dict[str, Any]) -> None:
    base = {
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
    }
    every = [
        {"name": f"w{i}.test.example", **base, "clientConfig": {"url": hooks.url(f"/w{i}"), "caBundle": hooks.bundle}}
        | hook
        for i, hook in enumerate(webhooks)
    ]
    sandbox.call("DELETE", f"{KINDS}/{plural}/test")
    made = sandbox.call("POST", f"{KINDS}/{plural}", {"metadata": {"name": "test"}, "webhooks": every})
    assert made.status == 201, made.text


@pytest.mark.parametrize(("name", "path"), [(MUTATOR, "mutate"), (VALIDATOR, "validate")])
def test_a_webhook_of_kubevirt_is_down_by_order(whole: Sandbox, name: str, path: str) -> None:
    order = ("fault", "webhook", "--name", name, "--count", "1")
    command = [sys.executable, "-m", "clusters.sandbox", "ctl", "--server", whole.url, "--token", TOKEN, *order]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    refused = whole.call("POST", VMS, machine(f"down-{path}"))
    assert (refused.status, refused.body["reason"]) == (500, "InternalError")
    url = f"https://virt-api.kubevirt.svc:443/virtualmachines-{path}?timeout=10s"
    start = f'Internal error occurred: failed calling webhook "{name}": failed to call webhook: Post "{url}"'
    assert refused.body["message"].startswith(f"{start}: dial tcp ")
    assert refused.body["message"].endswith("connect: connection refused")
    assert whole.call("POST", VMS, machine(f"down-{path}")).status == 201


def test_a_configured_webhook_is_down_by_order(whole: Sandbox, hooks: Hooks) -> None:
    hooks.answers = {"/w0": lambda _: {"allowed": True}}
    configure(whole, hooks, "validatingwebhookconfigurations", {})
    try:
        whole.order("faults", action="webhook", name="w0.test.example")
        path = "/api/v1/namespaces/default/configmaps"
        refused = whole.call("POST", path, {"metadata": {"name": "down"}})
        assert refused.status == 500
        assert 'failed calling webhook "w0.test.example"' in refused.body["message"]
        assert "connect: connection refused" in refused.body["message"]
        assert whole.call("POST", path, {"metadata": {"name": "down"}}).status == 201
        assert whole.show()["faults"] == []
    finally:
        whole.call("DELETE", f"{KINDS}/validatingwebhookconfigurations/test")


def test_what_kubevirt_makes_up_is_the_same_in_the_review_and_the_store(whole: Sandbox, hooks: Hooks) -> None:
    seen = []
    hooks.answers = {f"/w{i}": lambda request: seen.append(request["object"]) or {"allowed": True} for i in range(2)}  # type: ignore[func-returns-value]
    configure(whole, hooks, "mutatingwebhookconfigurations", {})
    configure(whole, hooks, "validatingwebhookconfigurations", {}, {})
    try:
        made = whole.call("POST", VMS, machine("same"))
    finally:
        whole.call("DELETE", f"{KINDS}/mutatingwebhookconfigurations/test")
        whole.call("DELETE", f"{KINDS}/validatingwebhookconfigurations/test")
    assert made.status == 201, made.text
    firmware = [obj["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"] for obj in [*seen, made.body]]
    assert len(firmware) == 4
    assert len(set(firmware)) == 1
    assert {obj["metadata"]["uid"] for obj in seen} == {made.body["metadata"]["uid"]}


def test_a_mutator_is_asked_again_when_a_later_one_changed_the_object(whole: Sandbox, hooks: Hooks) -> None:
    add = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2RhdGEiLCJ2YWx1ZSI6eyJhIjoiYiJ9fV0="  # adds data: {a: b}
    asked: list[Any] = []
    hooks.answers = {
        "/w0": lambda request: asked.append(request["object"].get("data")) or {"allowed": True},  # type: ignore[func-returns-value]
        "/w1": lambda _: {"allowed": True, "patchType": "JSONPatch", "patch": add},
    }
    configure(whole, hooks, "mutatingwebhookconfigurations", {"reinvocationPolicy": "IfNeeded"}, {})
    try:
        made = whole.call("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "again"}})
    finally:
        whole.call("DELETE", f"{KINDS}/mutatingwebhookconfigurations/test")
    assert made.body["data"] == {"a": "b"}
    assert asked == [None, {"a": "b"}]


def test_deleting_many_asks_for_each_before_the_first_is_gone(whole: Sandbox, hooks: Hooks) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    for name in ("many-a", "many-b", "many-c"):
        body = {"metadata": {"name": name, "labels": {"many": "yes"}}}
        assert whole.call("POST", path, body).status == 201
    hooks.answers = {"/w0": lambda request: {"allowed": request["name"] != "many-b"}}
    configure(whole, hooks, "validatingwebhookconfigurations", {})
    try:
        assert whole.call("DELETE", f"{path}?labelSelector=many%3Dyes").status == 400
        assert len(whole.call("GET", f"{path}?labelSelector=many%3Dyes").body["items"]) == 3
        hooks.answers = {"/w0": lambda _: {"allowed": True}}
        assert len(whole.call("DELETE", f"{path}?labelSelector=many%3Dyes").body["items"]) == 3
    finally:
        whole.call("DELETE", f"{KINDS}/validatingwebhookconfigurations/test")


def test_a_patch_that_meets_another_write_is_reviewed_anew(whole: Sandbox, hooks: Hooks) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    assert whole.call("POST", path, {"metadata": {"name": "met"}, "data": {"n": "0"}}).status == 201
    seen: list[Any] = []

    def meddle(request: dict[str, Any]) -> dict[str, Any]:
        seen.append(request["object"]["data"])
        if len(seen) == 1:  # a write of somebody else, while this one is under review
            body = {"data": {"other": "1"}}
            whole.call("PATCH", f"{path}/met", body, media="application/merge-patch+json")
        return {"allowed": True}

    hooks.answers = {"/w0": meddle}
    configure(whole, hooks, "validatingwebhookconfigurations", {})
    try:
        done = whole.call("PATCH", f"{path}/met", {"data": {"n": "1"}}, media="application/merge-patch+json")
    finally:
        whole.call("DELETE", f"{KINDS}/validatingwebhookconfigurations/test")
    assert done.body["data"] == {"n": "1", "other": "1"}
    assert seen == [{"n": "1"}, {"n": "0", "other": "1"}, {"n": "1", "other": "1"}]


def test_tokens_outlive_the_sandbox_with_its_data(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = start("--data", str(tmp_path / "data"))
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    assert sandbox.call("POST", accounts, {"metadata": {"name": "bot"}}).status == 201
    token = sandbox.call("POST", f"{accounts}/bot/token", {"spec": {}}).body["status"]["token"]
    assert sandbox.call("GET", "/api", token=token).status == 200
    sandbox.stop()
    sandbox.restart()
    assert sandbox.call("GET", "/api", token=token).status == 200
    assert sandbox.call("GET", "/api", token=token[:-4] + "AAAA").status == 401
    assert (tmp_path / "data" / "accounts.key").stat().st_mode & 0o777 == 0o600


def test_its_controls_are_for_the_administrator_alone(start: Callable[..., Sandbox]) -> None:
    sandbox = start()
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    sandbox.call("POST", accounts, {"metadata": {"name": "bot"}})
    token = sandbox.call("POST", f"{accounts}/bot/token", {"spec": {}}).body["status"]["token"]
    assert sandbox.call("GET", "/_sandbox/show", token=token).status == 403
    assert sandbox.call("GET", "/_sandbox/show").status == 200


@pytest.mark.parametrize(
    "rule", ["url(self.at).getHost() == 'a'", "self.at.format([1]) == ''", "ip(self.at).family() == 4"]
)
def test_a_function_that_it_does_not_know_is_refused_by_name(whole: Sandbox, rule: str) -> None:
    spec = {"type": "object", "properties": {"at": {"type": "string"}}, "x-kubernetes-validations": [{"rule": rule}]}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
    }
    body = {
        "metadata": {"name": "gizmos.test.example"},
        "spec": {
            "group": "test.example",
            "scope": "Namespaced",
            "names": {"plural": "gizmos", "kind": "Gizmo"},
            "versions": [version],
        },
    }
    refused = whole.call("POST", CRDS, body)
    assert refused.status == 422
    assert "is not supported by this sandbox" in refused.body["message"]
