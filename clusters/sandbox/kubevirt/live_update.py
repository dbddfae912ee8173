"""Changes to a running machine: what reaches it at once and what needs a restart (facts/kubevirt.md section 4.4)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from clusters.sandbox.cdi.objects import condition
from clusters.sandbox.kubevirt.defaults import quantity
from clusters.sandbox.kubevirt.paths import TEMPLATE_SPEC
from clusters.sandbox.kubevirt.validate_compute import Compute, not_growable

Object = dict[str, Any]
FIELD_CHANGED = "a non-live-updatable field was changed in the template spec"
PLACEMENT = ("nodeSelector", "affinity", "tolerations")


def restart_reason(started: Object, wanted: Object) -> str:
    """Why the template in effect at start and the one wanted now can't be reconciled live; empty when they can."""
    before, after = deepcopy(started), deepcopy(wanted)
    for spec in (before, after):
        for key in PLACEMENT:
            spec.pop(key, None)
        (spec["domain"].get("cpu") or {}).pop("sockets", None)
        (spec["domain"].get("memory") or {}).pop("guest", None)
    if _hot_disks_only(before, after):
        for spec in (before, after):
            spec.pop("volumes", None)
            spec["domain"].get("devices", {}).pop("disks", None)
    if not _network_needs_restart(before, after):
        for spec in (before, after):
            spec.pop("networks", None)
            spec["domain"].get("devices", {}).pop("interfaces", None)
    return "" if before == after else FIELD_CHANGED


def _network_needs_restart(before: Object, after: Object) -> bool:
    """Interfaces may be added, and links go up and down; a network may become another attachment of its kind."""
    links = [_named(spec["domain"].get("devices", {}).get("interfaces"), "state") for spec in (before, after)]
    networks = [_named(spec.get("networks"), "") for spec in (before, after)]
    for spec in networks:
        for network in spec.values():
            (network.get("multus") or {}).pop("networkName", None)
    if any("pod" in item for item in networks[1].values()) > any("pod" in item for item in networks[0].values()):
        return True
    return any(new.get(name) != item for old, new in (links, networks) for name, item in old.items())


def _named(entries: list[Object] | None, ignored: str) -> dict[str, Object]:
    return {entry["name"]: {key: deepcopy(entry[key]) for key in entry if key != ignored} for entry in entries or []}


def _hot_disks_only(before: Object, after: Object) -> bool:
    """Disks may come and go live when every one of them that changed is a hotpluggable claim."""
    old = {volume["name"]: volume for volume in before.get("volumes") or []}
    new = {volume["name"]: volume for volume in after.get("volumes") or []}
    changed = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    if not changed:
        return before.get("volumes") == after.get("volumes") and _disks(before) == _disks(after)
    for name in changed:
        volume = new.get(name) or old[name]
        claim = volume.get("dataVolume") or volume.get("persistentVolumeClaim") or {}
        if not claim.get("hotpluggable") or (name in old and name in new):
            return False
    same = old.keys() & new.keys()
    return all(_disks(before).get(name) == _disks(after).get(name) for name in same)


def _disks(spec: Object) -> dict[str, Object]:
    return {disk["name"]: disk for disk in spec["domain"].get("devices", {}).get("disks") or []}


def apply_live(vmi: Object, wanted: Object) -> str:
    """Writes more sockets and memory into the VMI, in place; answers why not when they can't be."""
    return _sockets(vmi, wanted) or _memory(vmi, wanted)


def _sockets(vmi: Object, wanted: Object) -> str:
    cpu = vmi["spec"]["domain"].get("cpu") or {}
    sockets = (wanted["domain"].get("cpu") or {}).get("sockets")
    if not sockets or sockets == cpu.get("sockets"):
        return ""
    if sockets > cpu.get("maxSockets", 0):
        return "CPU sockets updated in template spec to a value higher than what's available"
    if sockets < (cpu.get("sockets") or 1):
        return "Reduction of CPU socket count requires a restart"
    cpu["sockets"] = sockets
    vmi["status"].setdefault("currentCPUTopology", {})["sockets"] = sockets
    return ""


def _memory(vmi: Object, wanted: Object) -> str:
    memory, status = vmi["spec"]["domain"].get("memory") or {}, vmi["status"].get("memory") or {}
    guest = (wanted["domain"].get("memory") or {}).get("guest")
    if guest is None or quantity(guest) == quantity(memory.get("guest")):
        return ""
    if condition(vmi, "LiveMigratable").get("status") != "True":
        return "memory updated in template spec. Memory-hotplug is only available for migratable VMs"
    if "maxGuest" not in memory:
        return "memory updated in template spec. Memory-hotplug is not available for this VM configuration"
    trial = deepcopy(wanted)
    trial["domain"]["memory"]["maxGuest"] = memory["maxGuest"]
    why = not_growable(Compute(TEMPLATE_SPEC, trial))
    if why:
        return f"memory hotplug not supported, {why}"
    if quantity(guest) < quantity(status.get("guestAtBoot")):
        return "memory updated in template spec to a value lower than what the VM started with"
    memory["guest"] = guest
    status |= {"guestCurrent": guest, "guestRequested": guest}
    return ""
