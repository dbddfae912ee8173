"""A quota is never overshot: by threads at once, at VDC and organization level; what is freed is freed exactly."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from core.actor import system_actor
from core.errors import Busy, Conflict, DomainError, QuotaExceeded
from tests.domain import OVIM, a_vdc, a_vm, an_item, an_organization
from vdcs import quotas
from vdcs.models import Enforcement, QuotaClaim, QuotaMode, QuotaScope
from vdcs.services import create_vdc, edit_vdc, set_organization_quota
from vms.models import VirtualMachine
from vms.services import create_vm, set_power

ACTOR = system_actor("test")


def at_once(count: int, act: Callable[[int], Any]) -> list[DomainError | None]:
    """Do it in so many threads at the same moment. What each was refused with."""
    barrier = threading.Barrier(count)
    outcomes: list[DomainError | None] = [None] * count

    def run(number: int) -> None:
        try:
            connections["default"].ensure_connection()
            barrier.wait()
            act(number)
        except DomainError as error:
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_many_at_once_never_overshoot_a_vdc(live_db):
    vdc, item = a_vdc(limits={"cpu": 5}), an_item()
    outcomes = at_once(12, lambda n: create_vm(actor=ACTOR, vdc=vdc, name=f"vm-{n}", catalog_item=item))
    assert sum(outcome is None for outcome in outcomes) == 5
    assert all(outcome is None or isinstance(outcome, QuotaExceeded) for outcome in outcomes)
    assert QuotaScope.objects.get(vdc=vdc).allocated["cpu"] == VirtualMachine.objects.count() == 5
    assert quotas.recount() == []


def test_many_at_once_in_several_vdcs_never_overshoot_an_elastic_organization(live_db):
    organization, item = an_organization(), an_item()
    set_organization_quota(actor=OVIM, organization=organization, limits={"cpu": 5}, mode=QuotaMode.ELASTIC)
    vdcs = [a_vdc(name, organization=organization) for name in ("a", "b", "c")]
    outcomes = at_once(12, lambda n: create_vm(actor=ACTOR, vdc=vdcs[n % 3], name=f"vm-{n}", catalog_item=item))
    assert sum(outcome is None for outcome in outcomes) == 5
    assert {error.shortages[0].level for error in outcomes if isinstance(error, QuotaExceeded)} == {"organization"}
    assert VirtualMachine.objects.count() == 5
    assert quotas.recount() == []


def test_vdcs_made_at_once_never_reserve_more_than_there_is(live_db):
    organization = an_organization(cpu=10)
    outcomes = at_once(
        6, lambda n: create_vdc(actor=ACTOR, organization=organization, name=f"v-{n}", limits={"cpu": 4})
    )
    assert sum(outcome is None for outcome in outcomes) == 2
    assert sum(scope.limits["cpu"] for scope in QuotaScope.objects.exclude(vdc=None)) == 8


def test_a_mode_changed_meanwhile_is_noticed(live_db):
    """Whoever waits for the VDC's lock while the organization turns elastic must not claim without its lock."""
    organization, item = an_organization(cpu=10), an_item()
    vdc = a_vdc(organization=organization, limits={"cpu": 10})
    held, result = threading.Event(), []

    def change() -> None:
        with transaction.atomic():
            set_organization_quota(actor=OVIM, organization=organization, limits={"cpu": 0}, mode=QuotaMode.ELASTIC)
            held.set()
            threading.Event().wait(0.5)
        connections.close_all()

    def make() -> None:
        held.wait()
        try:
            create_vm(actor=ACTOR, vdc=vdc, name="vm", catalog_item=item)
        except DomainError as error:
            result.append(error)
        connections.close_all()

    threads = [threading.Thread(target=change), threading.Thread(target=make)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(result[0], Busy | QuotaExceeded)
    assert not VirtualMachine.objects.exists()


@pytest.mark.django_db
def test_active_enforcement_counts_what_is_powered_on():
    vdc = a_vdc(limits={"cpu": 1}, enforcement=Enforcement.ACTIVE)
    first = a_vm(vdc, "first")
    with pytest.raises(QuotaExceeded):
        a_vm(vdc, "second")
    second = a_vm(vdc, "second", power_state="off")
    with pytest.raises(QuotaExceeded) as refusal:
        set_power(actor=ACTOR, vm=second, on=True)
    assert refusal.value.shortages[0].ledger == "active"
    set_power(actor=ACTOR, vm=first, on=False)
    with pytest.raises(QuotaExceeded):  # until the cluster shows it stopped
        set_power(actor=ACTOR, vm=second, on=True)
    assert quotas.recount() == []


@pytest.mark.django_db
def test_disks_count_by_class_too():
    vdc = a_vdc(limits={"disk_gib": 100, "disk_gib/fast": 5})
    a_vm(vdc, "one", storage_class="fast")
    with pytest.raises(QuotaExceeded) as refusal:
        a_vm(vdc, "two", storage_class="fast")
    (shortage,) = refusal.value.shortages
    assert (shortage.resource, shortage.limit, shortage.used, shortage.requested) == ("disk_gib/fast", 5, 4, 4)
    a_vm(vdc, "three", storage_class="slow")


@pytest.mark.django_db
def test_reservation_needs_a_limit_where_the_organization_has_one():
    organization = an_organization(cpu=10)
    with pytest.raises(DomainError) as refusal:
        a_vdc(organization=organization, limits={})
    assert refusal.value.errors[0].field == "limits.cpu"


@pytest.mark.django_db
def test_a_limit_below_what_is_used_is_refused_unless_it_is_meant():
    vdc = a_vdc(limits={"cpu": 4})
    a_vm(vdc, "one", cpu=3)
    with pytest.raises(QuotaExceeded) as refusal:
        edit_vdc(actor=OVIM, vdc=vdc, changes={"limits": {"cpu": 2}})
    assert (refusal.value.shortages[0].used, refusal.value.shortages[0].limit) == (3, 2)
    edit_vdc(actor=OVIM, vdc=vdc, changes={"limits": {"cpu": 2}}, allow_below_use=True)
    with pytest.raises(QuotaExceeded):
        a_vm(vdc, "two")
    edit_vdc(actor=OVIM, vdc=vdc, changes={"limits": {"cpu": 2}, "description": "tight"})


@pytest.mark.django_db
def test_an_organization_limit_below_the_vdcs_limits_is_refused():
    organization = an_organization(cpu=10)
    a_vdc(organization=organization, limits={"cpu": 8})
    with pytest.raises(QuotaExceeded) as refusal:
        set_organization_quota(actor=OVIM, organization=organization, limits={"cpu": 7})
    assert refusal.value.shortages[0].short_by == 1


@pytest.mark.django_db
def test_in_a_disabled_organization_nothing_is_claimed():
    vdc = a_vdc()
    type(vdc.organization).objects.update(enabled=False)
    with pytest.raises(Conflict):
        a_vm(vdc)
    assert not QuotaClaim.objects.exists()


@pytest.mark.django_db
def test_the_self_check_finds_totals_that_are_off():
    vdc = a_vdc()
    a_vm(vdc)
    QuotaScope.objects.filter(vdc=vdc).update(allocated={"cpu": 99})
    assert any("cpu is 99, its claims sum to 1" in line for line in quotas.recount())


@pytest.mark.django_db
def test_enforcing_what_is_allocated_is_no_way_past_an_elastic_organization():
    organization = an_organization()
    set_organization_quota(actor=OVIM, organization=organization, limits={"cpu": 2}, mode=QuotaMode.ELASTIC)
    vdc = a_vdc(organization=organization, enforcement=Enforcement.ACTIVE)
    a_vm(vdc, "one", cpu=2)
    a_vm(vdc, "two", cpu=3, power_state="off")
    for allow in (False, True):
        with pytest.raises(QuotaExceeded) as refusal:
            edit_vdc(actor=OVIM, vdc=vdc, changes={"enforcement": Enforcement.ALLOCATED}, allow_below_use=allow)
        (shortage,) = refusal.value.shortages
        assert (shortage.level, shortage.limit, shortage.used, shortage.requested) == ("organization", 2, 2, 3)
    set_organization_quota(actor=OVIM, organization=organization, limits={"cpu": 5}, mode=QuotaMode.ELASTIC)
    edit_vdc(actor=OVIM, vdc=vdc, changes={"enforcement": Enforcement.ALLOCATED})
    limits = {"cpu": 1}
    set_organization_quota(
        actor=OVIM, organization=organization, limits=limits, mode=QuotaMode.ELASTIC, allow_below_use=True
    )
    edit_vdc(actor=OVIM, vdc=vdc, changes={"enforcement": Enforcement.ACTIVE})  # less is always allowed


@pytest.mark.django_db
@pytest.mark.parametrize("level", ["vdc", "organization"])
def test_where_a_class_is_limited_it_has_to_be_named(level):
    organization, limits = an_organization(), {"disk_gib/fast": 5}
    if level == "organization":
        set_organization_quota(actor=OVIM, organization=organization, limits=limits, mode=QuotaMode.ELASTIC)
    vdc = a_vdc(organization=organization, limits=limits if level == "vdc" else {})
    with pytest.raises(DomainError) as refusal:
        a_vm(vdc, "one")
    assert (refusal.value.errors[0].field, refusal.value.errors[0].rule) == ("storage_class", "required")
    a_vm(vdc, "one", storage_class="fast")
