"""Defaults KubeVirt fills in: a few on the stored VM (the mutator), many on the copy that is validated or started."""

from __future__ import annotations

from math import ceil
from typing import Any

from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.quantity import BadQuantityError, parse

Object = dict[str, Any]
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def vmi_spec_defaults(spec: Object, gates: Gates) -> None:
    """Defaults of a VMI spec, in place; the VM validator applies them to a copy, the VM controller to the VMI."""
    spec["architecture"] = spec.get("architecture") or gates.architecture
    domain = spec.setdefault("domain", {})
    machine = domain.setdefault("machine", {})
    machine["type"] = machine.get("type") or gates.default_machine(spec["architecture"])
    _cpu_request(domain)
    _guest_memory(domain)
    _topology(domain)
    _pull_policies(spec)
    if gates.eviction_strategy and "evictionStrategy" not in spec:
        spec["evictionStrategy"] = gates.eviction_strategy
    _pod_interface(spec)
    _volume_disks(spec)


def vmi_defaults(spec: Object, gates: Gates) -> None:
    """What the VMI mutator adds on top: buses, CPU model, room to grow."""
    vmi_spec_defaults(spec, gates)
    architecture = spec["architecture"]
    _device_defaults(spec["domain"].setdefault("devices", {}), architecture)
    _probes(spec)
    acpi = spec["domain"].setdefault("features", {}).setdefault("acpi", {})
    acpi.setdefault("enabled", True)
    cpu = spec["domain"]["cpu"]
    if not cpu.get("model"):
        cpu["model"] = "host-passthrough" if architecture == "arm64" else "host-model"
    if architecture == "arm64":  # no room to grow there
        boot = spec["domain"].setdefault("firmware", {}).setdefault("bootloader", {"efi": {}})
        if "efi" in boot:
            boot["efi"].setdefault("secureBoot", False)
        return
    if gates.live_update and cpu.get("sockets") and not cpu.get("maxSockets"):  # cores alone leave no room
        cpu["maxSockets"] = cpu["sockets"] * gates.max_hotplug_ratio
    memory = spec["domain"].setdefault("memory", {})
    guest = quantity(memory.get("guest"))
    if gates.live_update and "maxGuest" not in memory and guest >= 1024**3 and not guest % (2 * 1024**2):
        memory["maxGuest"] = _binary(guest * gates.max_hotplug_ratio)


def _probes(spec: Object) -> None:
    for name in ("readinessProbe", "livenessProbe"):
        if name in spec:
            spec[name] = PROBE | {key: value for key, value in spec[name].items() if value not in (0, None)}


def _device_defaults(devices: Object, architecture: str) -> None:
    bus = "virtio" if architecture in ("arm64", "s390x") else "sata"
    for disk in devices.get("disks", []):
        if not any(target in disk for target in ("disk", "cdrom", "lun")):
            disk["disk"] = {}
        for target in ("disk", "cdrom", "lun"):
            if target in disk and not disk[target].get("bus"):
                disk[target]["bus"] = bus
    for device in devices.get("inputs", []):
        device["bus"], device["type"] = device.get("bus") or "usb", device.get("type") or "tablet"
    if "watchdog" in devices and architecture != "arm64":
        dog = devices["watchdog"].setdefault("diag288" if architecture == "s390x" else "i6300esb", {})
        dog["action"] = dog.get("action") or "reset"


def _binary(number: int) -> str:
    for suffix, factor in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if number % factor == 0:
            return f"{number // factor}{suffix}"
    return str(number)


def quantity(value: Any) -> int:
    """Bytes (or whole CPUs) of a quantity, 0 when absent or unreadable."""
    if value in (None, ""):
        return 0
    try:
        return int(parse(value))
    except BadQuantityError:
        return 0


def _cpu_request(domain: Object) -> None:
    resources = domain.setdefault("resources", {})
    limit = (resources.get("limits") or {}).get("cpu")
    if _given(limit) and not _given((resources.get("requests") or {}).get("cpu")):
        resources.setdefault("requests", {})["cpu"] = limit


def _given(amount: Any) -> bool:
    return amount is not None and parse(amount) != 0


def _guest_memory(domain: Object) -> None:
    memory = domain.setdefault("memory", {})
    if "guest" in memory:
        return
    resources = domain["resources"]
    candidates = (
        (resources.get("requests") or {}).get("memory"),
        (resources.get("limits") or {}).get("memory"),
        memory.get("hugepages", {}).get("pageSize"),
    )
    guest = next((value for value in candidates if _readable(value)), None)
    if guest is not None:
        memory["guest"] = guest


def _readable(amount: Any) -> bool:
    try:
        return _given(amount)
    except BadQuantityError:
        return False


def _topology(domain: Object) -> None:
    cpu = domain.setdefault("cpu", {})
    if any(cpu.get(name) for name in ("cores", "sockets", "threads")):
        return
    resources = domain["resources"]
    wanted = (resources.get("limits") or {}).get("cpu") or (resources.get("requests") or {}).get("cpu")
    whole = ceil(parse(wanted)) if wanted else 1  # Value() of a quantity rounds up
    cpu |= {"sockets": max(1, whole), "cores": 1, "threads": 1}


def _pull_policies(spec: Object) -> None:
    for volume in spec.get("volumes", []):
        disk = volume.get("containerDisk")
        if disk is not None and not disk.get("imagePullPolicy"):
            image = disk.get("image", "")
            floating = image.endswith(":latest") or not (":" in image or "@" in image)
            disk["imagePullPolicy"] = "Always" if floating else "IfNotPresent"


def _pod_interface(spec: Object) -> None:
    devices = spec["domain"].setdefault("devices", {})
    if devices.get("autoattachPodInterface") is False or devices.get("interfaces") or spec.get("networks"):
        return
    devices["interfaces"] = [{"name": "default", "bridge": {}}]
    spec["networks"] = [{"name": "default", "pod": {}}]


def _volume_disks(spec: Object) -> None:
    """A volume that no disk and no filesystem names gets a plain disk."""
    devices = spec["domain"].setdefault("devices", {})
    named = {entry["name"] for key in ("disks", "filesystems") for entry in devices.get(key, [])}
    for volume in spec.get("volumes", []):
        if volume.get("name") not in named:
            devices.setdefault("disks", []).append({"name": volume["name"]})
