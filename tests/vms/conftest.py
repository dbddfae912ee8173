"""A sandbox cluster with KubeVirt and CDI at full speed, set up as the demo sets it up, and a hand that turns the engine."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from clusters import connections, status
from clusters.errors import KubeError
from clusters.models import Cluster, WorkItem
from clusters.refs import KINDS, WATCHED, Ref
from clusters.sandbox.cdi.image import make_qcow2
from core.actor import system_actor
from tests.engine import driver
from tests.sandbox import TOKEN, Sandbox
from vms.models import VirtualMachine
from vms.services import create_vm


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keeps test output clean."""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with a good image and some that only their bytes give away."""
    folder = tmp_path_factory.mktemp("images")
    make_qcow2(folder / "good.qcow2", 64 * 1024**2, 1)
    make_qcow2(folder / "large.qcow2", 900 * 1024**3, 1)
    (folder / "page.qcow2").write_text("<!doctype html><title>Sign in</title>")
    (folder / "truncated.qcow2").write_bytes((folder / "good.qcow2").read_bytes()[:70_000])
    (folder / "wrong.vmdk").write_bytes(b"KDMV" + bytes(4096))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    os.environ["OVIM_SANDBOX_PACE"] = "fast"
    with Sandbox() as running:
        yield running


@dataclass
class Site:
    """The product without its processes: turn it by hand until something is the case."""

    sandbox: Sandbox
    images: str
    sign_ins: dict[str, Any]

    @property
    def cluster(self) -> Cluster:
        return Cluster.objects.get(is_default=True)

    def turn(self) -> int:
        """List everything into the cache, then work off what is due."""
        driver.relist(self.cluster, WATCHED)
        return driver.work(self.cluster)

    def until(self, holds: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, self.told()
            self.turn()
            time.sleep(0.02)
        return found

    def rest(self) -> None:
        """Until no work is left and the cluster's own controllers write nothing any more: then versions can be compared."""
        self.until(lambda: not WorkItem.objects.exists() and self._is_still())

    def _is_still(self) -> bool:
        client, kind = connections.client_of(self.cluster.pk), KINDS["", "Namespace"]
        before = client.list(kind)[1]  # the version of the whole cluster, as the sandbox counts
        for _ in range(2):
            time.sleep(0.4)
            if client.list(kind)[1] != before:
                return False
        return True

    def told(self) -> str:
        rows = VirtualMachine.objects.values("name", "phase", "conditions", "power_state")
        return json.dumps(list(rows), indent=1, default=str)

    def vm(self, name: str = "web", **more: Any) -> VirtualMachine:
        from vdcs.models import Vdc

        given: dict[str, Any] = {
            "image_url": f"{self.images}/good.qcow2",
            "cpu": 1,
            "memory_mib": 512,
            "disk_gib": 1,
        } | more
        vdc = Vdc.objects.get(name="dev")
        return create_vm(actor=system_actor("test"), vdc=vdc, name=name, **given)

    def live(self, kind: str, name: str, namespace: str = "acme-corp-dev") -> dict[str, Any]:
        found = self.get(kind, name, namespace)
        assert found is not None, f"{kind} {name} is not there"
        return found

    def get(self, kind: str, name: str, namespace: str = "acme-corp-dev") -> dict[str, Any] | None:
        found = next(item for item in KINDS.values() if item.kind == kind)
        return connections.client_of(self.cluster.pk).get(Ref(found.group, kind, namespace, name))

    def names(self, kind: str, namespace: str = "acme-corp-dev") -> set[str]:
        found = next(item for item in KINDS.values() if item.kind == kind)
        try:
            items, _ = connections.client_of(self.cluster.pk).list(found, namespace=namespace)
        except KubeError:
            return set()
        return {item["metadata"]["name"] for item in items}


@pytest.fixture
def site(
    live_db: None, sandbox: Sandbox, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """acme-corp with dev and prod, as setup_demo makes them, on a cluster that holds nothing else."""
    config = tmp_path / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": sandbox.url}}],
                "users": [{"name": "u", "user": {"token": TOKEN}}],
            }
        )
    )
    monkeypatch.setenv("OVIM_KUBECONFIG", str(config))
    monkeypatch.setattr(status, "MIRROR_SECONDS", 0.2)  # who waits until all is done need not wait ten seconds for it
    sign_ins = tmp_path / "sign-ins.json"
    call_command(
        "setup_demo",
        "--oidc-prefix",
        "oidc:",
        "--sign-ins",
        str(sign_ins),
        "--image-url",
        f"{images}/good.qcow2",
        stderr=sys.stderr,
    )
    found = Site(sandbox, images, json.loads(sign_ins.read_text()))
    yield found
    client = connections.client_of(found.cluster.pk)
    for kind in (KINDS["ovim.io", "Organization"], KINDS["", "Namespace"]):
        for item in client.list(kind)[0]:
            if item["metadata"]["name"].startswith("acme"):
                client.raw("DELETE", kind.path("", item["metadata"]["name"]))
    end = time.monotonic() + 10
    while any(item["metadata"]["name"].startswith("acme") for item in client.list(KINDS["", "Namespace"])[0]):
        assert time.monotonic() < end, "the namespaces did not go"
        time.sleep(0.02)
