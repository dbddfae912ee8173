"""Promise: a machine costs what its launcher pod asks for, and a quota bites on that pod."""

from decimal import Decimal

from clusters.sandbox.quantity import parse
from tests.contract.machines import Object, Space, condition, machine

MIB = 1024**2


def _requests(pod: Object) -> Object:
    compute = next(container for container in pod["spec"]["containers"] if container["name"] == "compute")
    return dict(compute["resources"]["requests"])


def _quota(here: Space, **hard: str) -> None:
    here.make(
        "resourcequotas",
        {"metadata": {"name": "plan"}, "spec": {"hard": {k.replace("_", "."): v for k, v in hard.items()}}},
    )
    here.until("resourcequotas", "plan", lambda quota: "hard" in quota.get("status", {}))


def test_cpu_is_a_tenth_and_memory_more_than_the_guest_has(here: Space) -> None:
    here.make("virtualmachines", machine("web", cores=4, memory="2Gi"))
    here.instance("web")
    asked = _requests(here.launchers("web")[0])
    assert parse(asked["cpu"]) == Decimal("0.4")
    extra = int(parse(asked["memory"])) - 2048 * MIB
    assert 200 * MIB < extra < 500 * MIB
    overhead = here.get("virtualmachineinstances", "web")["status"]["memory"].get("memoryOverhead")
    assert overhead is None or int(parse(overhead)) == extra


def test_a_request_of_its_own_is_taken_as_it_is(here: Space) -> None:
    vm = machine("web", cores=2)
    vm["spec"]["template"]["spec"]["domain"]["resources"] = {"requests": {"cpu": "250m", "memory": "512Mi"}}
    here.make("virtualmachines", vm)
    here.instance("web")
    asked = _requests(here.launchers("web")[0])
    assert asked["cpu"] == "250m"
    assert 512 * MIB < int(parse(asked["memory"])) < 1024 * MIB


def test_quota_refuses_the_pod_and_lets_the_machine_be(here: Space) -> None:
    _quota(here, requests_memory="1Gi")
    here.make("virtualmachines", machine("web"))
    vmi = here.until(
        "virtualmachineinstances", "web", lambda vmi: condition(vmi, "Synchronized").get("status") == "False"
    )
    told = condition(vmi, "Synchronized")
    assert told["reason"] == "FailedCreate"
    assert "exceeded quota: plan, requested: requests.memory=" in told["message"]
    vm = here.printed("web", "Starting")
    assert "exceeded quota: plan" in condition(vm, "Synchronized")["message"]
    assert not here.launchers("web")
    assert here.told("VirtualMachineInstance", "web", "FailedCreate")["type"] == "Warning"
    assert here.patch("resourcequotas", "plan", {"spec": {"hard": {"requests.memory": "4Gi"}}}).status == 200
    here.printed("web", "Running")


def test_a_stopped_machine_gives_its_memory_back(here: Space) -> None:
    _quota(here, requests_memory="4Gi", pods="2")
    here.make("virtualmachines", machine("web"))
    here.instance("web")
    used = lambda quota: parse(quota["status"]["used"]["requests.memory"])  # noqa: E731
    running = here.until("resourcequotas", "plan", lambda quota: used(quota) > 0)
    assert used(running) > 1024 * MIB
    assert running["status"]["used"]["pods"] == "1"
    here.power("web", "stop")
    here.printed("web", "Stopped")
    here.until("resourcequotas", "plan", lambda quota: used(quota) == 0)


def test_memory_limits_are_twice_the_request_where_a_quota_counts_them(here: Space) -> None:
    _quota(here, limits_memory="8Gi")
    here.make("virtualmachines", machine("web"))
    here.instance("web")
    compute = here.launchers("web")[0]["spec"]["containers"][0]["resources"]
    assert parse(compute["limits"]["memory"]) == 2 * parse(compute["requests"]["memory"])
