"""An admission webhook in the test's own process: HTTPS, a certificate authority of its own, answers by path."""

import base64
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clusters.sandbox.tls import certificates
from tests.contract.conftest import Answer, Cluster

HOST = os.environ.get("OVIM_CONTRACT_WEBHOOK_HOST", "127.0.0.1")
KINDS = "/apis/admissionregistration.k8s.io/v1"
Reply = Callable[[dict[str, Any]], dict[str, Any] | tuple[int, bytes]]


class Hooks:
    """`answers[path]` gives the `response` of a review, or status and body as they are; `seen` is what was asked."""

    def __init__(self, directory: Path, name: str = HOST) -> None:
        ca, certificate, key = certificates(directory, name)
        self.bundle = base64.b64encode(ca.read_bytes()).decode()
        self.answers: dict[str, Reply] = {}
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        server = ThreadingHTTPServer(("127.0.0.1" if HOST == "127.0.0.1" else "", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused certificates are expected
        self.port, self.server = server.server_port, server
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"https://{HOST}:{self.port}{path}"

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [review["request"] for at, _, review in self.seen if at.partition("?")[0] == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hooks.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, review))
                answer = hooks.answers[self.path.partition("?")[0]](review["request"])
                status, body = answer if isinstance(answer, tuple) else (200, _review(review, answer))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _review(review: dict[str, Any], response: dict[str, Any]) -> bytes:
    answer = {key: review[key] for key in ("apiVersion", "kind")}
    return json.dumps({**answer, "response": {"uid": review["request"]["uid"], **response}}).encode()


@contextmanager
def hooked(cluster: Cluster, space: str, *hooks: dict[str, Any], mutating: bool = False) -> Iterator[None]:
    """Webhooks for the ConfigMaps of one namespace, unless a hook says otherwise."""
    plural = "mutatingwebhookconfigurations" if mutating else "validatingwebhookconfigurations"
    base = {
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
        ],
    }
    named = [{"name": f"w{i}.contract.ovim.io", **base, **hook} for i, hook in enumerate(hooks)]
    path = f"{KINDS}/{plural}"
    made = cluster.call("POST", path, {"metadata": {"name": space}, "webhooks": named})
    assert made.status == 201, made.text
    try:
        yield
    finally:
        cluster.call("DELETE", f"{path}/{space}")


def create(cluster: Cluster, space: str, name: str, *, query: str = "", **fields: Any) -> Answer:
    body = {"metadata": {"name": name, **fields.pop("metadata", {})}, **fields}
    return cluster.call("POST", f"/api/v1/namespaces/{space}/configmaps{query}", body)


def settled(cluster: Cluster, space: str, status: int, **fields: Any) -> None:
    """A real server takes a new configuration up within a second or two: tried out by dry runs."""
    end = time.monotonic() + 30
    while create(cluster, space, "probe", query="?dryRun=All", **fields).status != status:
        assert time.monotonic() < end, f"a dry run never answered {status}"
        time.sleep(0.1)


def awake(cluster: Cluster, space: str, hooks: Hooks, *paths: str, **fields: Any) -> None:
    """Dry runs until every one of the webhooks was asked."""
    end = time.monotonic() + 30
    while not all(hooks.asked(path) for path in paths):
        assert time.monotonic() < end, f"the webhooks at {paths} were never asked"
        create(cluster, space, "probe", query="?dryRun=All", **fields)


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    if os.environ.get("OVIM_CONTRACT_KUBECONFIG") and HOST == "127.0.0.1":
        pytest.skip("set OVIM_CONTRACT_WEBHOOK_HOST to an address of this machine that the cluster reaches")
    running = Hooks(tmp_path / "tls")
    yield running
    running.server.shutdown()
