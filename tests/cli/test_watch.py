"""`-w` by the live stream: a change is shown as it happens, and where there is no stream that is said."""

import json
import subprocess
import time
from contextlib import contextmanager

import pytest
from django.db import transaction

from clusters import live as changes
from tests.cli.conftest import shown
from tests.domain import a_vdc, a_vm
from tests.live.conftest import LiveServer
from vdcs import quotas
from vms import services


@pytest.fixture
def live(live_db):
    with LiveServer() as running:
        yield running


@contextmanager
def running(process):
    """It does not outlive the test, whatever happens."""
    try:
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
    finally:
        process.kill()


def tell(vm, *, deleted=False):
    if not deleted:
        vm.refresh_from_db()
    changes.publish([changes.Change("vm", vm.pk, vm.generation, vm.phase, vm.organization_id, deleted)])


def line(process):
    return json.loads(process.stdout.readline())


@pytest.mark.slow
def test_changes_come_through_the_live_stream(root, live, vdc, item):
    web, other = a_vm(vdc, "web"), a_vm(a_vdc("prod"), "other")
    root.ok("config", "set-context", "--live-server", live.url)
    assert "ok       live stream: it speaks" in root.ok("doctor")
    with running(root.start("get", "vms", "-w", "--vdc", "acme/dev", "-o", "json")) as process:
        assert line(process)["phase"] == "Pending"
        listening(live)
        shown(phase="Running")
        tell(other)
        tell(web)
        changed = line(process)
        assert (changed["name"], changed["phase"]) == ("web", "Running")
        new = a_vm(vdc, "new")
        tell(new)
        assert line(process)["name"] == "new"
        with transaction.atomic():
            quotas.lock(vdc, for_deletion=True)
            services.gone(new)
            new_key = new.pk
            new.delete()
        new.pk = new_key
        tell(new, deleted=True)
        gone = line(process)
        assert (gone["name"], gone["phase"]) == ("new", "Deleted")
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "asking every" not in err, "it listened all the time"


def listening(live):
    """The command is at the stream: its connection stands."""
    port = f":{live.port:04X}"
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with open("/proc/net/tcp") as file:
            if sum(row.split()[3] == "01" and row.split()[1].endswith(port) for row in file if port in row):
                time.sleep(1)
                return
        time.sleep(0.1)
    raise AssertionError("nobody listens")


def test_without_a_stream_it_says_so_and_asks(root, vdc, item):
    a_vm(vdc, "web")
    with running(root.start("get", "vms", "-w", "-o", "name")) as process:
        assert process.stdout.readline() == "dev/web\n"
        a_vm(vdc, "new")
        assert process.stdout.readline() == "dev/new\n"
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert "No live stream" in err
    assert "asking every 2 s" in err


def test_the_reader_takes_one_line(root, vdc, item):
    for number in range(3):
        a_vm(vdc, f"vm-{number}")
    with root.start("get", "vms") as process:
        head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, text=True, check=True)
        err = process.stderr.read()
    assert head.stdout.startswith("NAME")
    assert err == ""
    assert process.returncode in (0, 141)


def test_ctrl_c_while_waiting(root, vdc, item):
    a_vm(vdc, "web")
    with root.start("wait", "vm/web", "--for", "phase=Running") as process:
        time.sleep(3)
        process.send_signal(2)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "Stopped. What was asked of the server goes on there." in err
