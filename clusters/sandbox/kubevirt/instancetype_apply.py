"""What an instance type writes into a VM's template, and what of the template it refuses to overwrite."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from clusters.sandbox.kubevirt import preferences
from clusters.sandbox.kubevirt.causes import Cause
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.paths import TEMPLATE_SPEC, Path

Object = dict[str, Any]
DOMAIN = TEMPLATE_SPEC.child("domain")
THREADS_PER_CORE = 2
CPU_EXTRAS = (  # name in the instance type, name in the VM
    ("dedicatedCPUPlacement", "dedicatedCpuPlacement"),
    ("isolateEmulatorThread", "isolateEmulatorThread"),
    ("numa", "numa"),
    ("realtime", "realtime"),
)


def apply(
    instancetype: Object | None, preference: Object | None, spec: Object, metadata: Object | None = None
) -> list[Cause]:
    """Writes instance type and preference into a template, in place; conflicts come back, the preference unwritten."""
    uneven = preferences.uneven_spread(instancetype, preference)
    if uneven:
        return [uneven]
    metadata = {} if metadata is None else metadata
    if instancetype is not None:
        conflicts = [*_placement(instancetype, spec), *_compute(instancetype, preference, spec)]
        conflicts += [*_devices(instancetype, spec), *_annotations(instancetype, metadata)]
        if conflicts:
            return [Cause(f"VM field(s) {path} conflicts with selected instance type", str(path)) for path in conflicts]
    preferences.apply(preference, spec, metadata)
    return []


def _placement(instancetype: Object, spec: Object) -> Iterator[Path]:
    for key in ("nodeSelector", "schedulerName"):
        if instancetype.get(key) and spec.get(key):
            yield TEMPLATE_SPEC.child(key)
        elif instancetype.get(key):
            spec[key] = deepcopy(instancetype[key])


def _compute(instancetype: Object, preference: Object | None, spec: Object) -> Iterator[Path]:
    domain = spec.setdefault("domain", {})
    found = _cpu_conflicts(instancetype["cpu"], domain)
    yield from found
    if not found:
        _write_cpu(instancetype["cpu"], preference, domain.setdefault("cpu", {}))
    taken = _memory_conflict(instancetype["memory"], domain)
    if taken:
        yield taken
    else:
        _write_memory(instancetype["memory"], domain)


def _cpu_conflicts(wanted: Object, domain: Object) -> list[Path]:
    resources, cpu = domain.get("resources") or {}, domain.get("cpu") or {}
    kinds = ("requests", "limits")
    found = [DOMAIN.child("resources", kind, "cpu") for kind in kinds if "cpu" in (resources.get(kind) or {})]
    found += [DOMAIN.child("cpu", name) for name in ("sockets", "cores", "threads") if cpu.get(name)]
    if cpu.get("model") and wanted.get("model") is not None:
        found.append(DOMAIN.child("cpu", "model"))
    for theirs, ours in CPU_EXTRAS:
        given = ours in cpu if ours in ("numa", "realtime") else cpu.get(ours)
        if given and wanted.get(theirs) is not None:
            found.append(DOMAIN.child("cpu", theirs))
    return found


def _write_cpu(wanted: Object, preference: Object | None, cpu: Object) -> None:
    for theirs, ours in (("model", "model"), *CPU_EXTRAS, ("maxSockets", "maxSockets")):
        if wanted.get(theirs) is not None:
            cpu[ours] = deepcopy(wanted[theirs])
    cpu |= {"cores": 1, "sockets": 1, "threads": 1}
    guest, spread = int(wanted.get("guest", 1)), preferences.topology(preference)
    if guest == 1:
        return
    if spread in ("cores", "threads"):
        cpu[spread] = guest
    elif spread in ("sockets", "any"):
        cpu["sockets"] = guest
    elif spread == "spread":
        ratio, across = preferences.spread_options(preference)
        if across == "SocketsCores":
            cpu |= {"cores": ratio, "sockets": guest // ratio}
        elif across == "CoresThreads":
            cpu |= {"threads": ratio, "cores": guest // ratio}
        else:
            cpu |= {"threads": THREADS_PER_CORE, "cores": ratio, "sockets": guest // THREADS_PER_CORE // ratio}


def _memory_conflict(wanted: Object, domain: Object) -> Path | None:
    """KubeVirt names one conflict of memory at a time."""
    resources, memory = domain.get("resources") or {}, domain.get("memory") or {}
    if "guest" in memory:
        return DOMAIN.child("memory", "guest")
    for key in ("hugepages", "maxGuest"):
        if key in memory and key in wanted:
            return DOMAIN.child("memory", key)
    for kind in ("requests", "limits"):
        if "memory" in (resources.get(kind) or {}):
            return DOMAIN.child("resources", kind, "memory")
    return None


def _write_memory(wanted: Object, domain: Object) -> None:
    memory = domain.setdefault("memory", {})
    memory["guest"] = wanted["guest"]
    for key in ("hugepages", "maxGuest"):
        if key in wanted:
            memory[key] = deepcopy(wanted[key])
    overcommit = wanted.get("overcommitPercent", 0)
    if overcommit:
        requests = domain.setdefault("resources", {}).setdefault("requests", {})
        share = _float32(1 - _float32(overcommit / 100))
        requests["memory"] = str(int(_float32(_float32(quantity(memory["guest"])) * share)))


def _float32(number: float) -> float:
    """KubeVirt reckons the share in 32-bit floats, and the request shows it."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _devices(instancetype: Object, spec: Object) -> Iterator[Path]:
    domain = spec.setdefault("domain", {})
    count = (instancetype.get("ioThreads") or {}).get("supplementalPoolThreadCount")
    if count is not None:
        threads = domain.setdefault("ioThreads", {})
        if "supplementalPoolThreadCount" in threads:
            yield DOMAIN.child("ioThreads", "supplementalPoolThreadCount")
        threads.setdefault("supplementalPoolThreadCount", count)
    for key in ("ioThreadsPolicy", "launchSecurity"):
        if key in instancetype and key in domain:
            yield DOMAIN.child(key)
        elif key in instancetype:
            domain[key] = deepcopy(instancetype[key])
    devices = domain.setdefault("devices", {})
    for key in ("gpus", "hostDevices"):
        if instancetype.get(key) and devices.get(key):
            yield DOMAIN.child("devices", key)
        elif instancetype.get(key):
            devices[key] = deepcopy(instancetype[key])


def _annotations(instancetype: Object, metadata: Object) -> Iterator[Path]:
    wanted = instancetype.get("annotations") or {}
    target = metadata.get("annotations") or {}
    yield from (Path("annotations").child(key) for key in wanted if target.get(key, wanted[key]) != wanted[key])
    if wanted:
        metadata["annotations"] = wanted | target
