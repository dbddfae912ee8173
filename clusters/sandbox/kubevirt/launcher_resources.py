"""What a launcher pod asks for: facts/kubevirt.md section 5.1 in numbers.

CPU: vCPUs and extra IO threads over the allocation ratio, or whole CPUs when dedicated. Memory: the guest's (less what
overcommit takes away) plus what the machinery around it needs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.gates import Gates
from clusters.sandbox.quantity import form_of, parse, render

Object = dict[str, Any]
MIB = 1024**2
PAGE_TABLE_SHARE = 512
FIXED_MIB = 25 + 100 + 25 + 40 + 50  # monitor, launcher, virtlogd, virtqemud, QEMU itself
PER_VCPU_MIB = 8
IO_MIB = 8
VIDEO_MIB = 32
ARM_MIB = 128
VFIO_MIB = 1024
SEV_MIB = 256
TPM_MIB = 53
GUARANTEED_MIB = 100
PROBE_MIB, PROBES_MIB = 10, 100
EPHEMERAL = 50_000_000
AUTO_LIMIT = 2  # memory limit over request where a quota counts limits


def vcpus(spec: Object) -> int:
    cpu = spec["domain"].get("cpu") or {}
    return int((cpu.get("sockets") or 1) * (cpu.get("cores") or 1) * (cpu.get("threads") or 1))


def io_threads(spec: Object) -> int:
    return int((spec["domain"].get("ioThreads") or {}).get("supplementalPoolThreadCount") or 0)


def _resources(spec: Object, side: str) -> Object:
    return dict((spec["domain"].get("resources") or {}).get(side) or {})


def guest_memory(spec: Object) -> int:
    guest = quantity((spec["domain"].get("memory") or {}).get("guest"))
    return guest or quantity(_resources(spec, "requests").get("memory"))


def dedicated(spec: Object) -> bool:
    return bool((spec["domain"].get("cpu") or {}).get("dedicatedCpuPlacement"))


def guaranteed(spec: Object) -> bool:
    """Requests and limits of both units given, and equal."""
    asked, most = _resources(spec, "requests"), _resources(spec, "limits")
    units = ("cpu", "memory")
    return all(unit in asked and unit in most and parse(asked[unit]) == parse(most[unit]) for unit in units)


def claims_of_devices(spec: Object) -> bool:
    devices = spec["domain"].get("devices") or {}
    return any(entry.get("claimName") for key in ("gpus", "hostDevices") for entry in devices.get(key) or [])


def _passes_through(spec: Object) -> bool:
    devices = spec["domain"].get("devices") or {}
    direct = any("sriov" in interface for interface in devices.get("interfaces") or [])
    return direct or bool(devices.get("gpus") or devices.get("hostDevices"))


def overhead(spec: Object) -> int:
    """Bytes the machinery around a guest needs."""
    domain = spec["domain"]
    devices = domain.get("devices") or {}
    execs = sum("exec" in (spec.get(name) or {}) for name in ("livenessProbe", "readinessProbe"))
    tpm = devices.get("tpm")
    parts = (
        (FIXED_MIB + PER_VCPU_MIB * vcpus(spec) + IO_MIB, True),
        (VIDEO_MIB, devices.get("autoattachGraphicsDevice") is not False),
        (ARM_MIB, spec.get("architecture") == "arm64"),
        (VFIO_MIB, _passes_through(spec)),
        (1, "downwardMetrics" in devices or any("downwardMetrics" in item for item in spec.get("volumes") or [])),
        (PROBE_MIB * execs + PROBES_MIB, execs > 0),
        (SEV_MIB, bool({"sev", "snp"} & (domain.get("launchSecurity") or {}).keys())),
        (TPM_MIB, tpm is not None and tpm.get("enabled") is not False),
        (GUARANTEED_MIB, dedicated(spec) or guaranteed(spec)),
    )
    reserved = quantity(((domain.get("memory") or {}).get("reservedOverhead") or {}).get("addedOverhead"))
    return _page_tables(spec) + sum(mib for mib, holds in parts if holds) * MIB + reserved


def _page_tables(spec: Object) -> int:
    """Of the memory that is asked for by hand only; KubeVirt reckons it in thousands of bytes."""
    asked = quantity(_resources(spec, "requests").get("memory"))
    return -(-asked // 1000) * 1000 // PAGE_TABLE_SHARE


def in_binary(size: int) -> str:
    return render(Decimal(size), "binary")


def _devices(spec: Object) -> Object:
    """Device plugin resources, the same on both sides."""
    devices = spec["domain"].get("devices") or {}
    found = {"devices.kubevirt.io/kvm": 1}
    if devices.get("interfaces"):
        found["devices.kubevirt.io/tun"] = 1
    if any(interface.get("model") in (None, "", "virtio") for interface in devices.get("interfaces") or []):
        found["devices.kubevirt.io/vhost-net"] = 1
    for entry in [*(devices.get("gpus") or []), *(devices.get("hostDevices") or [])]:
        if entry.get("deviceName"):
            found[entry["deviceName"]] = found.get(entry["deviceName"], 0) + 1
    return {name: str(count) for name, count in found.items()}


def _cpu_request(spec: Object, gates: Gates) -> str:
    asked = _resources(spec, "requests").get("cpu")
    total = vcpus(spec) + io_threads(spec)
    if dedicated(spec):
        return str(total + bool((spec["domain"].get("cpu") or {}).get("isolateEmulatorThread")))
    if asked is not None:
        return str(asked)
    share = Decimal(total) / gates.cpu_allocation_ratio
    return f"{share.normalize():f}" if share >= 1 else f"{(share * 1000).normalize():f}m"


def requests(spec: Object, gates: Gates) -> Object:
    """What the compute container asks for."""
    resources = spec["domain"].get("resources") or {}
    asked = _resources(spec, "requests")
    told = asked.get("memory") or _resources(spec, "limits").get("memory")
    memory = quantity(told) or guest_memory(spec) * 100 // gates.memory_overcommit
    form = form_of(told or (spec["domain"].get("memory") or {}).get("guest") or "0")
    pages = (spec["domain"].get("memory") or {}).get("hugepages")
    found: Object = {"cpu": _cpu_request(spec, gates)}
    added = 0 if resources.get("overcommitGuestOverhead") else overhead(spec)
    if pages is not None:
        found[f"hugepages-{pages.get('pageSize')}"] = render(Decimal(guest_memory(spec) or memory), form)
        found["memory"] = render(Decimal(max(0, memory - guest_memory(spec)) + overhead(spec)), form)
    else:
        found["memory"] = render(Decimal(memory + added), form)
    own = int(parse(asked.get("ephemeral-storage", "0")))
    return found | {"ephemeral-storage": _decimal(own + EPHEMERAL)} | _devices(spec)


def limits(spec: Object, wanted: Object, *, quota_limits: frozenset[str]) -> Object:
    """Explicit limits; where a quota counts memory limits, KubeVirt sets twice the request by itself."""
    asked = _resources(spec, "limits")
    result: Object = _devices(spec)
    result |= {name: size for name, size in wanted.items() if name.startswith("hugepages-")}
    if dedicated(spec):
        result |= {"cpu": wanted["cpu"], "memory": wanted["memory"]}
        return result
    if "cpu" in asked:
        result["cpu"] = asked["cpu"]
    if "memory" in asked:
        result["memory"] = render(Decimal(quantity(asked["memory"]) + overhead(spec)), form_of(asked["memory"]))
    elif "limits.memory" in quota_limits:
        result["memory"] = render(AUTO_LIMIT * parse(wanted["memory"]), form_of(wanted["memory"]))
    return result


def console_log_resources(spec: Object) -> Object:
    most = {"cpu": "15m", "memory": "60M"}
    equal = dedicated(spec) or guaranteed(spec)
    return {"limits": most, "requests": most if equal else {"cpu": "5m", "memory": "35M"}}


def disk_init_resources(spec: Object) -> Object:
    if dedicated(spec) or guaranteed(spec):
        same = {"cpu": "10m", "memory": "40M"}
        return {"limits": same, "requests": same}
    return {"limits": {"cpu": "100m", "memory": "40M"}, "requests": {"cpu": "10m", "memory": "1M"}}


def _decimal(number: int) -> str:
    return f"{number // 1_000_000}M" if number % 1_000_000 == 0 else str(number)
