"""A sandbox process of our own with KubeVirt and CDI at full speed, and a client that reads like kubectl."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from clusters.sandbox.cdi.image import make_qcow2

ROOT = Path(__file__).parents[3]
KUBEVIRT = "/apis/kubevirt.io/v1"
CDI = "/apis/cdi.kubevirt.io/v1beta1"
POWER = "/apis/subresources.kubevirt.io/v1"
Object = dict[str, Any]


class Api:
    """Raw HTTP against the sandbox: code and body."""

    def __init__(self, server: str, token: str) -> None:
        self.server = server
        self.pool = urllib3.PoolManager(headers={"Authorization": f"Bearer {token}"})

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        response = self.pool.request(
            method, self.server + path, body=data, headers={"Content-Type": kind, **self.pool.headers}
        )
        try:
            return response.status, json.loads(response.data) if response.data else None
        except ValueError:
            return response.status, response.data.decode()

    def get(self, path: str) -> Object:
        code, body = self.call("GET", path)
        return dict(body) if code == 200 else {}

    def post(self, path: str, body: Object) -> Object:
        code, answer = self.call("POST", path, body)
        assert code in (200, 201), answer
        return dict(answer)

    def patch(self, path: str, body: Object) -> tuple[int, Any]:
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def wait(self, path: str, holds: Callable[[Object], bool], seconds: float = 10) -> Object:
        """The object once `holds` is true of it ({} while it is missing)."""
        end = time.monotonic() + seconds
        while True:
            found = self.get(path)
            if holds(found):
                return found
            assert time.monotonic() < end, f"{path} never got there: {json.dumps(found.get('status'))}"
            time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def serve(*options: str, **environment: str) -> tuple[subprocess.Popen[bytes], Api]:
    port = free_port()
    command = [sys.executable, "-m", "clusters.sandbox", "serve", "--port", str(port), "--token", "t", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    api = Api(f"http://127.0.0.1:{port}", "t")
    api.pool.connection_pool_kw["retries"] = False
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if api.call("GET", "/readyz")[0] == 200:
                return process, api
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the sandbox did not start")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Api]:
    process, api = serve(OVIM_SANDBOX_PACE="fast")
    yield api
    process.terminate()
    process.wait(10)


@pytest.fixture
def namespace(sandbox: Api, request: pytest.FixtureRequest) -> str:
    name = f"t-{abs(hash(request.node.nodeid)) % 10**9}"
    sandbox.post("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keeps test output clean."""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A web server of a directory that holds demo.qcow2 (5 GiB virtual)."""
    directory = tmp_path_factory.mktemp("images")
    make_qcow2(directory / "demo.qcow2", 5 * 1024**3, 2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", directory
    server.shutdown()


def data_volume(name: str, source: Object, size: str = "10Gi") -> Object:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {"source": source, "storage": {"resources": {"requests": {"storage": size}}}},
    }


def machine(name: str, *, strategy: str = "Always", memory: str = "1Gi", volumes: list[Object] | None = None) -> Object:
    disks = volumes or [{"name": "root", "containerDisk": {"image": "registry.example/os:1"}}]
    devices = {
        "disks": [{"name": disk["name"], "disk": {"bus": "virtio"}} for disk in disks],
        "interfaces": [{"name": "net", "masquerade": {}}],
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {
            "runStrategy": strategy,
            "template": {
                "spec": {
                    "domain": {"devices": devices, "memory": {"guest": memory}, "cpu": {"cores": 2}},
                    "networks": [{"name": "net", "pod": {}}],
                    "volumes": disks,
                }
            },
        },
    }


def condition(obj: Object, kind: str) -> Object:
    return next((item for item in obj.get("status", {}).get("conditions", []) if item["type"] == kind), {})
