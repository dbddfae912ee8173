"""The page that changes a machine, over HTTP: who may, what it says before, what it refuses and where."""

import pytest

from core.errors import Conflict
from core.models import AuditEntry
from tests.cast import make_person
from tests.domain import OVIM, a_vdc, a_vm, an_organization
from tests.portal import browser, text
from vms.models import VirtualMachine
from vms.services import edit_vm, release_active, set_power

pytestmark = pytest.mark.django_db
LIMITS = {"cpu": 4, "memory_mib": 8192, "disk_gib": 100, "vms": 5}


@pytest.fixture
def dev(cluster):
    return a_vdc("dev", organization=an_organization("acme"), limits=LIMITS)


@pytest.fixture
def stopped(dev):
    """A machine of 1 vCPU that holds nothing of what runs."""
    vm = set_power(actor=OVIM, vm=a_vm(dev, "web", cpu=1, memory_mib=1024), on=False)
    release_active(vm=vm, expected_generation=vm.generation)
    return vm


def plain(answer):
    return text(answer).replace("\N{NO-BREAK SPACE}", " ")


def as_it_is(vm, **changes):
    now = {"display_name": vm.display_name, "description": vm.description, "cpu": str(vm.cpu), "memory_mib": "1Gi"}
    return now | changes


def test_a_stopped_machine_is_resized_and_the_plan_says_what_that_takes(stopped):
    alice, address = browser("alice"), f"/vms/{stopped.pk}/edit/"
    page = alice.get(address).content.decode()
    assert 'value="1Gi"' in page
    assert "Nothing changes yet." in page
    given = as_it_is(stopped, cpu="3", memory_mib="2 GiB", display_name="Front")
    plan = plain(alice.fill(address, live=True, **given))
    for words in (
        "vCPU 1 → 3 Takes effect with its next start", "Memory 1 GiB → 2 GiB", "Title nothing → Front At once",
        "It can be done.", "Quota before → after", "vCPU 1 → 3 of 4 · 1 left",
    ):  # fmt: skip
        assert words in plan
    stopped.refresh_from_db()
    assert stopped.cpu == 1
    done = alice.fill(address, **given)
    assert (done.status_code, done.headers["Location"]) == (302, f"/vms/{stopped.pk}/")
    stopped.refresh_from_db()
    assert (stopped.cpu, stopped.memory_mib, stopped.display_name) == (3, 2048, "Front")
    entry = AuditEntry.objects.filter(action="vm.edit").get()
    assert entry.actor_name == "alice"
    assert (dict(entry.before or {})["cpu"], dict(entry.after or {})["cpu"]) == (1, 3)


def test_what_runs_is_renamed_but_not_resized(dev):
    vm = a_vm(dev, "web", cpu=1, memory_mib=1024)
    alice, address = browser("alice"), f"/vms/{vm.pk}/edit/"
    refused = alice.fill(address, **as_it_is(vm, cpu="2", description="kept"))
    assert refused.status_code == 409
    page = refused.content.decode()
    assert "Stop web first" in page[page.index('id="id_cpu_error"') :][:300]
    assert "Stop web first" not in page[page.index('id="id_memory_mib_error"') :][:300]
    assert "Stop the machine first" in page
    assert 'value="2"' in page
    assert "kept</textarea>" in page
    assert alice.fill(address, **as_it_is(vm, description="kept")).status_code == 302
    vm.refresh_from_db()
    assert (vm.cpu, vm.description) == (1, "kept")


@pytest.mark.parametrize(
    ("given", "at", "words"),
    [
        ({"cpu": "0"}, "cpu", "greater than or equal to 1"),
        ({"cpu": "two"}, "cpu", "whole number"),
        ({"cpu": ""}, "cpu", "required"),
        ({"cpu": "99999"}, "cpu", "from 1 to 512"),
        ({"memory_mib": "2"}, "memory_mib", "Write the unit"),
        ({"memory_mib": ""}, "memory_mib", "Say how much"),
        ({"memory_mib": "1.5Ki"}, "memory_mib", "not a whole number of MiB"),
        ({"display_name": "x" * 256}, "display_name", "at most 255"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_and_kept(stopped, given, at, words):
    answer = browser("alice").fill(f"/vms/{stopped.pk}/edit/", **as_it_is(stopped, **given))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page[page.index(f'id="id_{at}_error"') :][:400]
    generation = stopped.generation
    stopped.refresh_from_db()
    assert stopped.generation == generation


def test_what_does_not_fit_says_by_how_much(stopped):
    answer = browser("alice").fill(f"/vms/{stopped.pk}/edit/", **as_it_is(stopped, cpu="6"))
    assert answer.status_code == 422
    for words in ("vCPU: 2 short in VDC dev", "Would fit 3", "1 → 6 of 4 · 2 over"):
        assert words in plain(answer)
    stopped.refresh_from_db()
    assert stopped.cpu == 1


def test_who_was_faster_is_told_and_what_was_typed_is_kept(stopped):
    alice, address = browser("alice"), f"/vms/{stopped.pk}/edit/"
    seen = alice.get(address)
    make_person("vera")
    assert browser("vera").fill(address, **as_it_is(stopped, display_name="Theirs")).status_code == 302
    late = alice.fill(address, seen=seen, **as_it_is(stopped, display_name="Mine"))
    assert late.status_code == 412
    assert "vera changed this" in plain(late)
    assert "Title Theirs" in plain(late)
    assert 'value="Mine"' in late.content.decode()
    stopped.refresh_from_db()
    assert stopped.display_name == "Theirs"
    assert alice.fill(address, seen=late, **as_it_is(stopped, display_name="Mine")).status_code == 302
    stopped.refresh_from_db()
    assert stopped.display_name == "Mine"


def test_what_is_sent_twice_is_done_once(stopped):
    alice, address = browser("alice"), f"/vms/{stopped.pk}/edit/"
    seen = alice.get(address)
    for _ in range(2):
        assert alice.fill(address, seen=seen, **as_it_is(stopped, display_name="Once")).status_code == 302
    assert AuditEntry.objects.filter(action="vm.edit").count() == 1


def test_a_machine_that_is_to_go_is_not_changed(stopped):
    alice, address = browser("alice"), f"/vms/{stopped.pk}/edit/"
    seen = alice.get(address)
    alice.post(f"/vms/{stopped.pk}/delete/")
    late = alice.fill(address, seen=seen, **as_it_is(stopped, display_name="Late"))
    assert late.status_code in (409, 412)
    assert address not in alice.get(f"/vms/{stopped.pk}/").content.decode()


def test_who_may_edit_has_the_button_and_others_no_page(dev, stopped):
    address = f"/vms/{stopped.pk}/edit/"
    for name in ("root", "alice", "vera"):
        assert address in browser(name).get(f"/vms/{stopped.pk}/").content.decode()
        assert browser(name).get(address).status_code == 200
    bob = browser("bob")  # it is not his
    foreign = browser("charlie")
    for person in (bob, foreign):
        assert person.get(address).status_code == 404
        assert person.post(address, as_it_is(stopped, display_name="Ha")).status_code == 404
    assert browser("nobody").get(address).status_code == 403
    stopped.refresh_from_db()
    assert stopped.display_name != "Ha"


def test_the_service_names_the_fields_that_wait_for_a_stop(dev):
    vm = a_vm(dev, "web", cpu=1, memory_mib=1024)
    with pytest.raises(Conflict) as refusal:
        edit_vm(actor=OVIM, vm=vm, changes={"cpu": 2, "memory_mib": 1024})
    assert [(error.field, error.rule) for error in refusal.value.errors] == [("cpu", "stopped")]
    assert VirtualMachine.objects.get().cpu == 1
