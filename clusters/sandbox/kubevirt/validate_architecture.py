"""What a machine of an architecture can't have: checked when an instance is created, not on the VM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_SUPPORTED, Cause
from clusters.sandbox.kubevirt.paths import Path

Object = dict[str, Any]
VIDEO = {
    "amd64": ("vga", "cirrus", "virtio", "ramfb", "bochs"),
    "arm64": ("virtio", "ramfb"),
    "s390x": ("virtio",),
}
WATCHDOGS = {"amd64": ("i6300esb", "I6300ESB"), "s390x": ("diag288", "Diag288")}


def architecture_causes(path: Path, spec: Object) -> Iterator[Cause]:
    architecture = spec.get("architecture", "")
    if architecture not in VIDEO:
        yield Cause(f"unsupported architecture: {architecture}", str(path.child("architecture")))
        return
    devices = (spec.get("domain") or {}).get("devices") or {}
    where = path.child("domain", "devices")
    video = devices.get("video")
    if video is not None and video.get("type", "") not in VIDEO[architecture]:
        text = f"video model '{video.get('type', '')}' is not supported on {architecture} architecture"
        yield Cause(text, str(where.child("video", "type")), NOT_SUPPORTED)
    watchdog = devices.get("watchdog")
    if architecture in WATCHDOGS:
        key, word = WATCHDOGS[architecture]
        if watchdog is not None and {name for name in ("i6300esb", "diag288") if name in watchdog} != {key}:
            text = f"{architecture} only supports {word} watchdog device"
            yield Cause(text, str(where.child("watchdog")), NOT_SUPPORTED)
    else:
        yield from _arm(path, spec, devices)


def _arm(path: Path, spec: Object, devices: Object) -> Iterator[Cause]:
    domain, where = path.child("domain"), path.child("domain", "devices")
    boot = ((spec.get("domain") or {}).get("firmware") or {}).get("bootloader") or {}
    if "bios" in boot:
        text = "Arm64 does not support bios boot, please change to uefi boot"
        yield Cause(text, str(domain.child("firmware", "bootloader", "bios")), NOT_SUPPORTED)
    model = ((spec.get("domain") or {}).get("cpu") or {}).get("model")
    if model and model != "host-passthrough":
        text = "currently, host-passthrough is the only model supported on Arm64"
        yield Cause(text, str(domain.child("cpu", "model")), NOT_SUPPORTED)
    for index, disk in enumerate(devices.get("disks") or []):
        for kind in ("disk", "cdrom", "lun"):
            if kind in disk and disk[kind].get("bus", "") not in ("", "virtio", "scsi"):
                text = "Arm64 not support this disk bus type, please use virtio or scsi"
                yield Cause(text, str(where.child("disks").index(index).child(kind, "bus")), NOT_SUPPORTED)
    if "watchdog" in devices:
        yield Cause("Arm64 not support Watchdog device", str(where.child("watchdog")), NOT_SUPPORTED)
    if "sound" in devices:
        yield Cause("Arm64 not support sound device", str(where.child("sound")), NOT_SUPPORTED)
