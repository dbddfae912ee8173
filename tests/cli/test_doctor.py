"""`ovim doctor` finds what is wrong and says what to do; `ovim events` tells what happened."""

import json

import pytest
from django.utils import timezone

from tenancy.models import RoleBinding, Session
from tests.cast import make_person
from tests.cli.conftest import shown
from tests.cli.test_edges import answering
from tests.domain import a_vm


def checks(text):
    return {item["check"]: item for item in json.loads(text)["checks"]}


def test_all_is_well_but_the_live_stream(bob):
    found = checks(bob.ok("doctor", "-o", "json"))
    for name in ("context", "address", "connection", "server", "readiness", "version", "clock", "token", "rights"):
        assert found[name]["state"] == "ok", found[name]
    assert found["token"]["message"] == "good; you are bob"
    assert found["live stream"]["state"] == "warning", "this test's web server serves none"
    assert "--live-server" in found["live stream"]["hint"]
    told = bob.ok("doctor")
    assert "ok       token: good; you are bob" in told


def test_what_is_wrong_is_named_and_ends_with_its_code(bob, ovim):
    Session.objects.update(revoked_at=timezone.now())
    done = bob("doctor", "-o", "json")
    found = checks(done.stdout)
    assert (done.returncode, found["token"]["state"], found["rights"]["state"]) == (4, "failed", "skipped")
    assert "ovim login" in found["token"]["hint"]
    bob.ok("config", "set-context", "--server", "http://127.0.0.1:1")
    done = bob("doctor", "-o", "json")
    found = checks(done.stdout)
    assert (done.returncode, found["connection"]["state"], found["token"]["state"]) == (7, "failed", "skipped")
    bob.ok("config", "set-context", "--server", "https://no-such-host.invalid")
    done = bob("doctor", "-o", "json")
    assert (done.returncode, checks(done.stdout)["address"]["state"]) == (7, "failed")


def test_nothing_to_look_at_is_said(ovim):
    done = ovim("doctor")
    assert done.returncode == 4
    assert "ovim login --server URL" in done.stdout


def test_no_role_is_found(bob):
    RoleBinding.objects.all().delete()
    done = bob("doctor")
    assert done.returncode == 4
    assert "you have no role anywhere" in done.stdout


def test_a_clock_that_is_wrong(bob):
    with answering(200, b'{"parts": {}}', date="Mon, 01 Jan 2001 00:00:00 GMT") as server:
        bob.ok("config", "set-context", "--server", server)
        found = checks(bob("doctor", "-o", "json").stdout)
    assert found["clock"]["state"] == "failed"
    assert "ahead of the server" in found["clock"]["message"]


def test_something_that_is_not_ovim(bob):
    with answering(404, b"<html>") as server:
        bob.ok("config", "set-context", "--server", server)
        done = bob("doctor", "-o", "json")
    assert (done.returncode, checks(done.stdout)["server"]["state"]) == (7, "failed")


@pytest.fixture
def web(vdc, item):
    return a_vm(vdc, "web")


def test_events_tell_who_did_what_and_what_the_cluster_said(root, web):
    shown(conditions=[{"type": "Ready", "status": "False", "reason": "ImportFailed", "message": "404 Not Found",
                       "since": "2020-01-01T00:00:00+00:00"}])  # fmt: skip
    root.ok("stop", "vm/web")
    lines = root.ok("events", "vm/web").splitlines()
    assert lines[0].split() == ["AGE", "TYPE", "WHAT", "WHO", "MESSAGE"]
    assert "Ready=False" in lines[1]
    assert "404 Not Found" in lines[1]
    assert [line.split()[2] for line in lines[2:]] == ["vm.create", "vm.power"]
    assert lines[3].split()[3] == "root"
    last = json.loads(root.ok("events", "vm/web", "--limit", "1", "-o", "json"))["items"]
    assert [event["what"] for event in last] == ["vm.power"]


def test_who_may_not_read_the_audit_log_is_told_so(bob, vdc, item):
    bob.ok("create", "vm", "mine", "--vdc", "dev", "--item", "jammy")
    shown("mine", conditions=[{"type": "Ready", "status": "True", "reason": "", "message": "", "since": None}])
    done = bob("events", "vm/mine")
    assert done.returncode == 0
    assert "Ready=True" in done.stdout
    assert "Who did what to vm dev/mine is not shown: You lack the right audit.view" in done.stderr
    make_person("alice")
