"""Rules for the remaining devices and strategies of a machine, in virt-api's order (verdicts: k8s-transcript/20)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import FORBIDDEN, NOT_SUPPORTED, REQUIRED, Cause
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.names import dns_subdomain
from clusters.sandbox.kubevirt.paths import Path
from clusters.sandbox.kubevirt.validate_disks import disks_of, file_path_causes

Object = dict[str, Any]
EVICTION = ("LiveMigrate", "LiveMigrateIfPossible", "None", "External")
RESTRICTED_LABELS = (
    "kubevirt.io/created-by",
    "kubevirt.io/migrationJobUID",
    "kubevirt.io/nodeName",
    "kubevirt.io/migrationTargetNodeName",
    "kubevirt.io/schedulable",
    "kubevirt.io/install-strategy",
)


def devices_of(spec: Object) -> Object:
    return dict((spec.get("domain") or {}).get("devices") or {})


def metadata_causes(path: Path, metadata: Object, gates: Gates) -> Iterator[Cause]:
    if any(label in (metadata.get("labels") or {}) for label in RESTRICTED_LABELS):
        text = "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited"
        yield Cause(text, str(path.child("labels")), NOT_SUPPORTED)
    annotations = metadata.get("annotations") or {}
    field = str(path.child("annotations"))
    if annotations.get("kubevirt.io/ignitiondata") and not gates.on("ExperimentalIgnitionSupport"):
        text = "ExperimentalIgnitionSupport feature gate is not enabled in kubevirt-config, invalid entry "
        yield Cause(text + f"{field}.kubevirt.io/ignitiondata", field)
    if annotations.get("hooks.kubevirt.io/hookSidecars") and not gates.on("Sidecar"):
        text = "sidecar feature gate is not enabled in kubevirt-config, invalid entry "
        yield Cause(text + f"{field}.hooks.kubevirt.io/hookSidecars", field)


def start_strategy_causes(path: Path, spec: Object) -> Iterator[Cause]:
    strategy, field = spec.get("startStrategy"), path.child("startStrategy")
    if strategy is None:
        return
    if strategy != "Paused":
        yield Cause(f"{field} is set with an unrecognized option: {strategy}", str(field))
    elif "livenessProbe" in spec:
        probe = path.child("livenessProbe")
        text = f"either {field} or {probe} should be provided.Pausing VMI with LivenessProbe is not supported"
        yield Cause(text, str(field))


def input_causes(path: Path, spec: Object) -> Iterator[Cause]:
    for index, device in enumerate(devices_of(spec).get("inputs") or []):
        where = path.child("domain", "devices", "inputs").index(index)
        if device.get("bus", "") not in ("virtio", "usb", ""):
            yield Cause("Input device can have only virtio or usb bus.", str(where.child("bus")))
        if device.get("type") != "tablet":
            yield Cause("Input device can have only tablet type.", str(where.child("type")))


def io_thread_causes(path: Path, spec: Object) -> Iterator[Cause]:
    domain = spec.get("domain") or {}
    policy = domain.get("ioThreadsPolicy")
    if policy is None:
        return
    if policy not in ("shared", "auto", "supplementalPool"):
        yield Cause(f"Invalid IOThreadsPolicy ({policy})", str(path.child("domain", "ioThreadsPolicy")))
    count = (domain.get("ioThreads") or {}).get("supplementalPoolThreadCount") or 0
    if policy == "supplementalPool" and count < 1:
        text = "the number of iothreads needs to be set and positive for the dedicated policy"
        yield Cause(text, str(path.child("domain", "ioThreads", "count")))


def firmware_causes(path: Path, spec: Object) -> Iterator[Cause]:
    domain = spec.get("domain") or {}
    firmware = domain.get("firmware") or {}
    boot = firmware.get("bootloader") or {}
    field = path.child("domain")
    if "efi" in boot and "bios" in boot:
        where = field.child("firmware", "bootloader")
        yield Cause(f"{where} has both EFI and BIOS configured, but they are mutually exclusive.", str(where))
    if "kernelBoot" in firmware:
        yield from _kernel_boot(field.child("firmware", "kernelBoot"), firmware["kernelBoot"])
    secure = "efi" in boot and boot["efi"].get("secureBoot") is not False
    if secure and not _smm_on(domain) and "tdx" not in (domain.get("launchSecurity") or {}):
        text = f"{field} has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled."
        yield Cause(text, str(field))


def _kernel_boot(where: Path, boot: Object) -> Iterator[Cause]:
    container, field = boot.get("container"), where.child("container")
    if container is None:
        if boot.get("kernelArgs"):
            text = "kernel arguments cannot be provided without an external kernel"
            yield Cause(text, str(where.child("kernelArgs")))
        return
    if not container.get("image"):
        yield Cause(f"{field} must be defined with an image", str(field.child("image")), REQUIRED)
    if not container.get("initrdPath") and not container.get("kernelPath"):
        text = f"{field} must be defined with at least one of the following: kernelPath, initrdPath"
        yield Cause(text, str(field), REQUIRED)
    for key in ("kernelPath", "initrdPath"):
        if container.get(key):
            yield from file_path_causes(field.child(key), container[key])


def late_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    """Everything virt-api looks at after volumes, credentials and DNS."""
    eviction, field = spec.get("evictionStrategy"), path.child("evictionStrategy")
    if eviction is not None and eviction not in EVICTION:
        yield Cause(f"{field} is set with an unrecognized option: {eviction}", str(field))
    devices = devices_of(spec)
    if sum(_shows_ramfb(gpu) for gpu in devices.get("gpus") or []) > 1:
        yield Cause("configuring multiple displays with ramfb is not valid ", str(path.child("GPUs")))
    if devices.get("hostDevices") and not gates.on("HostDevices"):
        yield Cause("Host Devices feature gate is not enabled in kubevirt-config", str(path.child("HostDevices")))
    yield from _sound(path.child("Sound"), devices.get("sound"))
    yield from _launch_security(path, spec, gates)
    where = path.child("domain", "devices")
    if devices.get("autoattachVSOCK") and not gates.on("VSOCK"):
        text = "VSOCK feature gate is not enabled in kubevirt-config"
        yield Cause(text, str(where.child("autoattachVSOCK")))
    if any((disk.get("lun") or {}).get("reservation") for disk in disks_of(spec)):
        text = "persistent reservation is not enabled in kubevirt config"
        yield Cause(text, str(where.child("disks", "luns", "reservation")))
    if "downwardMetrics" in devices and not gates.on("DownwardMetrics"):
        text = "downwardMetrics virtio serial is not allowed: DownwardMetrics feature gate is not enabled"
        yield Cause(text, str(where.child("downwardMetrics")))
    yield from _shared_filesystems(where, spec, gates)
    if "video" in devices and devices.get("autoattachGraphicsDevice") is False:
        text = "Video configuration is not allowed when autoattachGraphicsDevice is set to false"
        yield Cause(text, str(path.child("video")))
    yield from _last_causes(path, spec, gates)


def _shows_ramfb(gpu: Object) -> bool:
    display = (gpu.get("virtualGPUOptions") or {}).get("display")
    if display is None or display.get("enabled") is False:
        return False
    return (display.get("ramFB") or {}).get("enabled") is not False


def _sound(field: Path, sound: Object | None) -> Iterator[Cause]:
    if sound is None:
        return
    if sound.get("model", "") not in ("", "ich9", "ac97"):
        yield Cause("Sound device type is not supported. Options: 'ich9' or 'ac97'", str(field))
    if not sound.get("name"):
        yield Cause("Sound device requires a name field.", str(field))


def _launch_security(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    domain = spec.get("domain") or {}
    security, field = domain.get("launchSecurity"), str(path.child("launchSecurity"))
    if security is None:
        return
    architecture = spec.get("architecture", "")
    if architecture != "amd64":
        if architecture != "s390x":
            text = f"No launchSecurity support for architecture: {architecture}"
            yield Cause(text, str(path.child("architecture")))
        return
    kinds = [key for key in ("sev", "snp", "tdx") if key in security]
    if len(kinds) != 1:
        yield Cause("One and only one launchSecurity type can be set", field, FORBIDDEN)
        return
    kind = kinds[0]
    gate = "WorkloadEncryptionTDX" if kind == "tdx" else "WorkloadEncryptionSEV"
    if not gates.on(gate):
        yield Cause(f"{gate} feature gate is not enabled in kubevirt-config", field)
        return
    if kind == "tdx" and _smm_on(domain):
        yield Cause("TDX does not work along with SMM", field)
    yield from _secured_by(kind, security[kind], spec, field)


def _smm_on(domain: Object) -> bool:
    smm = (domain.get("features") or {}).get("smm")
    return smm is not None and smm.get("enabled") is not False


def _secured_by(kind: str, security: Object, spec: Object, field: str) -> Iterator[Cause]:
    """What a sealed guest needs of its firmware, its start and its interfaces."""
    efi = (((spec.get("domain") or {}).get("firmware") or {}).get("bootloader") or {}).get("efi")
    if efi is None:
        yield Cause(f"{kind.upper()} requires OVMF (UEFI)", field)
    else:
        if kind in ("sev", "snp") and efi.get("secureBoot") is not False:
            yield Cause(f"{kind.upper()} does not work along with SecureBoot", field)
        if kind in ("snp", "tdx") and efi.get("persistent"):
            yield Cause(f"{kind.upper()} does not work along with Persistent EFI variables", field)
    if kind == "sev" and "attestation" in security and spec.get("startStrategy") != "Paused":
        yield Cause("SEV attestation requires VMI StartStrategy 'Paused'", field)
    for interface in devices_of(spec).get("interfaces") or []:
        if "bootOrder" in interface:
            yield Cause(f"{kind.upper()} does not work with bootable NICs: {interface['name']}", field)


def _shared_filesystems(where: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    for shared in devices_of(spec).get("filesystems") or []:
        volume = volumes.get(shared["name"], {})
        if {"persistentVolumeClaim", "dataVolume"} & volume.keys() and not gates.on("EnableVirtioFsStorageVolumes"):
            text = "virtiofs is not allowed: virtiofs feature gate is not enabled for PVC"
            yield Cause(text, str(where.child("filesystems")))


def _last_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    panics = devices_of(spec).get("panicDevices") or []
    if panics and spec.get("architecture") == "s390x":
        text = "custom panic devices are not supported on s390x architecture"
        yield Cause(text, str(path.child("domain", "devices", "panicDevices")))
    for index, device in enumerate(panics):
        model = device.get("model")
        if model is not None and model not in ("hyperv", "isa", "pvpanic"):
            field = path.child("domain", "devices", "panicDevices").index(index).child("model")
            yield Cause(f"invalid PanicDeviceModel({model})", str(field))
    if "rebootPolicy" in (spec.get("domain") or {}) and not gates.on("RebootPolicy"):
        text = "RebootPolicy is specified but the RebootPolicy feature gate is not enabled"
        yield Cause(text, str(path.child("domain", "rebootPolicy")))
    if "reservedOverhead" in ((spec.get("domain") or {}).get("memory") or {}) and not gates.on(
        "ReservedOverheadMemlock"
    ):
        text = "Reserved overhead memlock feature gate is not enabled in kubevirt-config"
        yield Cause(text, str(path.child("domain", "memory", "reservedOverhead")))
    account, field = spec.get("serviceAccountName"), path.child("serviceAccountName")
    if not account:
        return
    wrong = dns_subdomain(account)
    if wrong:
        yield Cause(f"{field} is not a valid service account name: {'; '.join(wrong)}", str(field))
    for volume in spec.get("volumes") or []:
        other = (volume.get("serviceAccount") or {}).get("serviceAccountName")
        if "serviceAccount" in volume and other != account:
            text = (
                f'spec.serviceAccountName "{account}" and serviceAccount volume "{other}" '
                "must reference the same service account"
            )
            yield Cause(text, str(field))
            return
