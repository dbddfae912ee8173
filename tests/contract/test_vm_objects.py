"""Promise: what KubeVirt makes of a machine: its instance, the launcher around it, the revision it was started with."""

import pytest

from clusters.sandbox.quantity import parse
from tests.contract.images import Images, raw_disk
from tests.contract.machines import Object, Space, condition, data_volume, machine

VMS, VMIS, VOLUMES = "virtualmachines", "virtualmachineinstances", "datavolumes"
MIB = 1024**2


def _from_volume(name: str, volume: str) -> Object:
    vm = machine(name)
    vm["spec"]["template"]["spec"]["volumes"] = [{"name": "root", "dataVolume": {"name": volume}}]
    return vm


def _printed(vm: Object) -> str:
    return str(vm.get("status", {}).get("printableStatus"))


def test_the_instance_is_there_while_its_disk_is_filled(here: Space, images: Images) -> None:
    images.files["disk.img"] = raw_disk()
    here.make(VOLUMES, data_volume("disk", {"http": {"url": f"{images.url}/silent/disk.img"}}))
    here.until("persistentvolumeclaims", "disk", bool)
    here.make(VMS, _from_volume("web", "disk"))
    vmi = here.until(VMIS, "web", lambda found: condition(found, "DataVolumesReady"))
    assert vmi["status"]["phase"] == "Pending"
    assert condition(vmi, "DataVolumesReady")["reason"] == "NotAllDVsReady"
    assert condition(vmi, "Ready")["reason"] == "PodNotExists"
    assert here.launchers("web") == []
    here.printed("web", "Provisioning")
    images.silent.set()
    vmi = here.instance("web")
    here.until(VMIS, "web", lambda found: condition(found, "DataVolumesReady").get("status") == "True")
    assert len(here.launchers("web")) == 1


def test_a_missing_claim_leaves_a_mark_until_there_is_a_launcher(here: Space, images: Images) -> None:
    """The machine counts as unschedulable all through the import that came too late."""
    here.make(VMS, _from_volume("web", "disk"))
    vm = here.printed("web", "ErrorPvcNotFound")
    text = f"PVC {here.name}/disk does not exist, waiting for it to appear"
    assert (condition(vm, "Synchronized")["reason"], condition(vm, "Synchronized")["message"]) == (
        "FailedPvcNotFound",
        text,
    )
    assert (condition(vm, "PodScheduled")["reason"], condition(vm, "PodScheduled")["message"]) == (
        "Unschedulable",
        text,
    )
    images.files["disk.img"] = raw_disk()
    here.make(VOLUMES, data_volume("disk", {"http": {"url": f"{images.url}/silent/disk.img"}}))
    vm = here.printed("web", "ErrorUnschedulable")
    assert condition(vm, "Synchronized") == {}
    assert condition(vm, "DataVolumesReady")["status"] != "True"
    images.silent.set()
    vm = here.until(VMS, "web", lambda found: _printed(found) == "Running")
    assert condition(vm, "PodScheduled") == {}


def test_overhead_has_page_tables_only_for_memory_that_is_asked_for(here: Space) -> None:
    here.make(VMS, machine("guest", memory="1500M"))
    asked = machine("asked")
    del asked["spec"]["template"]["spec"]["domain"]["memory"]
    asked["spec"]["template"]["spec"]["domain"]["resources"] = {"requests": {"memory": "1Gi"}}
    here.make(VMS, asked)
    told = {}
    for name in ("guest", "asked"):
        here.instance(name, "Running")
        pod = here.launchers(name)[0]
        told[name] = int(pod["metadata"]["annotations"]["kubevirt.io/memory-overhead-bytes"])
        compute = next(item for item in pod["spec"]["containers"] if item["name"] == "compute")
        wanted = compute["resources"]["requests"]["memory"]
        assert int(parse(wanted)) == told[name] + int(parse("1500M" if name == "guest" else "1Gi"))
        assert wanted.isdigit() == (name == "guest")  # spelled as the machine's own is
    assert (told["guest"], told["asked"]) == (288 * MIB, 290 * MIB)


def test_a_start_keeps_what_was_started(here: Space) -> None:
    made = here.make(VMS, machine("web"))
    vmi = here.instance("web")
    name = f"revision-start-vm-{made['metadata']['uid']}-1"
    assert vmi["status"]["virtualMachineRevisionName"] == name
    assert vmi["metadata"]["annotations"]["kubevirt.io/vm-generation"] == "1"
    path = f"/apis/apps/v1/namespaces/{here.name}/controllerrevisions/{name}"
    kept = here.cluster.call("GET", path).body
    assert kept["revision"] == 1
    assert kept["data"]["spec"]["template"]["spec"]["domain"]["memory"] == {"guest": "1Gi"}
    assert kept["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]


def test_the_launcher_is_marked_and_outlives_its_guest(here: Space) -> None:
    vm = machine("web")
    vm["spec"]["template"]["metadata"] = {"labels": {"tier": "front"}, "annotations": {"note": "mine"}}
    vm["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 10
    here.make(VMS, vm)
    vmi = here.instance("web")
    assert vmi["metadata"]["finalizers"][-1] == "kubevirt.io/foregroundDeleteVirtualMachine"
    assert vmi["metadata"]["labels"].get("kubevirt.io/vm") is None
    (pod,) = here.launchers("web")
    assert pod["spec"]["terminationGracePeriodSeconds"] == 40
    assert {"tier": "front", "vm.kubevirt.io/name": "web", "vmi.kubevirt.io/id": "web"}.items() <= pod["metadata"][
        "labels"
    ].items()
    assert pod["metadata"]["annotations"]["note"] == "mine"
    assert vmi["spec"]["domain"]["features"]["acpi"] == {"enabled": True}
    assert vmi["spec"]["evictionStrategy"] == "None"


def test_a_change_beside_the_template_is_observed_at_once(here: Space) -> None:
    here.make(VMS, machine("web"))
    here.instance("web")
    assert here.patch(VMS, "web", {"spec": {"runStrategy": "RerunOnFailure"}}).status == 200
    here.until(VMIS, "web", lambda vmi: vmi["metadata"]["annotations"]["kubevirt.io/vm-generation"] == "2")
    here.until(VMS, "web", lambda vm: vm["status"].get("observedGeneration") == 2)
    change = {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}
    assert here.patch(VMS, "web", {"spec": change}).status == 200
    vm = here.until(VMS, "web", lambda found: found["status"].get("desiredGeneration") == 3)
    assert vm["status"]["observedGeneration"] == 2


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        ({"memory": {"guest": "512Mi"}}, "memory hotplug not supported, Memory hotplug is only available for VMs with"),
        ({"memory": {"guest": "16Gi"}}, "memory hotplug not supported, Guest memory is greater than the configured"),
        ({"cpu": {"sockets": 2}}, "CPU sockets updated in template spec to a value higher than what's available"),
        ({"cpu": {"cores": 2}}, "a non-live-updatable field was changed in the template spec"),
        ({"devices": {"interfaces": [{"name": "default", "masquerade": {}, "state": "down"}]}}, ""),
    ],
)
def test_what_waits_for_a_restart_says_why(here: Space, domain: Object, told: str) -> None:
    """Cores alone, as OVIM asks for them, leave no room for sockets."""
    here.make(VMS, machine("web"))
    vmi = here.instance("web")
    assert "maxSockets" not in vmi["spec"]["domain"]["cpu"]
    assert here.patch(VMS, "web", {"spec": {"template": {"spec": {"domain": domain}}}}).status == 200
    vm = here.until(VMS, "web", lambda found: found["status"].get("desiredGeneration") == 2)
    if told:
        vm = here.until(VMS, "web", lambda found: condition(found, "RestartRequired"))
        assert condition(vm, "RestartRequired")["message"].startswith(told)
    assert bool(condition(vm, "RestartRequired")) == bool(told)


def test_probes_get_their_defaults_and_old_cards_no_vhost(here: Space) -> None:
    vm = machine("web")
    vm["spec"]["template"]["spec"]["livenessProbe"] = {"guestAgentPing": {}}
    vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0]["model"] = "e1000e"
    here.make(VMS, vm)
    vmi = here.until(VMIS, "web", bool)
    times = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert vmi["spec"]["livenessProbe"] == {"guestAgentPing": {}, **times}
    here.until(VMIS, "web", lambda _found: here.launchers("web"))
    containers = here.launchers("web")[0]["spec"]["containers"]
    limits = next(item for item in containers if item["name"] == "compute")["resources"]["limits"]
    assert set(limits) == {"devices.kubevirt.io/kvm", "devices.kubevirt.io/tun"}
