"""Preferences: what they write into a VM's template where it says nothing itself, and how they spread CPUs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from clusters.sandbox.kubevirt.causes import Cause

Object = dict[str, Any]
RATIO = 2
DEVICES = (  # name in the preference, name in the VM
    ("preferredUseVirtioTransitional", "useVirtioTransitional"),
    ("preferredBlockMultiQueue", "blockMultiQueue"),
    ("preferredNetworkInterfaceMultiQueue", "networkInterfaceMultiqueue"),
    ("preferredRng", "rng"),
    ("preferredTPM", "tpm"),
    ("preferredAutoattachGraphicsDevice", "autoattachGraphicsDevice"),
    ("preferredAutoattachMemBalloon", "autoattachMemBalloon"),
    ("preferredAutoattachPodInterface", "autoattachPodInterface"),
    ("preferredAutoattachSerialConsole", "autoattachSerialConsole"),
    ("preferredAutoattachInputDevice", "autoattachInputDevice"),
)
DISK = (("preferredDiskBlockSize", "blockSize"), ("preferredDiskCache", "cache"), ("preferredDiskIO", "io"))
FEATURES = (
    ("preferredApic", "apic"),
    ("preferredKvm", "kvm"),
    ("preferredPvspinlock", "pvspinlock"),
    ("preferredSmm", "smm"),
)


def topology(preference: Object | None) -> str:
    """The preferred CPU topology in its new spelling; sockets when nothing says otherwise."""
    wanted = ((preference or {}).get("cpu") or {}).get("preferredCPUTopology") or "sockets"
    return str(wanted).removeprefix("prefer").lower()


def spread_options(preference: Object | None) -> tuple[int, str]:
    """How many of one unit go into the next, and between which units."""
    options = ((preference or {}).get("cpu") or {}).get("spreadOptions") or {}
    ratio = options.get("ratio") or (preference or {}).get("preferSpreadSocketToCoreRatio") or RATIO
    return int(ratio), str(options.get("across") or "SocketsCores")


def uneven_spread(instancetype: Object | None, preference: Object | None) -> Cause | None:
    """The instance type's CPUs don't come out even over the preferred topology."""
    if instancetype is None or topology(preference) != "spread":
        return None
    guest = int(instancetype["cpu"].get("guest", 0))
    ratio, across = spread_options(preference)
    start, word = f"{guest} vCPUs provided by the instance type are not divisible by the", "Spec.PreferSpread"
    shares = f"{word}SocketToCoreRatio or Spec.CPU.PreferSpreadOptions.Ratio of {ratio}"
    text = ""
    if across == "SocketsCores" and guest % ratio:
        text = f"{start} {shares} provided by the preference"
    elif across == "CoresThreads" and guest % ratio:
        text = f"{start} number of threads per core {ratio}"
    elif across == "SocketsCoresThreads" and (guest % 2 or guest // 2 % ratio):
        text = f"{start} number of threads per core 2 and {shares}"
    return Cause(text, "instancetype.spec.cpu.guest") if text else None


def apply(preference: Object | None, spec: Object, metadata: Object) -> None:
    """Fills what the template leaves open, in place."""
    if preference is None:
        return
    domain = spec.setdefault("domain", {})
    features = (preference.get("cpu") or {}).get("preferredCPUFeatures") or []
    if features:
        own = domain.setdefault("cpu", {}).get("features") or []
        names = {feature["name"] for feature in own}
        domain["cpu"]["features"] = own + [deepcopy(item) for item in features if item["name"] not in names]
    if preference.get("devices") is not None:
        _devices(preference["devices"], domain.setdefault("devices", {}), spec.get("networks") or [])
    if preference.get("features") is not None:
        _features(preference["features"], domain.setdefault("features", {}))
    if preference.get("firmware") is not None:
        _firmware(preference["firmware"], domain.setdefault("firmware", {}).setdefault("bootloader", {}))
    machine = (preference.get("machine") or {}).get("preferredMachineType")
    if machine and not (domain.get("machine") or {}).get("type"):
        domain.setdefault("machine", {})["type"] = machine
    _clock(preference.get("clock"), domain)
    for theirs, ours in (
        ("preferredSubdomain", "subdomain"),
        ("preferredTerminationGracePeriodSeconds", "terminationGracePeriodSeconds"),
        ("preferredArchitecture", "architecture"),
    ):
        _fill(spec, ours, preference.get(theirs))
    _fill(domain, "launchSecurity", preference.get("preferredLaunchSecurity"))
    if preference.get("annotations"):
        metadata["annotations"] = preference["annotations"] | (metadata.get("annotations") or {})


def _fill(target: Object, key: str, value: Any) -> None:
    if value not in (None, "") and target.get(key) in (None, ""):
        target[key] = deepcopy(value)


def _clock(wanted: Object | None, domain: Object) -> None:
    if wanted is None:
        return
    clock = domain.setdefault("clock", {})
    if not {"utc", "timezone"} & clock.keys():
        clock |= deepcopy(wanted.get("preferredClockOffset") or {})
    _fill(clock, "timer", wanted.get("preferredTimer"))


def _devices(wanted: Object, devices: Object, networks: list[Object]) -> None:
    for theirs, ours in DEVICES:
        _fill(devices, ours, wanted.get(theirs))
    if wanted.get("preferredDisableHotplug") is not None:
        devices["disableHotplug"] = wanted["preferredDisableHotplug"]
    if "sound" in devices:
        _fill(devices["sound"], "model", wanted.get("preferredSoundModel"))
    if wanted.get("preferredVideoType") is not None:
        _fill(devices.setdefault("video", {}), "type", wanted["preferredVideoType"])
    for disk in devices.get("disks") or []:
        _disk(wanted, disk)
    pods = {network["name"] for network in networks if "pod" in network}
    for interface in devices.get("interfaces") or []:
        _fill(interface, "model", wanted.get("preferredInterfaceModel"))
        unbound = not {"bridge", "slirp", "masquerade", "sriov", "macvtap", "passt", "passtBinding", "binding"} & (
            interface.keys()
        )
        if unbound and interface["name"] in pods:
            _fill(interface, "masquerade", wanted.get("preferredInterfaceMasquerade"))
    for device in devices.get("inputs") or []:
        _fill(device, "bus", wanted.get("preferredInputBus"))
        _fill(device, "type", wanted.get("preferredInputType"))
    model = wanted.get("preferredPanicDeviceModel")
    if model is not None:
        devices["panicDevices"] = [{"model": model} | item for item in devices.get("panicDevices") or [{}]]


def _disk(wanted: Object, disk: Object) -> None:
    if not {"disk", "cdrom", "lun"} & disk.keys():
        disk["disk"] = {}
    if "disk" in disk:
        _fill(disk["disk"], "bus", wanted.get("preferredDiskBus"))
        for theirs, ours in DISK:
            _fill(disk, ours, wanted.get(theirs))
        if disk["disk"].get("bus") == "virtio":
            _fill(disk, "dedicatedIOThread", wanted.get("preferredDiskDedicatedIoThread"))
    elif "cdrom" in disk:
        _fill(disk["cdrom"], "bus", wanted.get("preferredCdromBus"))
    else:
        _fill(disk["lun"], "bus", wanted.get("preferredLunBus"))


def _features(wanted: Object, features: Object) -> None:
    if wanted.get("preferredAcpi") is not None:
        features["acpi"] = deepcopy(wanted["preferredAcpi"])
    for theirs, ours in FEATURES:
        _fill(features, ours, wanted.get(theirs))
    if wanted.get("preferredHyperv") is not None:
        features["hyperv"] = deepcopy(wanted["preferredHyperv"]) | features.get("hyperv", {})


def _firmware(wanted: Object, boot: Object) -> None:
    if wanted.get("preferredUseBios") and not {"bios", "efi"} & boot.keys():
        boot["bios"] = {}
    if "bios" in boot:
        _fill(boot["bios"], "useSerial", wanted.get("preferredUseBiosSerial"))
    if not {"bios", "efi"} & boot.keys() and wanted.get("preferredEfi") is not None:
        boot["efi"] = deepcopy(wanted["preferredEfi"])
        return
    if wanted.get("preferredUseEfi") and not {"bios", "efi"} & boot.keys():
        boot["efi"] = {}
    if "efi" in boot:
        _fill(boot["efi"], "secureBoot", wanted.get("preferredUseSecureBoot"))
