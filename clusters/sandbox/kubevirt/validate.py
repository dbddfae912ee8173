"""The validating webhooks of VirtualMachines and VirtualMachineInstances as pure functions.

The order of the rules is KubeVirt's: a client reads the causes in it, and only the first ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from clusters.sandbox.kubevirt import instancetype_apply, instancetypes, requirements, run_strategy, validate_devices
from clusters.sandbox.kubevirt.causes import NOT_SUPPORTED, REQUIRED, Cause, refuse
from clusters.sandbox.kubevirt.defaults import quantity, vmi_spec_defaults
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.gojson import encode, refuse_unfit
from clusters.sandbox.kubevirt.instancetypes import Look
from clusters.sandbox.kubevirt.paths import SPEC, TEMPLATE_SPEC, Path
from clusters.sandbox.kubevirt.validate_architecture import architecture_causes
from clusters.sandbox.kubevirt.validate_claims import claim_causes
from clusters.sandbox.kubevirt.validate_compute import (
    Compute,
    acpi_causes,
    cpu_causes,
    live_update_causes,
    machine_causes,
    memory_causes,
    realtime_causes,
)
from clusters.sandbox.kubevirt.validate_disks import boot_order_causes, disk_causes, disks_of, file_path_causes
from clusters.sandbox.kubevirt.validate_network import discontinued, network_causes
from clusters.sandbox.kubevirt.validate_pod import (
    affinity_causes,
    dns_causes,
    name_causes,
    probe_causes,
    spread_causes,
)
from clusters.sandbox.kubevirt.validate_volumes import credential_causes, data_volume_template_causes, volume_causes

Object = dict[str, Any]
STRATEGIES = ("Halted", "Manual", "Always", "RerunOnFailure", "Once")
DEPRECATED_RUNNING = "spec.running is deprecated, please use spec.runStrategy instead."


def validate(operation: str, new: Object, old: Object | None, look: Look, gates: Gates) -> list[str]:
    """Warnings for an admitted VM; raises DeniedError with the validator's causes."""
    if new["metadata"].get("deletionTimestamp"):
        return []
    refuse_unfit(new["spec"], "VirtualMachineSpec", "spec")  # the mutator wrote out what was left out, as empty values
    spec = encode(new["spec"], "VirtualMachineSpec")
    vm = {"metadata": new["metadata"], "spec": spec}
    template = spec["template"].setdefault("spec", {})
    kind, preference = (instancetypes.find(vm, word, look) for word in ("instancetype", "preference"))
    refuse(instancetype_apply.apply(kind, preference, template, spec["template"]["metadata"]))
    vmi_spec_defaults(template, gates)
    refuse(requirements.unmet(kind, preference, template))
    if operation == "CREATE":
        refuse(discontinued(template))
    refuse(_vm_causes(spec, gates))
    refuse(_template_namespaces(new, old))
    if old is not None:
        refuse(_busy(new, old))
    return [DEPRECATED_RUNNING] if new["spec"].get("running") is not None else []


def _vm_causes(spec: Object, gates: Gates) -> Iterator[Cause]:
    template = spec["template"]
    yield from validate_devices.metadata_causes(SPEC.child("template", "metadata"), template["metadata"], gates)
    yield from vmi_spec_causes(TEMPLATE_SPEC, template["spec"], gates)
    yield from data_volume_template_causes(spec)
    yield from _run_strategy(spec, gates)
    yield from live_update_causes(Compute(TEMPLATE_SPEC, template["spec"]), gates)


def _run_strategy(spec: Object, gates: Gates) -> Iterator[Cause]:
    running, strategy = spec.get("running"), spec.get("runStrategy")
    if running is not None and strategy is not None:
        text = "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, "
        yield Cause(text + "please use RunStrategy instead", "spec.running")
    if running is None and strategy is None:
        yield Cause("RunStrategy must be specified", "spec.running")
    if strategy == "WaitAsReceiver":
        if not gates.on("DecentralizedLiveMigration"):
            text = f"Invalid RunStrategy ({strategy}), DecentralizedLiveMigration feature gate is not enabled "
            yield Cause(text + "in kubevirt resource", "spec.runStrategy")
    elif strategy is not None and strategy not in STRATEGIES:
        yield Cause(f"Invalid RunStrategy ({strategy})", "spec.runStrategy")


def _template_namespaces(new: Object, old: Object | None) -> Iterator[Cause]:
    templates = encode(new["spec"], "VirtualMachineSpec").get("dataVolumeTemplates", [])
    if old is not None and templates == encode(old["spec"], "VirtualMachineSpec").get("dataVolumeTemplates", []):
        return
    own = new["metadata"].get("namespace", "")
    for index, template in enumerate(templates):
        namespace = (template.get("metadata") or {}).get("namespace")
        if namespace and namespace != own:
            text = f"Embedded DataVolume namespace {namespace} differs from VM namespace {own}"
            yield Cause(text, f"spec.dataVolumeTemplates[{index}]")


def _busy(new: Object, old: Object) -> Iterator[Cause]:
    """What a snapshot or a restore in progress leaves unchanged; the first difference is told."""
    status = new.get("status") or {}
    snapshot, restore = (status.get(f"{word}InProgress") for word in ("snapshot", "restore"))
    text = ""
    if snapshot is not None and _volumes(new) != _volumes(old):
        text = f'Cannot update vm disks or volumes until snapshot "{snapshot}" completes'
    elif snapshot is not None and any(
        new["spec"].get(key) != old["spec"].get(key) for key in ("running", "runStrategy")
    ):
        text = f'Cannot update vm running state until snapshot "{snapshot}" completes'
    elif restore is not None and run_strategy.strategy(new) != run_strategy.strategy(old):
        text = f'Cannot update VM runStrategy until restore "{restore}" completes'
    if text:
        yield Cause(text, "spec", NOT_SUPPORTED)


def _volumes(vm: Object) -> list[Object]:
    return encode(vm["spec"], "VirtualMachineSpec")["template"].get("spec", {}).get("volumes", [])  # type: ignore[no-any-return]


def vmi_spec_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    """The rules a VM's template and a VMI share."""
    compute = Compute(path, spec)
    yield from name_causes(path, spec)
    yield from memory_causes(compute)
    yield from machine_causes(compute, gates)
    yield from acpi_causes(compute)
    yield from cpu_causes(compute)
    yield from validate_devices.start_strategy_causes(path, spec)
    yield from realtime_causes(compute)
    yield from affinity_causes(path, spec)
    yield from spread_causes(path, spec)
    yield from network_causes(path, spec, gates)
    yield from claim_causes(path, spec, gates)
    yield from boot_order_causes(path, spec, gates)
    yield from validate_devices.input_causes(path, spec)
    yield from validate_devices.io_thread_causes(path, spec)
    yield from probe_causes(path, spec)
    yield from disk_causes(path.child("domain", "devices", "disks"), disks_of(spec))
    yield from validate_devices.firmware_causes(path, spec)
    yield from volume_causes(path.child("volumes"), spec.get("volumes") or [], gates)
    for index, volume in enumerate(spec.get("volumes") or []):
        image_path = (volume.get("containerDisk") or {}).get("path")
        if image_path:
            yield from file_path_causes(path.child("volumes").index(index).child("containerDisk"), image_path)
    if spec.get("utilityVolumes"):
        text = "cannot create VMI with utility volumes in spec, utility volumes can only be added via hotplug"
        yield Cause(text, str(path.child("utilityVolumes")))
    yield from credential_causes(path.child("accessCredentials"), spec)
    yield from dns_causes(path, spec)
    yield from validate_devices.late_causes(path, spec, gates)


def validate_instance(vmi: Object, gates: Gates) -> None:
    """The create webhook of VMIs: what a VM may hold but no machine can start with."""
    refuse_unfit(vmi["spec"], "VirtualMachineInstanceSpec", "spec")
    metadata = validate_devices.metadata_causes(Path("metadata"), vmi["metadata"], gates)
    refuse([*_instance_causes(encode(vmi["spec"], "VirtualMachineInstanceSpec"), gates), *metadata])


def _instance_causes(spec: Object, gates: Gates) -> Iterator[Cause]:
    path = SPEC
    yield from vmi_spec_causes(path, spec, gates)
    devices = spec["domain"].get("devices") or {}
    named = {entry["name"] for key in ("disks", "filesystems") for entry in devices.get(key) or []}
    for index, volume in enumerate(spec.get("volumes") or []):
        if volume["name"] not in named and "memoryDump" not in volume:
            field = path.child("domain", "volumes").index(index).child("name")
            yield Cause(f"{field} '{volume['name']}' not found.", str(field))
        yield from _container_path(path.child("domain", "volumes").index(index), volume, devices)
    memory = spec["domain"].get("memory") or {}
    requested = ((spec["domain"].get("resources") or {}).get("requests") or {}).get("memory")
    if not quantity(requested) and "guest" not in memory and "hugepages" not in memory:
        text = (
            "no memory requested, at least one of 'spec.domain.memory.guest', "
            "'spec.domain.memory.hugepages.pageSize' or 'spec.domain.resources.requests.memory' must be set"
        )
        yield Cause(text, "", REQUIRED)
    features = spec["domain"].get("features") or {}
    if "hypervPassthrough" in features and "hyperv" in features:
        text = "Cannot explicitly set hyperV features if HypervPassthrough is being used. "
        yield Cause(text + "Please use either HyperV or HypervPassthrough.", "spec.domain.features.hyperv")
    yield from architecture_causes(path, spec)


def _container_path(field: Path, volume: Object, devices: Object) -> Iterator[Cause]:
    """A path of the launcher's own container is shared as a file system, and not just any path."""
    if "containerPath" not in volume:
        return
    start = f"ContainerPath volume '{volume['name']}'"
    if any(disk["name"] == volume["name"] for disk in devices.get("disks") or []):
        yield Cause(f"{start} must be mapped to a filesystem, not a disk", str(field))
    if not any(shared["name"] == volume["name"] for shared in devices.get("filesystems") or []):
        text = f"{start} must have a matching filesystem defined in spec.domain.devices.filesystems"
        yield Cause(text, str(field))
    for prefix in ("/var/run/kubevirt", "/var/run/libvirt"):
        if volume["containerPath"].get("path", "").startswith(prefix):
            yield Cause(f"{start} uses reserved path prefix '{prefix}'", str(field.child("containerPath", "path")))


def start_spec(vm: Object, look: Look, gates: Gates) -> Object:
    """The spec of the VMI a VM starts as: instance type and preference applied, defaults filled."""
    spec = deepcopy(vm["spec"]["template"].get("spec") or {})
    kind, preference = (instancetypes.find(vm, word, look) for word in ("instancetype", "preference"))
    instancetype_apply.apply(kind, preference, spec)
    return spec
