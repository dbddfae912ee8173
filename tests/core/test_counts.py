"""Numbers beside choices and on the overview: right, of one's own rows only, in one statement, never in the list's own."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.listing import counts, page
from tests.domain import a_vdc, a_vm, an_organization
from tests.portal import text
from tests.test_permissions import signed_in
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def machines(cluster):
    dev, prod = a_vdc("dev"), a_vdc("prod")
    for number, phase in enumerate(["Running", "Running", "Failed", "Starting", "Stopped"]):
        vm = a_vm(prod if number == 1 else dev, f"web-{number}")
        VirtualMachine.objects.filter(pk=vm.pk).update(phase=phase)
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    VirtualMachine.objects.filter(pk=theirs.pk).update(phase="Running")
    return {"dev": dev, "prod": prod}


def test_each_option_says_what_it_would_leave_with_all_else_as_it_is(machines):
    alice = signed_in("alice")
    numbers = alice.get("/vms/?facet=phase&phase=Failed").json()
    assert (numbers[""], numbers["Running"], numbers["Failed"], numbers["attention"]) == ("5", "2", "1", "1")
    assert numbers["moving"] == "1"
    narrowed = alice.get(f"/vms/?facet=phase&vdc={machines['prod'].pk}&q=web").json()
    assert (narrowed[""], narrowed["Running"], narrowed["Failed"]) == ("1", "1", "0")
    vdcs = alice.get("/vms/?facet=vdc&phase=Running").json()
    assert vdcs == {"": "2", str(machines["dev"].pk): "1", str(machines["prod"].pk): "1"}
    assert alice.get("/vms/?facet=nonsense").json() == {}
    assert alice.get("/vms/?facet=phase&vdc=x").json()["Running"] == "0"


def test_numbers_end_where_counting_no_longer_pays(machines, monkeypatch):
    monkeypatch.setattr(counts, "COUNTED", 1)
    monkeypatch.setattr(page, "COUNTED", 1)
    assert signed_in("alice").get("/vms/?facet=phase").json()["Running"] == "1+"


def test_without_scripts_they_are_counted_on_demand(machines):
    alice = signed_in("alice")
    assert "Failed (1)" in text(alice.get("/vms/?counts=1"))
    plain = alice.get("/vms/").content.decode()
    assert "Failed (1)" not in plain
    assert (
        "counts=1"
        not in alice.get("/vms/?counts=1&sort=name").content.decode().split('id="table"')[1].split("fresh")[0]
    )


def test_a_choice_is_counted_in_one_statement_and_the_list_counts_none(machines):
    alice = signed_in("alice")
    with CaptureQueriesContext(connection) as found:
        alice.get("/vms/?facet=phase")
    assert len([query for query in found if "count(*)" in query["sql"]]) == 1
    assert len(found) <= 4  # who asks; the VDCs to choose from, for the page and for the question
    with CaptureQueriesContext(connection) as found:
        alice.get("/vms/")
    assert not [query for query in found if "count(*)" in query["sql"]]


def test_the_overview_counts_ones_own_machines_by_how_they_stand(machines):
    def told(who, **headers):
        found = signed_in(who).get("/", headers=headers).content.decode()
        return re.findall(r"phase=(\w+)\"><b>([^<]+)</b>", found)

    assert told("alice") == [("attention", "1"), ("moving", "1"), ("Running", "2"), ("Stopped", "1")]
    assert told("root")[2] == ("Running", "3")
    assert told("charlie")[2] == ("Running", "1")
    assert told("nobody") == []
    part = signed_in("alice").get("/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert 'data-fragment="/"' in part
