"""What OVIM reads out of a machine that it did not make, and writes back to the letter. Pure."""

import json
from typing import Any

import pytest

from vms import adopted
from vms.adopted import Volume, read, spec_of


def spec(domain: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    plain = {"cpu": {"cores": 2}, "memory": {"guest": "2Gi"}, "devices": {"disks": [], "interfaces": []}}
    return {"runStrategy": "Always", "template": {"spec": {"domain": plain if domain is None else domain}}} | more


@pytest.mark.parametrize(
    ("domain", "cpu"),
    [
        ({"memory": {"guest": "1Gi"}}, 1),
        ({"memory": {"guest": "1Gi"}, "cpu": {"model": "host-model"}}, 1),
        ({"memory": {"guest": "1Gi"}, "cpu": {"sockets": 4}}, 4),
        ({"memory": {"guest": "1Gi"}, "cpu": {"cores": 2, "sockets": 2, "threads": 2}}, 8),
    ],
)
def test_vcpus_are_what_the_guest_sees(domain, cpu):
    assert (read(spec(domain)).cpu, read(spec(domain)).unfit) == (cpu, ())


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (spec(running=True), "spec.running"),
        (spec(runStrategy="Once"), "runStrategy is Once"),
        (spec(instancetype={"name": "u1.small"}), "spec.instancetype"),
        (spec(preference={"name": "fedora"}), "spec.preference"),
        (spec({"resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}), "only said by domain.resources"),
        (spec({"cpu": {"cores": 1}}), "does not say its memory"),
        (spec({"cpu": {"cores": 1}, "memory": {"guest": "1000001"}}), "no size that OVIM knows"),
        (spec({"memory": {"guest": "1Gi"}, "devices": {"hostDevices": [{"name": "a"}]}}), "hostDevices"),
        (spec({"memory": {"guest": "1Gi"}, "devices": {"interfaces": [{"name": "a", "sriov": {}}]}}), "SR-IOV"),
    ],
)
def test_what_does_not_fit_says_so(given, word):
    assert any(word in reason for reason in read(given).unfit)


def test_every_reason_is_told_at_once():
    assert len(read(spec({"devices": {"gpus": [{"name": "a"}]}}, running=True)).unfit) == 3


def test_memory_may_be_said_as_a_request():
    given = spec({"cpu": {"cores": 1}, "resources": {"requests": {"memory": "1Gi"}}})
    assert (read(given).memory_mib, read(given).unfit) == (1024, ())
    written = spec_of(json.dumps(given), cpu=1, memory_mib=2048, strategy="Always")
    assert written["template"]["spec"]["domain"]["resources"]["requests"]["memory"] == "2048Mi"


def test_the_boot_disk_comes_first_and_the_same_disk_twice_does_not_fit():
    given = spec()
    given["template"]["spec"]["domain"]["devices"]["disks"] = [{"name": "b", "bootOrder": 1}, {"name": "a"}]
    given["template"]["spec"]["volumes"] = [
        {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "b", "dataVolume": {"name": "root"}},
        {"name": "c", "containerDisk": {"image": "x"}},
    ]
    assert read(given).volumes == (Volume("root", False), Volume("data", True))
    assert "spec.template.spec.volumes[c]" in read(given).as_is
    given["template"]["spec"]["volumes"][0] = {"name": "a", "dataVolume": {"name": "root"}}
    assert "It has the same disk twice." in read(given).unfit


def test_what_is_as_it_was_is_written_to_the_letter():
    given = spec({"cpu": {"sockets": 2}, "memory": {"guest": "2048Mi"}, "machine": {"type": "q35"}}, x=1)
    assert spec_of(json.dumps(given), cpu=2, memory_mib=2048, strategy="Always") == given
    bigger = spec_of(json.dumps(given), cpu=6, memory_mib=4096, strategy="Halted")
    assert bigger["runStrategy"] == "Halted"
    assert bigger["template"]["spec"]["domain"] == {
        "cpu": {"sockets": 2, "cores": 3}, "memory": {"guest": "4096Mi"}, "machine": {"type": "q35"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("was", "on"), [("Always", "Always"), ("RerunOnFailure", "RerunOnFailure"), ("Halted", "Always")]
)
def test_it_runs_as_it_was_told_to_run(was, on):
    assert adopted.strategy_when_on(json.dumps(spec(runStrategy=was))) == on


def test_nulls_are_nobodys_but_stay_inside_lists():
    assert adopted.without_nulls({"a": None, "b": {"c": None, "d": 1}, "e": [{"f": None}]}) == {
        "b": {"d": 1}, "e": [{"f": None}],
    }  # fmt: skip
