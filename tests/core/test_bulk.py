"""Many at once over HTTP: the plan first, everything that matches by a token, each with its own result."""

import re

import pytest

from core.listing import keyset, matching
from tests.cast import actor_of, make_person
from tests.domain import OVIM, a_vdc, a_vm, an_organization
from tests.portal import text
from tests.test_permissions import signed_in
from vms.models import VirtualMachine
from vms.services import delete_vm, set_power

pytestmark = pytest.mark.django_db
BULK = "/vms/bulk/"


def hidden(answer, name):
    return re.findall(rf'name="{name}"[^>]*value="([^"]*)"', answer.content.decode())


def token_of(client, address="/vms/"):
    (found,) = re.findall(r'id="match-all" value="([^"]+)"', client.get(address).content.decode())
    return found


def off():
    return set(VirtualMachine.objects.filter(power_state="off").values_list("name", flat=True))


@pytest.fixture
def two_a_page(monkeypatch):
    monkeypatch.setattr(keyset, "PAGE", 2)


def test_the_plan_says_to_which_it_applies_which_it_skips_and_why(cluster):
    vdc = a_vdc()
    on, stopped, going = (a_vm(vdc, name) for name in ("on", "stopped", "going"))
    set_power(actor=OVIM, vm=stopped, on=False)
    delete_vm(actor=OVIM, vm=going)
    alice = signed_in("alice")
    plan = alice.post(BULK, {"verb": "stop", "ids": [on.pk, stopped.pk, going.pk], "query": "q=o"})
    words = text(plan)
    assert "Stop 1 virtual machine?" in words
    assert "stopped It is off already." in words
    assert "going It is being deleted." in words
    assert off() == {"stopped"}
    body = {name: hidden(plan, name) for name in ("ids", "seen", "query")} | {"verb": "stop", "sure": "yes"}
    assert body["ids"] == [str(on.pk)]
    done = text(alice.post(BULK, body))
    assert "1 told to stop" in done
    assert off() == {"on", "stopped"}
    assert "Nothing to stop" in text(alice.post(BULK, {"verb": "stop", "ids": [stopped.pk]}))


def test_what_starting_takes_of_the_quota_is_shown_before(cluster):
    vdc = a_vdc(limits={"running_vms": 4}, enforcement="active")
    vms = [a_vm(vdc, name) for name in ("a", "b")]
    for vm in vms:
        set_power(actor=OVIM, vm=vm, on=False)
    VirtualMachine.objects.update(phase="Stopped")
    plan = text(signed_in("alice").post(BULK, {"verb": "start", "ids": [vm.pk for vm in vms]}))
    assert re.search(r"Running VMs \d → \d of 4", plan)


def test_all_that_match_are_stopped_by_the_token_of_their_query_and_no_others(cluster, two_a_page):
    vdc = a_vdc()
    for name in ("web-1", "web-2", "web-3", "db"):
        a_vm(vdc, name)
    a_vm(a_vdc("main", organization=an_organization("globex")), "web-theirs")
    alice = signed_in("alice")
    page = alice.get("/vms/?q=web").content.decode()
    assert "Select all 3 that match" in page
    assert len(re.findall(r'name="ids"', page)) == 2
    token = token_of(alice, "/vms/?q=web")
    a_vm(vdc, "web-later")
    VirtualMachine.objects.filter(name="web-later").update(created_at="2999-01-01T00:00:00Z")
    plan = alice.post(BULK, {"verb": "stop", "all": token})
    assert "Stop 3 virtual machines?" in text(plan)
    assert hidden(plan, "ids") == []
    assert "theirs" not in text(plan)
    sure = {"verb": "stop", "all": hidden(plan, "all"), "seen": hidden(plan, "seen"), "sure": "yes"}
    assert "3 told to stop" in text(alice.post(BULK, sure))
    assert off() == {"web-1", "web-2", "web-3"}


def test_what_has_changed_since_the_plan_is_shown_again_and_nothing_done(cluster, two_a_page):
    vdc = a_vdc()
    vms = [a_vm(vdc, f"web-{number}") for number in range(3)]
    alice = signed_in("alice")
    plan = alice.post(BULK, {"verb": "stop", "all": token_of(alice)})
    set_power(actor=OVIM, vm=vms[0], on=False)
    sure = {"verb": "stop", "all": hidden(plan, "all"), "seen": hidden(plan, "seen"), "sure": "yes"}
    again = alice.post(BULK, sure)
    assert "has changed meanwhile" in text(again)
    assert off() == {"web-0"}
    assert "2 told to stop" in text(alice.post(BULK, sure | {"seen": hidden(again, "seen")}))


def test_a_token_is_its_owners_own_lasts_an_hour_and_can_t_be_written_by_hand(cluster, two_a_page, monkeypatch):
    vdc = a_vdc()
    for number in range(3):
        a_vm(vdc, f"web-{number}", actor=actor_of(make_person("bob")))
    alice, bob = signed_in("alice"), signed_in("bob")
    token = token_of(alice)
    for client, given, said in ((bob, token, "somebody else"), (alice, token[:-2] + "xx", "too old")):
        refused = client.post(BULK, {"verb": "stop", "all": given})
        assert refused.status_code == 422
        assert said in text(refused)
    monkeypatch.setattr(matching, "LIFETIME", -1)
    assert alice.post(BULK, {"verb": "stop", "all": token}).status_code == 422
    assert off() == set()


def test_too_many_are_refused_with_what_to_do(cluster, two_a_page, monkeypatch):
    vdc = a_vdc()
    for number in range(3):
        a_vm(vdc, f"web-{number}")
    alice = signed_in("alice")
    token = token_of(alice)
    monkeypatch.setattr(matching, "MOST", 2)
    page = alice.get("/vms/").content.decode()
    assert "match-all" not in page
    assert "narrow the filters to at most 2" in page
    refused = alice.post(BULK, {"verb": "stop", "all": token})
    assert refused.status_code == 422
    assert "at most 2 can be told at once" in text(refused)


def test_what_failed_can_be_tried_again_alone(cluster):
    vdc = a_vdc(limits={"running_vms": 1})
    vms = [a_vm(vdc, name, power_state="off") for name in ("a", "b")]
    alice = signed_in("alice")
    answer = alice.post(BULK, {"verb": "start", "ids": [vm.pk for vm in vms], "sure": "yes"})
    assert "1 of 2 did not work" in text(answer)
    (failed,) = hidden(answer, "ids")
    again = alice.post(BULK, {"verb": "start", "ids": failed, "sure": "yes"})
    assert "1 of 1 did not work" in text(again)
    assert VirtualMachine.objects.filter(power_state="on").count() == 1


def test_rows_say_which_verbs_they_are_in_the_state_for(cluster):
    vdc = a_vdc()
    a_vm(vdc, "on")
    a_vm(vdc, "resting", power_state="off")
    page = signed_in("alice").get("/vms/").content.decode()
    assert sorted(re.findall(r'data-can="([^"]*)"', page)) == ["start delete", "stop delete"]
