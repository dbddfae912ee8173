"""Power against everybody else's hands in the cluster: what runs is claimed or stopped, and stopping frees its claim."""

import pytest

from clusters import connections, queue
from clusters.client import Client
from clusters.refs import KINDS, Ref
from core.actor import system_actor
from tenancy.models import Organization
from tests.vms.conftest import Site
from tests.vms.test_life import active, condition, phase, running
from vdcs.models import QuotaScope
from vms import desired, power, selectors
from vms.services import set_power

ACTOR = system_actor("test")
PATH = KINDS["kubevirt.io", "VirtualMachine"].path("acme-corp-dev", "web")


def by_hand(site: Site, strategy: str | None = None, *, cores: int | None = None) -> None:
    client = connections.client_of(site.cluster.pk)
    live = client.raw("GET", PATH)
    if strategy:
        live["spec"]["runStrategy"] = strategy
    if cores:
        live["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] = cores
    client.raw("PUT", PATH + "?fieldManager=kubectl", live)


def strategy(site: Site) -> str:
    return str(site.live("VirtualMachine", "web")["spec"]["runStrategy"])


def stopped(site: Site):
    vm = running(site)
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: phase(vm) == "Stopped" and active(site) == 0)
    return vm


def test_any_strategy_that_runs_it_is_claimed(site: Site):
    vm = stopped(site)
    by_hand(site, "RerunOnFailure")
    site.until(lambda: phase(vm) and vm.power_state == "on")
    assert active(site) == 1


def test_any_strategy_that_no_quota_allows_is_undone(site: Site):
    vm = stopped(site)
    scope = QuotaScope.objects.get(vdc__name="dev")
    scope.limits = scope.limits | {"running_vms": 0}
    scope.save(update_fields=["limits"])
    by_hand(site, "RerunOnFailure", cores=2)  # among other changes, too
    site.until(lambda: strategy(site) == "Halted")
    assert vm.power_state == "off"
    assert active(site) == 0


def test_what_is_off_without_being_halted_is_halted(site: Site):
    vm = running(site)
    by_hand(site, "Manual")
    site.turn()
    assert phase(vm)
    assert vm.power_state == "on"
    connections.client_of(site.cluster.pk).raw(
        "DELETE", KINDS["kubevirt.io", "VirtualMachineInstance"].path("acme-corp-dev", "web")
    )
    site.until(lambda: strategy(site) == "Halted" and active(site) == 0)
    vm.refresh_from_db()
    assert vm.power_state == "off"


def test_stopping_a_drifted_vm_stops_it_and_frees_its_claim(site: Site):
    vm = running(site)
    by_hand(site, cores=2)
    site.until(lambda: condition(vm, "Drifted"))
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: strategy(site) == "Halted")
    site.until(lambda: active(site) == 0)
    assert site.get("VirtualMachineInstance", "web") is None
    assert condition(vm, "Drifted")
    assert vm.power_applied_generation == vm.power_generation
    set_power(actor=ACTOR, vm=vm, on=True)
    site.until(lambda: strategy(site) == "Always")


def test_a_vm_that_is_held_is_halted_whoever_started_it(site: Site, monkeypatch: pytest.MonkeyPatch):
    vm = running(site)
    by_hand(site, "Halted")
    site.until(lambda: phase(vm) == "Stopped")
    by_hand(site, "Always")  # the field is theirs now
    site.until(lambda: phase(vm) == "Running" and vm.power_state == "on")
    plain = desired.run_strategy
    monkeypatch.setattr(desired, "run_strategy", lambda facts: "Halted")
    monkeypatch.setattr(desired, "_disks_and_machine", desired._disks_and_machine.__wrapped__)  # of the same facts
    queue.request(vm)
    site.until(lambda: strategy(site) == "Halted")
    site.until(lambda: site.get("VirtualMachineInstance", "web") is None)
    vm.refresh_from_db()
    assert vm.power_state == "on"
    assert plain(selectors.facts(vm)) == "Always"


def test_a_suspended_tenants_vm_can_be_stopped_here_and_in_the_cluster(site: Site):
    vm = running(site)
    Organization.objects.filter(name="acme-corp").update(enabled=False)
    by_hand(site, "Halted")
    site.until(lambda: phase(vm) == "Stopped" and active(site) == 0)
    assert vm.power_state == "off"
    assert condition(vm, "PowerRefused") is None
    Organization.objects.filter(name="acme-corp").update(enabled=True)
    set_power(actor=ACTOR, vm=vm, on=True)
    site.until(lambda: phase(vm) == "Running")
    Organization.objects.filter(name="acme-corp").update(enabled=False)
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: active(site) == 0)


def test_stopping_what_never_came_to_be_frees_its_claim(site: Site):
    site.until(lambda: site.get("Namespace", "acme-corp-dev", ""))
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "acme-corp-dev"},
        "spec": {
            "runStrategy": "Always",
            "template": {"spec": {"domain": {"memory": {"guest": "64Mi"}, "devices": {}}}},
        },
    }
    connections.client_of(site.cluster.pk).raw("POST", PATH.rsplit("/", 1)[0], body)
    vm = site.vm()
    site.until(lambda: condition(vm, "NameTaken"))
    assert active(site) == 1
    set_power(actor=ACTOR, vm=vm, on=False)
    site.until(lambda: active(site) == 0)
    assert strategy(site) == "Always", "it is somebody else's"


def test_a_strategy_says_what_may_run():
    for name in ("Always", "RerunOnFailure", "Once"):
        assert power.means_on({"spec": {"runStrategy": name}}, exists=False)
    assert power.means_on({"spec": {"running": True}}, exists=False)
    assert not power.means_on({"spec": {"runStrategy": "Halted"}}, exists=True)
    assert not power.means_on({"spec": {"runStrategy": "Manual"}}, exists=False)
    assert power.means_on({"spec": {"runStrategy": "Manual"}}, exists=True)


def test_force_takes_only_what_it_has_looked_at(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Somebody takes one more field between the refusal and the look: a dry run of that version shows it (A18)."""
    vm = running(site)
    by_hand(site, "Halted")
    site.until(lambda: phase(vm) == "Stopped" and vm.power_state == "off" and active(site) == 0)
    get, meddled = Client.get, list[Ref]()

    def meddling(client: Client, ref: Ref):
        if ref.kind == "VirtualMachine" and not meddled:
            meddled.append(ref)
            by_hand(site, cores=2)
        return get(client, ref)

    set_power(actor=ACTOR, vm=vm, on=True)
    with monkeypatch.context() as patch:  # what looks in here is the engine, after its refusal
        patch.setattr(Client, "get", meddling)
        site.until(lambda: meddled)
    site.until(lambda: strategy(site) == "Always")
    live = site.live("VirtualMachine", "web")
    assert live["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] == 2
    site.until(lambda: condition(vm, "Drifted"))
