"""Facts a running machine reports: interfaces, guest system, conditions (facts/kubevirt.md sections 4.3, 4.4)."""

from __future__ import annotations

import hashlib
from typing import Any

from clusters.sandbox.cdi.objects import now, set_condition
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.launcher_resources import in_binary, overhead

Object = dict[str, Any]
GUEST = {
    "id": "fedora",
    "name": "Fedora Linux",
    "prettyName": "Fedora Linux 42 (Cloud Edition)",
    "version": "42 (Cloud Edition)",
    "versionId": "42",
}
KERNEL = {
    "kernelRelease": "6.14.0-63.fc42.x86_64",
    "kernelVersion": "#1 SMP PREEMPT_DYNAMIC",
    "machine": "x86_64",
}


def phase(status: Object, value: str) -> None:
    if status.get("phase") == value:
        return
    status["phase"] = value
    entry = {"phase": value, "phaseTransitionTimestamp": now()}
    status.setdefault("phaseTransitionTimestamps", []).append(entry)


def mac_of(uid: str, index: int) -> str:
    """A stable local address per machine and interface."""
    digest = hashlib.sha256(f"{uid}/{index}".encode()).digest()
    return "02:" + ":".join(f"{byte:02x}" for byte in digest[:5])


def interfaces(vmi: Object, address: str, *, agent: bool) -> list[Object]:
    found = []
    networks = {network["name"]: network for network in vmi["spec"].get("networks") or []}
    for index, interface in enumerate(vmi["spec"]["domain"].get("devices", {}).get("interfaces") or []):
        pod = "pod" in networks.get(interface["name"], {})
        entry: Object = {
            "name": interface["name"],
            "mac": interface.get("macAddress") or mac_of(vmi["metadata"]["uid"], index),
            "infoSource": "domain, guest-agent" if agent else "domain",
            "linkState": interface.get("state") or "up",
            "podInterfaceName": "eth0" if pod else f"pod{index}",
            "queueCount": 1,
        }
        if agent:
            entry["interfaceName"] = f"eth{index}"
        if pod:
            entry |= {"ipAddress": address, "ipAddresses": [address]}
        found.append(entry)
    return found


def volumes(vmi: Object, sizes: dict[str, Object]) -> list[Object]:
    """Status of every volume; claims tell their size and modes."""
    found: list[Object] = []
    for index, volume in enumerate(vmi["spec"].get("volumes") or []):
        entry: Object = {"name": volume["name"], "target": f"vd{chr(ord('a') + index % 26)}"}
        claim = sizes.get(volume["name"])
        if claim is not None:
            spec = claim["spec"]
            entry["persistentVolumeClaimInfo"] = {
                "accessModes": spec["accessModes"],
                "capacity": claim["status"].get("capacity", {}),
                "claimName": claim["metadata"]["name"],
                "requests": spec["resources"].get("requests", {}),
                "volumeMode": spec.get("volumeMode", "Filesystem"),
            }
        found.append(entry)
    return found


def migratable(status: Object, spec: Object, claims: dict[str, Object]) -> None:
    """Live migration needs shared disks and a network that can move."""
    single = [claim for claim in claims.values() if "ReadWriteMany" not in claim["spec"]["accessModes"]]
    networks = {network["name"]: network for network in spec.get("networks") or []}
    bridged = [
        interface
        for interface in spec["domain"].get("devices", {}).get("interfaces") or []
        if "bridge" in interface and "pod" in networks.get(interface["name"], {})
    ]
    if single:
        name = single[0]["metadata"]["name"]
        text = f"cannot migrate VMI: PVC {name} is not shared, live migration requires that all PVCs must be shared"
        set_condition(
            status, "LiveMigratable", "False", "DisksNotLiveMigratable", text + " (using ReadWriteMany access mode)"
        )
        set_condition(status, "StorageLiveMigratable", "True")
    elif bridged:
        text = (
            "cannot migrate VMI which does not use masquerade, bridge with "
            "kubevirt.io/allow-pod-bridge-network-live-migration VM annotation or a migratable plugin"
        )
        set_condition(status, "LiveMigratable", "False", "InterfaceNotLiveMigratable", text)
        set_condition(status, "StorageLiveMigratable", "False", "InterfaceNotLiveMigratable", text)
    else:
        set_condition(status, "LiveMigratable", "True")
        set_condition(status, "StorageLiveMigratable", "True")


def sizes(status: Object, spec: Object) -> None:
    cpu, memory = spec["domain"].get("cpu") or {}, spec["domain"].get("memory") or {}
    status["currentCPUTopology"] = {key: cpu.get(key) or 1 for key in ("cores", "sockets", "threads")}
    guest = memory.get("guest")
    if quantity(guest):
        status["memory"] = {"guestAtBoot": guest, "guestCurrent": guest, "guestRequested": guest}
        status["memory"]["memoryOverhead"] = in_binary(overhead(spec))
    status["machine"] = {"type": "pc-q35-rhel9.6.0"}


def launcher_overhead(vmi: Object) -> int:
    """Bytes around the guest: what the status says, else what follows from the spec."""
    told = (vmi.get("status", {}).get("memory") or {}).get("memoryOverhead")
    return quantity(told) or overhead(vmi["spec"])
