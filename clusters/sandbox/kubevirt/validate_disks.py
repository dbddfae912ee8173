"""Rules for disks, in virt-api's order, with its doubled field paths (verdicts: k8s-transcript/20)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_SUPPORTED, REQUIRED, Cause
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.kubevirt.names import dns_label
from clusters.sandbox.kubevirt.paths import Path
from clusters.sandbox.kubevirt.validate_network import PCI_ADDRESS, interfaces

Object = dict[str, Any]
TARGETS = ("disk", "lun", "cdrom")
BUSES = ("virtio", "scsi", "sata", "usb")
SERIAL = re.compile(r"^[A-Za-z0-9_.+-]+\Z")
BLOCK_SIZES = (512, 2 * 1024**2)


def disks_of(spec: Object) -> list[Object]:
    return list(((spec.get("domain") or {}).get("devices") or {}).get("disks") or [])


def boot_order_causes(path: Path, spec: Object, gates: Gates) -> Iterator[Cause]:
    """Disks against volumes, then boot orders unique over disks and interfaces."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    where = path.child("domain", "devices", "disks")
    orders: set[int] = set()
    for index, disk in enumerate(disks_of(spec)):
        yield from _against_volume(where.index(index), disk, volumes.get(disk["name"]), gates)
        if disk.get("bootOrder") is not None:
            if disk["bootOrder"] in orders:
                field = where.index(index).child("bootOrder")
                yield Cause(f"Boot order for {field} already set for a different device.", str(field))
            orders.add(disk["bootOrder"])
    for index, interface in enumerate(interfaces(spec)):
        order = interface.get("bootOrder")
        if order is None:
            continue
        if order < 1:
            item = path.index(index)
            yield Cause(f"{item} must have a boot order > 0, if supplied", str(item.child("bootOrder")))
            continue
        if order in orders:
            field = path.child("domain", "devices", "interfaces").index(index).child("bootOrder")
            yield Cause(f"Boot order for {field} already set for a different device.", str(field))
        orders.add(order)


def _against_volume(where: Path, disk: Object, volume: Object | None, gates: Gates) -> Iterator[Cause]:
    if volume is None:
        if "cdrom" not in disk:
            yield Cause(f"{where.child('Name')} '{disk['name']}' not found.", str(where.child("name")))
        elif not gates.on("DeclarativeHotplugVolumes"):
            text = "DeclarativeHotplugVolumes feature gate not enabled, cannot define an empty CD-ROM disk"
            yield Cause(text, str(where.child("name")))
        return
    if "lun" in disk and not {"persistentVolumeClaim", "dataVolume"} & volume.keys():
        field = where.child("lun")
        yield Cause(f"{field} can only be mapped to a DataVolume or PersistentVolumeClaim volume.", str(field))
    if "downwardMetrics" in volume:
        yield from _downward_metrics(where, disk)


def _downward_metrics(where: Path, disk: Object) -> Iterator[Cause]:
    if "disk" not in disk:
        field = where.child("disk")
        text = f"DownwardMetrics volume must be mapped to a disk, but disk is not set on {field}."
        yield Cause(text, str(field), REQUIRED)
    elif disk["disk"].get("bus") not in (None, "", "virtio"):
        field = where.child("disk", "bus")
        text = f"DownwardMetrics volume must be mapped to virtio bus, but {field} is set to {disk['disk']['bus']}"
        yield Cause(text, str(field))


def disk_causes(path: Path, disks: list[Object]) -> Iterator[Cause]:
    for index, disk in enumerate(disks):
        where = path.index(index)
        for other in range(index):
            if disks[other]["name"] == disk["name"]:
                text = f"{where} and {path.index(other)} must not have the same Name."
                yield Cause(text, str(where.child("name")))
        if sum(target in disk for target in TARGETS) > 1:
            yield Cause(f"{where} can only have a single target type defined", str(where))
        yield from _pci(path.child("domain", "devices", "disks", "disk").index(index), disk)
        if disk.get("bootOrder") is not None and disk["bootOrder"] < 1:
            yield Cause(f"{where} must have a boot order > 0, if supplied", str(where.child("bootOrder")))
        yield from _bus(path, where, index, disk)
        yield from _strings(path, where, index, disk)
        for wrong in dns_label(disk["name"]):  # a disk's name becomes a container's name
            yield Cause(wrong, str(path.child("domain", "devices", "disks").index(index).child("name")))
        yield from _block_size(where, disk)


def _target(disk: Object) -> tuple[str, str]:
    """The kind of target and its bus."""
    kind = next((target for target in TARGETS if target in disk), "")
    return kind, (disk.get(kind) or {}).get("bus", "") if kind else ""


def _pci(where: Path, disk: Object) -> Iterator[Cause]:
    target = disk.get("disk") or {}
    address = target.get("pciAddress")
    if not address:
        return
    if target.get("bus") != "virtio":
        text = f"disk {where.child('name')} - setting a PCI address is only possible with bus type virtio."
        yield Cause(text, str(where.child("pciAddress")))
    if not PCI_ADDRESS.match(address):
        text = f"disk {where.child('name')} has malformed PCI address ({address})."
        yield Cause(text, str(where.child("pciAddress")))


def _bus(path: Path, where: Path, index: int, disk: Object) -> Iterator[Cause]:
    kind, bus = _target(disk)
    if not bus:
        return
    field = str(where.child(kind, "bus"))
    if bus == "ide":
        yield Cause("IDE bus is not supported", field)
    elif bus == "virtio" and kind == "cdrom":
        yield Cause(f"Bus type {bus} is invalid for CD-ROM device", field)
    elif bus == "sata" and kind == "disk" and disk["disk"].get("readonly"):
        yield Cause(f"{bus} hard-disks do not support read-only.", field)
    elif bus not in BUSES:
        yield Cause(f"{where} is set with an unrecognized bus {bus}, must be one of: [{' '.join(BUSES)}]", field)
    if disk.get("dedicatedIOThread") and bus != "virtio":
        text = f"IOThreads are not supported for disks on a {bus} bus"
        yield Cause(text, str(path.child("domain", "devices", "disks").index(index)), NOT_SUPPORTED)


def _strings(path: Path, where: Path, index: int, disk: Object) -> Iterator[Cause]:
    serial = disk.get("serial")
    if serial and not SERIAL.match(serial):
        text = f"{where} must be made up of the following characters [A-Za-z0-9_.+-], if specified"
        yield Cause(text, str(where.child("serial")))
    if serial and len(serial) > 256:
        yield Cause(f"{where} must be less than or equal to 256 in length, if specified", str(where.child("serial")))
    cache = disk.get("cache")
    if cache and cache not in ("none", "writethrough", "writeback"):
        yield Cause(f"{where.child('cache')} has invalid value {cache}", str(where.child("cache")))
    if disk.get("io") and disk["io"] not in ("native", "threads"):
        text = f"Disk IO mode for {path} is not supported. Supported modes are: native, threads."
        yield Cause(text, str(path.child("domain", "devices", "disks").index(index).child("io")), NOT_SUPPORTED)
    policy = disk.get("errorPolicy")
    if policy is not None and policy not in ("stop", "ignore", "report", "enospace"):
        yield Cause(f'{where.child("errorPolicy")} has invalid value "{policy}"', str(where.child("errorPolicy")))


def _block_size(where: Path, disk: Object) -> Iterator[Cause]:
    block = disk.get("blockSize") or {}
    custom = block.get("custom")
    if custom is None:
        return
    if "matchVolume" in block and block["matchVolume"].get("enabled") is not False:
        text = "Block size matching can't be enabled together with a custom value"
        yield Cause(text, str(where.child("blockSize")))
        return
    logical, physical = custom.get("logical", 0), custom.get("physical", 0)
    field = where.child("blockSize", "custom")
    granularity = custom.get("discardGranularity")
    if logical > physical:
        text = f"Logical size {logical} must be the same or less than the physical size of {physical}"
        yield Cause(text, str(field.child("logical")))
    elif _target(disk)[1] == "sata" and logical != BLOCK_SIZES[0]:
        yield Cause(f"Logical size {logical} must be 512 for SATA devices", str(field.child("logical")))
    elif granularity is not None and logical and granularity % logical:
        text = f"Discard granularity {granularity} must be multiples of logical size {logical}"
        yield Cause(text, str(field.child("discardGranularity")))
    else:
        for name, size in (("logical", logical), ("physical", physical)):
            yield from _power_of_two(field.child(name), size)


def _power_of_two(field: Path, size: int) -> Iterator[Cause]:
    least, most = BLOCK_SIZES
    if size < least:
        text = f"Provided size of {size} is less than the supported minimum size of {least}"
        yield Cause(text, str(field))
    elif size > most:
        text = f"Provided size of {size} is greater than the supported maximum size of {most}"
        yield Cause(text, str(field))
    elif size & (size - 1):
        yield Cause(f"Provided size of {size} is not a power of 2", str(field))


def file_path_causes(field: Path, text: str) -> Iterator[Cause]:
    """A path inside an image: absolute, no dots, not the root."""
    if text == "/":
        yield Cause(f"{field} must not point to root", str(field))
    elif posixpath.normpath("/" + text.lstrip("/")) != text.removesuffix("/"):
        yield Cause(f"{field} must be an absolute path to a file without relative components", str(field))
