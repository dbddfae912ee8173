"""Facts of a VM → its objects. Leaving an object out deletes it, data excepted. Pure."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import yaml

from clusters.apply import Owner, Wanted
from clusters.refs import Manifest, Ref, manifest
from core import quantities
from vms import adopted
from vms.facts import DiskFacts, VmFacts

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml where it is built in: ten times as fast
USER_DATA_HEADER = "#cloud-config\n"
# Words that YAML 1.1 reads as something else than text.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
ON, OFF = "Always", "Halted"


def vm_objects(vm: VmFacts) -> Sequence[Wanted]:
    """Disks before their VM, and never again once it could have written to them (ENGINE §3)."""
    if vm.adopted:
        return _adopted_objects(vm)
    return (Wanted(cloud_init_secret(vm)), *_disks_and_machine(replace(vm, user_data="", ssh_keys=())))


@lru_cache(
    maxsize=128
)  # a reconcile asks in each of its passes, mostly of the same facts: more than two batches of them
def _disks_and_machine(vm: VmFacts) -> Sequence[Wanted]:
    """Without what may be secret: that is not kept for longer than it is needed."""
    disks = [
        Wanted(data_volume(vm, disk), data_of=Owner("disk", disk.id), before=vm_ref(vm), remake=disk.remake)
        for disk in sorted(vm.disks, key=lambda disk: disk.position)
    ]
    # Cloud-init is read at the first start and then never again: another's Secret of that name must not be it.
    machine = Wanted(virtual_machine(vm), after=tuple(disk.ref for disk in disks), first=(secret_ref(vm),))
    return (*disks, machine)


def _adopted_objects(vm: VmFacts) -> Sequence[Wanted]:
    """What there was: its disks are watched over and never made, its spec is written as it was found (ADR 17)."""
    machine = vm_ref(vm)
    disks = [
        Wanted(
            bare_claim(vm, disk) if disk.bare else data_volume(vm, disk), data_of=Owner("disk", disk.id), before=machine
        )
        for disk in sorted(vm.disks, key=lambda disk: disk.position)
    ]
    return (*disks, Wanted(virtual_machine(vm), after=tuple(disk.ref for disk in disks)))


def bare_claim(vm: VmFacts, disk: DiskFacts) -> Manifest:
    """Only a name: OVIM writes no claims."""
    return manifest("v1", "PersistentVolumeClaim", disk.name, namespace=vm.namespace)


def disk_ref(vm: VmFacts, disk: DiskFacts) -> Ref:
    return Ref("cdi.kubevirt.io", "DataVolume", vm.namespace, disk.name)


def vm_ref(vm: VmFacts) -> Ref:
    return Ref("kubevirt.io", "VirtualMachine", vm.namespace, vm.name)


def secret_ref(vm: VmFacts) -> Ref:
    return Ref("", "Secret", vm.namespace, secret_name(vm))


def run_strategy(vm: VmFacts) -> str:
    on = adopted.strategy_when_on(vm.adopted) if vm.adopted else ON
    return on if vm.powered_on and vm.startable else OFF


def labels(vm: VmFacts) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": vm.name,
        "app.kubernetes.io/instance": str(vm.id),
        "app.kubernetes.io/component": "virtual-machine",
        "app.kubernetes.io/part-of": "ovim",
        "ovim.io/organization": str(vm.organization_id),
        "ovim.io/vdc": str(vm.vdc_id),
        "ovim.io/vm": str(vm.id),
    }


def secret_name(vm: VmFacts) -> str:
    return f"{vm.name}-cloud-init"


def cloud_init_secret(vm: VmFacts) -> Manifest:
    """User data may hold secrets, so it is kept in one and not in the VM's own object."""
    text = base64.b64encode(user_data(vm).encode()).decode()
    return manifest(
        "v1",
        "Secret",
        secret_name(vm),
        namespace=vm.namespace,
        labels=labels(vm),
        type="Opaque",
        data={"userdata": text},
    )


def user_data(vm: VmFacts) -> str:
    """What was given, untouched, unless there are keys to add to it."""
    if vm.user_data and not vm.ssh_keys:
        return vm.user_data
    if not vm.user_data and not vm.ssh_keys and vm.name[0].isalpha() and vm.name not in _WORDS:
        return (
            f"{USER_DATA_HEADER}hostname: {vm.name}\n"  # as the dumper writes it, which is most of a new VM's manifests
        )
    given: dict[str, Any] = (yaml.safe_load(vm.user_data) if vm.user_data else None) or {}
    given.setdefault("hostname", vm.name)
    if vm.ssh_keys:
        own = given.get("ssh_authorized_keys")
        given["ssh_authorized_keys"] = [*(own if isinstance(own, list) else []), *vm.ssh_keys]
    return USER_DATA_HEADER + yaml.dump(given, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=1000)


def data_volume(vm: VmFacts, disk: DiskFacts) -> Manifest:
    """`spec.storage`, so that the cluster's profile picks access and volume mode. Frozen once made."""
    source: dict[str, Any] = {"blank": {}}
    if disk.image_url:
        http = {"url": disk.image_url} | ({"checksum": disk.checksum} if disk.checksum else {})
        source = {"http": http}
    storage: dict[str, Any] = {"resources": {"requests": {"storage": f"{disk.size_gib}Gi"}}}
    if disk.storage_class:
        storage["storageClassName"] = disk.storage_class
    return manifest(
        "cdi.kubevirt.io/v1beta1",
        "DataVolume",
        disk.name,
        namespace=vm.namespace,
        labels=labels(vm),
        # The volume's object stays after the import: a disk that vanishes must not look like one never made.
        annotations={"cdi.kubevirt.io/storage.deleteAfterCompletion": "false"},
        spec={"source": source, "storage": storage},
    )


def virtual_machine(vm: VmFacts) -> Manifest:
    """Firmware, machine type and the like are left to KubeVirt: what we don't set we don't own."""
    if vm.adopted:
        marks = {key: value for key, value in labels(vm).items() if key.startswith("ovim.io/")}
        spec = adopted.spec_of(vm.adopted, cpu=vm.cpu, memory_mib=vm.memory_mib, strategy=run_strategy(vm))
        return manifest("kubevirt.io/v1", "VirtualMachine", vm.name, namespace=vm.namespace, labels=marks, spec=spec)
    template = {
        "metadata": {"labels": labels(vm)},
        "spec": {"domain": domain(vm), "networks": [{"name": "default", "pod": {}}], "volumes": volumes(vm)},
    }
    return manifest(
        "kubevirt.io/v1",
        "VirtualMachine",
        vm.name,
        namespace=vm.namespace,
        labels=labels(vm),
        spec={"runStrategy": run_strategy(vm), "template": template},
    )


def domain(vm: VmFacts) -> dict[str, Any]:
    disks: list[dict[str, Any]] = [
        {"name": f"disk-{disk.position}", "disk": {"bus": "virtio"}} | ({"bootOrder": 1} if disk.position == 0 else {})
        for disk in sorted(vm.disks, key=lambda disk: disk.position)
    ]
    return {
        "cpu": {"cores": vm.cpu},
        # As the cluster writes it back: "1024Mi" would look like a difference for ever.
        "memory": {"guest": quantities.of_mebibytes(vm.memory_mib)},
        "devices": {
            "disks": [*disks, {"name": "cloud-init", "disk": {"bus": "virtio"}}],
            "interfaces": [{"name": "default", "masquerade": {}, "model": "virtio"}],
        },
    }


def volumes(vm: VmFacts) -> list[dict[str, Any]]:
    disks = sorted(vm.disks, key=lambda disk: disk.position)
    return [
        *({"name": f"disk-{disk.position}", "dataVolume": {"name": disk.name}} for disk in disks),
        {"name": "cloud-init", "cloudInitNoCloud": {"secretRef": {"name": secret_name(vm)}}},
    ]
