"""What KubeVirt writes into a VirtualMachine before it is stored (k8s-replay/06, whole objects)."""

from typing import Any

import pytest

from clusters.sandbox.kubevirt.causes import DeniedError
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.mutate import mutate
from clusters.sandbox.kubevirt.validate import validate


def look(*_: object) -> None:
    return None


def vm(**domain: Any) -> dict[str, Any]:
    devices = {"disks": [{"name": "sys", "disk": {"bus": "virtio"}}], "interfaces": [{"name": "net", "masquerade": {}}]}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "a", "namespace": "t"},
        "spec": {
            "runStrategy": "Halted",
            "template": {
                "metadata": {"labels": {"vm": "a"}},
                "spec": {
                    "domain": {"devices": devices, "memory": {"guest": "1Gi"}, **domain},
                    "networks": [{"name": "net", "pod": {}}],
                    "volumes": [{"name": "sys", "containerDisk": {"image": "registry.example/os:1"}}],
                },
            },
        },
    }


def test_a_small_machine_gets_the_recorded_additions() -> None:
    stored = mutate("CREATE", vm(), None, look, Gates())
    firmware = stored["spec"]["template"]["spec"]["domain"].pop("firmware")
    expected = vm(machine={"type": "q35"}, resources={})
    expected["spec"]["template"]["spec"]["architecture"] = "amd64"
    expected["spec"]["template"]["metadata"]["annotations"] = {"kubevirt.io/pci-topology-version": "v3"}
    assert stored == expected
    assert sorted(firmware) == ["serial", "uuid"]


def test_an_update_keeps_the_firmware_it_has_and_invents_none() -> None:
    stored = mutate("CREATE", vm(), None, look, Gates())
    assert mutate("UPDATE", stored, stored, look, Gates()) == stored
    assert "firmware" not in mutate("UPDATE", vm(), vm(), look, Gates())["spec"]["template"]["spec"]["domain"]


def test_quantities_come_back_in_canonical_spelling_and_empty_values_vanish() -> None:
    stored = mutate("CREATE", vm(memory={"guest": "2048Mi"}, cpu={"cores": 2, "sockets": 0}), None, look, Gates())
    domain = stored["spec"]["template"]["spec"]["domain"]
    assert domain["memory"] == {"guest": "2Gi"}
    assert domain["cpu"] == {"cores": 2}


def test_a_bad_quantity_is_a_400_without_reason() -> None:
    with pytest.raises(DeniedError) as refusal:
        mutate("CREATE", vm(memory={"guest": "lots"}), None, look, Gates())
    assert refusal.value.status("w") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'admission webhook "w" denied the request: quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        "code": 400,
    }


def test_running_is_admitted_with_a_warning() -> None:
    machine = vm()
    machine["spec"] = {"running": True, "template": machine["spec"]["template"]}
    assert validate("CREATE", machine, None, look, Gates()) == [
        "spec.running is deprecated, please use spec.runStrategy instead."
    ]


def test_a_machine_on_its_way_out_is_not_judged() -> None:
    machine = vm()
    machine["metadata"]["deletionTimestamp"] = "2026-11-23T21:27:13Z"
    machine["spec"]["runStrategy"] = "Eventually"
    assert validate("UPDATE", mutate("UPDATE", machine, machine, look, Gates()), machine, look, Gates()) == []
