"""The mutating webhook of VirtualMachines as a pure function (facts/kubernetes.md section 10)."""

from __future__ import annotations

import uuid
from copy import deepcopy
from typing import Any

from clusters.sandbox.kubevirt import instancetypes
from clusters.sandbox.kubevirt.causes import Cause, refuse
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.gojson import read, refuse_unfit_object
from clusters.sandbox.kubevirt.instancetypes import Look

Object = dict[str, Any]
PCI_TOPOLOGY = "kubevirt.io/pci-topology-version"
DATA_SOURCES = "datasources.cdi.kubevirt.io"
ARCHITECTURES = ("amd64", "arm64", "s390x")


def mutate(operation: str, new: Object, old: Object | None, look: Look, gates: Gates) -> Object:
    """The VM as KubeVirt stores it; raises DeniedError with the mutator's words."""
    vm = deepcopy(new)
    refuse_unfit_object(vm, "VirtualMachine")
    spec = read(vm["spec"], "VirtualMachineSpec", "spec")
    if vm["metadata"].get("deletionTimestamp"):
        return new  # a VM on its way out is left alone, so that nothing races its deletion
    vm["spec"] = spec
    if operation == "UPDATE" and old is not None:
        refuse(_matcher_updates(vm, old))
    for word in ("instancetype", "preference"):
        refuse(instancetypes.matcher_causes(vm, word))
    for word in ("instancetype", "preference"):
        instancetypes.infer(vm, word, look)
    _preferred(vm, instancetypes.find(vm, "preference", look))
    template = vm["spec"]["template"]
    domain = template.setdefault("spec", {})["domain"]
    if operation == "CREATE":
        firmware = domain.setdefault("firmware", {})
        for key in ("uuid", "serial"):
            firmware[key] = firmware.get(key) or str(uuid.uuid4())
    architecture = template["spec"].get("architecture") or _source_architecture(vm, look) or gates.architecture
    template["spec"]["architecture"] = architecture
    machine = domain.setdefault("machine", {})
    machine["type"] = machine.get("type") or gates.default_machine(architecture)
    if operation == "CREATE" and _has_root_ports(architecture, machine["type"]):
        template["metadata"].setdefault("annotations", {}).setdefault(PCI_TOPOLOGY, "v3")
    return vm


def _has_root_ports(architecture: str, machine: str) -> bool:
    """Whether the machine's PCI layout has a version: only PCIe machines have root ports to plug devices into."""
    return architecture in ("amd64", "arm64") and ("q35" in machine or machine.startswith("virt"))


def _source_architecture(vm: Object, look: Look) -> str:
    """What the first labelled DataSource among the data volume templates was built for; one hop to another one."""
    for template in vm["spec"].get("dataVolumeTemplates") or []:
        reference = (template.get("spec") or {}).get("sourceRef") or {}
        if reference.get("kind", "").lower() != "datasource":
            continue
        namespace = reference.get("namespace") or vm["metadata"].get("namespace")
        source = look(DATA_SOURCES, namespace, reference.get("name", ""))
        further = ((source or {}).get("spec", {}).get("source") or {}).get("dataSource")
        if further:
            source = look(DATA_SOURCES, further.get("namespace"), further.get("name", ""))
        label = ((source or {}).get("metadata", {}).get("labels") or {}).get("template.kubevirt.io/architecture", "")
        if label in ARCHITECTURES:
            return str(label)
    return ""


def _matcher_updates(vm: Object, old: Object) -> list[Cause]:
    """A pinned revision may not stay when the name changes."""
    causes = []
    for word in ("instancetype", "preference"):
        now, before = vm["spec"].get(word), old["spec"].get(word)
        if now is None or before is None or not now.get("revisionName"):
            continue
        if now.get("name") != before.get("name") and now["revisionName"] == before.get("revisionName"):
            text = "the Matcher Name has been updated without updating the RevisionName"
            causes.append(Cause(text, f"spec.{word}.revisionName"))
            break  # the second matcher is looked at only when the first one is fine
    return causes


def _preferred(vm: Object, preference: Object | None) -> None:
    """What a preference writes into the stored VM early: architecture, machine type, storage class."""
    if preference is None:
        return
    spec = vm["spec"]["template"]["spec"]
    if preference.get("preferredArchitecture"):
        spec.setdefault("architecture", preference["preferredArchitecture"])
    machine = (preference.get("machine") or {}).get("preferredMachineType")
    if machine and not (spec["domain"].get("machine") or {}).get("type"):
        spec["domain"].setdefault("machine", {})["type"] = machine
    storage_class = (preference.get("volumes") or {}).get("preferredStorageClassName")
    if storage_class:
        for template in vm["spec"].get("dataVolumeTemplates", []):
            for key in ("pvc", "storage"):
                if key in template["spec"]:
                    template["spec"][key].setdefault("storageClassName", storage_class)
