"""Promise: what KubeVirt makes of a machine: its instance, the launcher around it, the revision it was started with."""

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
    assert condition(vm, "DataVolumesReady")["status"] == "False"
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
