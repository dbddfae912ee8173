"""`ovim doctor` finds what is wrong and says what to do; `ovim events` tells what happened."""

import json

import pytest
from django.utils import timezone

from tenancy.models import RoleBinding, Session
from tests.cast import actor_of, make_person
from tests.cli.test_edges import answering
from tests.domain import a_vm
from vms.models import VirtualMachine
from vms.services import set_power


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


def test_events_tell_the_story_newest_last(root, web):
    root.ok("stop", "vm/web")
    lines = root.ok("events", "vm/web").splitlines()
    assert lines[0].split() == ["AGE", "SOURCE", "WHO", "TOOK", "WHAT"]
    assert [line.split()[1] for line in lines[1:]] == ["person", "person"]
    assert "root" in lines[2].split()
    last = json.loads(root.ok("events", "vm/web", "--limit", "1", "-o", "json"))["items"]
    (told,) = last
    assert (told["source"], told["who"], told["ok"]) == ("person", "root", True)
    assert told["sentence"] in lines[2]


def test_who_may_not_read_the_audit_log_sees_his_own_acts(bob, vdc, item):
    bob.ok("create", "vm", "mine", "--vdc", "dev", "--item", "jammy")
    set_power(actor=actor_of(make_person("vera")), vm=VirtualMachine.objects.get(name="mine"), on=False)
    done = bob("events", "vm/mine")
    assert done.returncode == 0
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == ["bob"]


def test_what_has_no_timeline_is_told_from_conditions_and_the_audit_log(bob, vdc, item):
    done = bob("events", "item/jammy")
    assert done.returncode == 0
    assert "is not shown: You lack the right audit.view" in done.stderr
