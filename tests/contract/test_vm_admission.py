"""Promise: a manifest that can't be is refused with all its causes, one that only can't run is not (k8s-transcript 14, 20)."""

from copy import deepcopy
from typing import Any

import pytest

from tests.contract.machines import Object, Space, machine

DISKS = "spec.template.spec.domain.devices.disks"
VOLUMES = "spec.template.spec.volumes"
DEVICES = "spec.template.spec.domain.devices"


def changed(path: str, value: Any) -> Object:
    """A machine with one thing different, by a dotted path below the template's spec; "spec!…" starts at the VM."""
    vm = machine("tried", strategy="Halted")
    place: Any = vm["spec"]["template"]["spec"]
    if path.startswith("spec!"):
        place, path = vm["spec"], path.removeprefix("spec!")
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
    if last == "+":
        place.append(value)
    else:
        place[int(last) if last.isdigit() else last] = value
    return vm


REFUSED: list[tuple[str, Any, str, str]] = [
    ("spec!running", True, "spec.running", "Running and RunStrategy are mutually exclusive"),
    ("spec!runStrategy", "Sometimes", "spec.runStrategy", "Invalid RunStrategy (Sometimes)"),
    (
        "domain.devices.disks.+",
        {"name": "ghost", "disk": {}},
        f"{DISKS}[1].name",
        f"{DISKS}[1].Name 'ghost' not found.",
    ),
    ("domain.devices.disks.0.bootOrder", 0, f"{DISKS}[0].bootOrder", "must have a boot order > 0"),
    ("dnsConfig", {"options": [{"value": "1"}]}, "options", "Option.Name must not be empty"),
    ("domain.machine", {"type": "virt"}, "spec.template.spec.domain.machine.type", "is not supported: virt"),
    ("domain.devices.disks.0.disk.bus", "ide", f"{DISKS}[0].disk.bus", "IDE bus is not supported"),
    ("volumes.0.emptyDisk", {"capacity": "1Gi"}, f"{VOLUMES}[0]", "must have exactly one source type set"),
    (
        "volumes.+",
        {"name": "init", "cloudInitNoCloud": {"networkData": "n" * 2049, "userData": "#"}},
        f"{VOLUMES}[1].cloudInitNoCloud",
        "networkdata exceeds 2048 byte limit. Should use NetworkDataSecretRef for larger data.",
    ),
    (
        "volumes.+",
        {"name": "init", "cloudInitConfigDrive": {}},
        f"{VOLUMES}[1].cloudInitConfigDrive",
        "must have at least one userdatasource or one networkdatasource set.",
    ),
    (
        "networks.+",
        {"name": "second", "pod": {}},
        "spec.template.spec.interfaces",
        "more than one interface is connected to a pod network",
    ),
    (
        "domain.devices.interfaces.0.macAddress",
        "02:00:00:00",
        f"{DEVICES}.interfaces[0].macAddress",
        "has malformed MAC address (02:00:00:00)",
    ),
    (
        "domain.devices.gpus",
        [{"name": "a"}, {"name": "b"}],
        f"{DEVICES}.gpus",
        "each GPU must specify either a deviceName or a claimRequest",
    ),
    (
        "domain.devices.gpus",
        [{"name": "a", "claimName": "c", "requestName": "r"}],
        "spec.template.spec.resourceClaims",
        "must specify all claims used",
    ),
    (
        "domain.memory.maxGuest",
        "512Mi",
        "spec.template.spec.domain.memory.guest",
        "Guest memory is greater than the configured maxGuest memory",
    ),
    (
        "domain.cpu.isolateEmulatorThread",
        True,
        "spec.template.spec.domain.cpu.isolateEmulatorThread",
        "IsolateEmulatorThread should be only set in combination with DedicatedCPUPlacement",
    ),
    ("evictionStrategy", "Perhaps", "spec.template.spec.evictionStrategy", "unrecognized option: Perhaps"),
    ("hostname", "not a name", "spec.template.spec.hostname", "does not conform to the kubernetes DNS_LABEL rules"),
]

ADMITTED: list[tuple[str, Any]] = [
    ("volumes.0", {"name": "root", "persistentVolumeClaim": {"claimName": "nowhere"}}),
    ("spec!instancetype", {"name": "there-is-no-such-type"}),
    ("architecture", "sparc"),
    ("nodeSelector", {"there": "is-none"}),
]


@pytest.mark.parametrize(
    ("path", "value", "field", "words"), REFUSED, ids=[f"{case[0]} {case[3][:30]}" for case in REFUSED]
)
def test_refused_with_field_and_reason(here: Space, path: str, value: Any, field: str, words: str) -> None:
    refused = here.cluster.call("POST", here.path("virtualmachines") + "?dryRun=All", changed(path, value))
    assert refused.status == 422, refused.text
    assert 'admission webhook "virtualmachine-validator.kubevirt.io" denied the request' in refused.body["message"]
    causes = refused.body["details"]["causes"]
    assert any(cause.get("field") == field and words in cause["message"] for cause in causes), causes


# What the mutator lets through, so that the schema of the CRD judges it, before the validator would.
BY_SCHEMA: list[tuple[str, Any, str, str]] = [
    (
        "domain.cpu",
        {"cores": 3_000_000_000},
        "<nil>",
        (
            'Invalid value: "": Checked value must be of type integer with format int32 in '
            "spec.template.spec.domain.cpu.cores"
        ),
    ),
    (
        "spec!dataVolumeTemplates",
        [
            {
                "metadata": {"name": "d"},
                "spec": {"pvc": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "other"}}},
            }
        ],
        "spec.dataVolumeTemplates[0].spec.pvc.dataSource.apiGroup",
        (
            'Invalid value: "null": spec.dataVolumeTemplates[0].spec.pvc.dataSource.apiGroup in body must be of type '
            'string: "null"'
        ),
    ),
    (
        "volumes.+",
        {"name": "path", "containerPath": {"path": "run/x", "readOnly": True}},
        f"{VOLUMES}[1].containerPath.path",
        "Invalid value: \"run/x\": path must be absolute (start with '/')",
    ),
    (
        "topologySpreadConstraints",
        [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}] * 2,
        "spec.template.spec.topologySpreadConstraints[1]",
        'Duplicate value: {"topologyKey":"a","whenUnsatisfiable":"DoNotSchedule"}',
    ),
]


@pytest.mark.parametrize(("path", "value", "field", "message"), BY_SCHEMA, ids=[case[2] for case in BY_SCHEMA])
def test_the_schema_judges_what_the_mutator_made(here: Space, path: str, value: Any, field: str, message: str) -> None:
    refused = here.cluster.call("POST", here.path("virtualmachines") + "?dryRun=All", changed(path, value))
    assert refused.status == 422, refused.text
    assert refused.body["message"].startswith('VirtualMachine.kubevirt.io "tried" is invalid: ')
    told = [(cause["field"], cause["message"]) for cause in refused.body["details"]["causes"]]
    assert (field, message) in told


def test_numbers_and_quantities_come_back_as_go_spells_them(here: Space) -> None:
    for sent, stored in (
        ("2048Mi", "2Gi"),
        ("+1Gi", "+1Gi"),
        ("1.5Gi", "1536Mi"),
        ("01025Mi", "01025Mi"),
        (2.5e9, "2500M"),
    ):
        vm = changed("domain.memory", {"guest": sent})
        made = here.cluster.call("POST", here.path("virtualmachines") + "?dryRun=All", vm)
        assert made.status == 201, made.text
        assert made.body["spec"]["template"]["spec"]["domain"]["memory"]["guest"] == stored


def test_a_field_of_a_newer_cdi_is_not_known_in_a_machine(here: Space) -> None:
    source = {"http": {"url": "http://images.example/a.qcow2", "checksum": "sha256:0"}}
    template = {"metadata": {"name": "d"}, "spec": {"storage": {}, "source": source}}
    vm = changed("volumes.0", {"name": "root", "dataVolume": {"name": "d"}})
    vm["spec"]["dataVolumeTemplates"] = [template]
    made = here.cluster.call("POST", here.path("virtualmachines") + "?dryRun=All", vm)
    assert made.status == 201, made.text
    assert made.body["spec"]["dataVolumeTemplates"][0]["spec"]["source"] == {"http": {"url": source["http"]["url"]}}


@pytest.mark.parametrize(("path", "value"), ADMITTED, ids=[case[0] for case in ADMITTED])
def test_admitted_though_it_cannot_run(here: Space, path: str, value: Any) -> None:
    vm = changed(path, value)
    if path == "spec!instancetype":
        for key in ("cpu", "memory"):
            vm["spec"]["template"]["spec"]["domain"].pop(key)
    assert here.cluster.call("POST", here.path("virtualmachines") + "?dryRun=All", vm).status == 201


def test_every_cause_is_told_ten_of_them_in_the_message(here: Space) -> None:
    vm = machine("tried", strategy="Halted")
    for number in range(12):
        vm["spec"]["template"]["spec"]["domain"]["devices"]["disks"].append({"name": f"ghost-{number}", "disk": {}})
    refused = here.cluster.call("POST", here.path("virtualmachines"), vm)
    assert refused.status == 422
    assert refused.body["message"].endswith(", and 2 more validation errors")
    assert len(refused.body["details"]["causes"]) == 10


def test_an_update_is_judged_as_a_create_is(here: Space) -> None:
    made = here.make("virtualmachines", machine("web", strategy="Halted"))
    refused = here.patch("virtualmachines", "web", {"spec": {"runStrategy": "Never"}})
    assert refused.status == 422
    body = deepcopy(made)
    body["spec"]["template"]["spec"]["domain"]["memory"] = {"guest": "2Gi"}
    body["metadata"].pop("managedFields", None)
    answer = here.patch("virtualmachines", "web", {"spec": body["spec"]})
    assert answer.status == 200, answer.text


def test_an_instance_made_by_hand_is_checked_more_closely(here: Space) -> None:
    template = machine("tried")["spec"]["template"]["spec"]
    body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "tried"}}
    del template["domain"]["memory"]
    path = here.path("virtualmachineinstances") + "?dryRun=All"
    refused = here.cluster.call("POST", path, {**body, "spec": template})
    assert refused.status == 422
    assert "no memory requested" in refused.body["message"]
    template["domain"] |= {"memory": {"guest": "1Gi"}}
    template["domain"]["devices"]["video"] = {"type": "matrix"}
    refused = here.cluster.call("POST", path, {**body, "spec": template})
    assert "video model 'matrix' is not supported on amd64 architecture" in refused.body["message"]


def test_an_instance_without_a_machine_runs_by_itself(here: Space) -> None:
    body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "alone"}}
    made = here.make("virtualmachineinstances", {**body, "spec": machine("alone")["spec"]["template"]["spec"]})
    assert made["spec"]["domain"]["cpu"]["model"] == "host-model"
    assert "kubevirt.io/foregroundDeleteVirtualMachine" in made["metadata"]["finalizers"]
    here.instance("alone")
    here.delete("virtualmachineinstances", "alone")
    here.until("virtualmachineinstances", "alone", lambda vmi: not vmi)
