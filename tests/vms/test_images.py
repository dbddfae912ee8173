"""What CDI can't tell from a disk: an HTML page as an image is a failed import, and its VM is not started (ADR 5)."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from catalogs import tasks
from catalogs.models import ImageProbe
from clusters import queue
from clusters.models import WorkItem
from core.actor import system_actor
from tenancy.models import User
from tests.cast import Api, session_of
from tests.engine import processes
from tests.engine.test_watch import eventually
from tests.vms.conftest import Site
from tests.vms.test_life import active, condition, phase, running
from vdcs.models import QuotaClaim, Vdc
from vms.models import VirtualMachine
from vms.services import delete_vm, set_power

ACTOR = system_actor("test")
CAUSE = "answers with an HTML page, not with a disk image."


def failed(vm: VirtualMachine) -> bool:
    found = condition(vm, "ImportFailed")
    return bool(found and CAUSE in found["message"] and vm.phase == "Failed")


def strategy(site: Site) -> str:
    machine = site.get("VirtualMachine", "web")
    return machine["spec"]["runStrategy"] if machine else ""


def test_a_page_is_a_failed_import_before_and_after_cdi_took_it_for_a_disk(site: Site):
    site.until(lambda: Vdc.objects.get(name="dev").ready_at)
    vm = site.vm(image_url=f"{site.images}/page.qcow2")
    tasks.probe()  # the verdict is there before anything is in the cluster
    site.until(lambda: failed(vm))
    site.until(lambda: strategy(site) == "Halted")
    site.until(lambda: (site.get("DataVolume", "web-disk-0") or {}).get("status", {}).get("phase") == "Succeeded")
    site.until(lambda: not WorkItem.objects.exists())
    assert failed(vm)
    assert site.get("VirtualMachineInstance", "web") is None
    assert QuotaClaim.objects.filter(owner_kind="vm", owner_id=vm.pk).exists()
    delete_vm(actor=ACTOR, vm=vm)
    site.until(lambda: not VirtualMachine.objects.exists())
    assert not QuotaClaim.objects.exists()
    assert not ImageProbe.objects.exists()


def test_a_verdict_that_comes_late_stops_what_runs_and_nobody_starts_it_again(site: Site):
    vm = running(site, image_url=f"{site.images}/page.qcow2")
    site.until(lambda: not WorkItem.objects.exists())
    tasks.probe()
    assert WorkItem.objects.filter(kind="vm", object_id=vm.pk).exists()
    site.until(lambda: failed(vm) and strategy(site) == "Halted" and not site.get("VirtualMachineInstance", "web"))
    assert vm.power_state == "on"  # what people want is theirs; the claim stands, too
    assert active(site) == 1
    site.rest()
    before = site.live("VirtualMachine", "web")["metadata"]["resourceVersion"]
    queue.request(vm)
    site.until(lambda: not WorkItem.objects.exists())
    assert site.live("VirtualMachine", "web")["metadata"]["resourceVersion"] == before
    for on in (False, True):
        set_power(actor=ACTOR, vm=vm, on=on)
        site.until(lambda: not WorkItem.objects.exists())
    assert (strategy(site), failed(vm)) == ("Halted", True)


def test_what_nobody_can_tell_holds_nothing_up(site: Site):
    vm = running(site, image_url=f"{site.images}/good.qcow2")
    ImageProbe.objects.update(url="http://127.0.0.1:9/gone.qcow2")
    tasks.probe()
    found = ImageProbe.objects.get()
    assert (found.verdict, found.attempts) == ("", 1)
    ImageProbe.objects.update(url=f"{site.images}/good.qcow2", attempts=0, due_at="2020-01-01T00:00:00Z")
    tasks.probe()
    assert ImageProbe.objects.get().verdict == "ok"
    queue.request(vm)
    site.until(lambda: not WorkItem.objects.exists())
    assert (phase(vm), condition(vm, "ImportFailed")) == ("Running", None)


@pytest.fixture
def tarpit() -> Iterator[str]:
    """A host that never answers OVIM's own look. (CDI hears 404: how the sandbox waits for a host is not the matter.)"""
    ended = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "OVIM" in self.headers["User-Agent"]:
                ended.wait(60)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Keeps test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    ended.set()
    server.shutdown()


@pytest.mark.slow
def test_accepted_then_told_within_a_minute_with_workers_as_deployed(site: Site, tarpit: str, tmp_path: Path):
    """While twelve images hang, one worker slot makes a VM at once, and a page is told of in time."""
    client = Api(session_of(User.objects.get(username="bob")))
    vdc = Vdc.objects.get(name="dev")

    def make(name: str, url: str) -> VirtualMachine:
        body = {"vdc": str(vdc.pk), "name": name, "image_url": url, "cpu": 1, "memory": "512Mi", "disk": "1Gi"}
        answer = client.post("vms", body)
        assert answer.status_code == 201, answer.content
        return VirtualMachine.objects.get(pk=answer.json()["id"])

    with (
        processes.worker(tmp_path / "worker.log"),
        processes.images(tmp_path / "images.log"),
        processes.beat(tmp_path / "beat.log"),
        processes.watcher(tmp_path / "watcher.log"),
    ):
        eventually(lambda: Vdc.objects.filter(pk=vdc.pk, ready_at__isnull=False).exists(), 60)
        for number in range(12):
            make(f"slow-{number}", f"{tarpit}/{number}.qcow2")
        asked = time.monotonic()
        page = make("page", f"{site.images}/page.qcow2")
        good = make("good", f"{site.images}/good.qcow2")
        eventually(lambda: phase(good) == "Running", 30)
        eventually(lambda: failed(page), 60)
        assert time.monotonic() - asked < 60
        eventually(lambda: site.live("VirtualMachine", "page")["spec"]["runStrategy"] == "Halted")
        eventually(lambda: site.get("VirtualMachineInstance", "page") is None)
        assert "clusters.tasks" not in (tmp_path / "images.log").read_text().partition("ready.")[2]
