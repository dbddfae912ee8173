"""Live objects of a VM → phase, conditions and what is shown of it: an ordered table, first match wins. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clusters.conditions import Condition, Outcome, false, true
from vms.facts import VmFacts

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Live:
    """A VM's objects as the cache has them; `volumes` and `claims` by disk name.

    `known_failure`: the import's cause as it was last seen, shown while CDI tries again.
    """

    vm: Body | None = None
    instance: Body | None = None
    pods: Sequence[Body] = ()
    volumes: Mapping[str, Body] = field(default_factory=dict)
    claims: Mapping[str, Body] = field(default_factory=dict)
    power_refused: str = ""
    known_failure: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a row of the table says."""

    phase: str
    ready: bool
    reason: str
    message: str = ""


def observe(vm: VmFacts, live: Live) -> Outcome:
    failure = import_failure(vm, live)
    verdict = next(found for rule in TABLE if (found := rule(vm, live, failure)) is not None)
    ready = Condition("Ready", "True" if verdict.ready else "False", verdict.reason, verdict.message)
    conditions = [ready, _disks(vm, live, failure)]
    if failure:
        conditions.append(true("ImportFailed", "ImportFailed", failure))
    conditions += [item for rule in (_scheduled, _agent, _restart) if (item := rule(live)) is not None]
    if live.power_refused:
        conditions.append(true("PowerRefused", "QuotaExceeded", live.power_refused))
    return Outcome(verdict.phase, tuple(conditions), settled=live.vm is not None, fields=_fields(vm, live))


# --- the table -----------------------------------------------------------------------------------------------------


def _held(vm: VmFacts, _live: Live, _failure: str) -> Verdict | None:
    if vm.held:
        return Verdict("Failed", False, "DiskLost", "A disk is gone that may have held data: the VM is not started.")
    return None


def _import_failed(_vm: VmFacts, _live: Live, failure: str) -> Verdict | None:
    return Verdict("Failed", False, "ImportFailed", failure) if failure else None


def _absent(_vm: VmFacts, live: Live, _failure: str) -> Verdict | None:
    return Verdict("Provisioning", False, "Applying", "Its objects are being made.") if live.vm is None else None


def _going(_vm: VmFacts, live: Live, _failure: str) -> Verdict | None:
    if live.vm is not None and "deletionTimestamp" in live.vm["metadata"]:
        return Verdict("Provisioning", False, "Replacing", "Somebody deleted the VM's object; it will be made again.")
    return None


def _refused(_vm: VmFacts, live: Live, _failure: str) -> Verdict | None:
    """KubeVirt could not make what it wanted: mostly a quota of the cluster's own."""
    found = condition(live.vm, "Failure")
    if found.get("status") == "True":
        return Verdict("Failed", False, found.get("reason") or "Failure", found.get("message", ""))
    return None


# KubeVirt's word → ours. An open enum: what is not here is shown as it is, as Unknown.
PRINTABLE: Mapping[str, tuple[str, bool]] = {
    "Running": ("Running", True),
    "Migrating": ("Running", True),
    "Paused": ("Paused", True),
    "Stopped": ("Stopped", True),
    "Provisioning": ("Provisioning", False),
    "WaitingForVolumeBinding": ("Provisioning", False),
    "Starting": ("Starting", False),
    "WaitingForReceiver": ("Starting", False),
    "Stopping": ("Stopping", False),
    "Terminating": ("Stopping", False),
    "CrashLoopBackOff": ("Failed", False),
    "DataVolumeError": ("Failed", False),
    "ErrorUnschedulable": ("Failed", False),
    "ErrorPvcNotFound": ("Failed", False),
    "ErrorDataVolumeNotFound": ("Failed", False),
    "ErrImagePull": ("Failed", False),
    "ImagePullBackOff": ("Failed", False),
    "Unknown": ("Unknown", False),
}


def _between(vm: VmFacts, live: Live, _failure: str) -> Verdict | None:
    """Intent and fact differ for the moment: on its way."""
    word = printable(live)
    if word == "Stopped" and vm.powered_on:
        return Verdict("Starting", False, "Starting", "It has been told to start.")
    if word in ("Running", "Starting", "Migrating", "Paused") and not vm.powered_on:
        return Verdict("Stopping", False, "Stopping", "It has been told to stop.")
    if not word:
        phase = "Provisioning" if vm.powered_on or _unready(vm, live) else "Stopped"
        return Verdict(phase, False, "Applying", "The cluster has not looked at it yet.")
    return None


def _filling(vm: VmFacts, live: Live, _failure: str) -> Verdict | None:
    """A claim that came a moment too late leaves KubeVirt's machine "unschedulable" until its import is over.

    Where a pod finds no node, or a volume is gone, the word is meant.
    """
    unready = _unready(vm, live)
    homeless = any(condition(pod, "PodScheduled").get("status") == "False" for pod in live.pods)
    if printable(live) not in ("ErrorUnschedulable", "ErrorPvcNotFound") or not unready or homeless:
        return None
    if any(name not in live.volumes for name, _progress in unready):
        return None
    return Verdict("Provisioning", False, "Provisioning", condition(live.vm, "Ready").get("message", ""))


def _by_word(_vm: VmFacts, live: Live, _failure: str) -> Verdict:
    word = printable(live)
    phase, ready = PRINTABLE.get(word, ("Unknown", False))
    cause = condition(live.vm, "Ready")
    message = "" if ready else cause.get("message") or condition(live.instance, "Ready").get("message", "")
    return Verdict(phase, ready, word or "Unknown", message)


Rule = Callable[[VmFacts, Live, str], Verdict | None]
TABLE: tuple[Rule, ...] = (_held, _import_failed, _absent, _going, _refused, _between, _filling, _by_word)


# --- parts ---------------------------------------------------------------------------------------------------------


def condition(body: Body | None, type_: str) -> Body:
    """The condition of that type, an empty one when there is none."""
    found = ((body or {}).get("status") or {}).get("conditions") or ()
    return next((item for item in found if item["type"] == type_), {})


def printable(live: Live) -> str:
    return str(((live.vm or {}).get("status") or {}).get("printableStatus", ""))


BROKEN = ("Error", "ErrExceededQuota")  # the pod that fills a volume ended badly, or a quota keeps it from starting


def import_failure(vm: VmFacts, live: Live) -> str:
    """The cause, with the disk it is about; empty while nothing has failed.

    Ours, where the image is none: CDI takes an HTML page for a raw disk. Else CDI's, which tries most imports again and
    again; between two tries the last cause stands.
    """
    for disk in vm.disks:
        if disk.no_image:
            return f"{disk.name}: {disk.no_image}"
        volume = live.volumes.get(disk.name)
        status = (volume or {}).get("status") or {}
        if volume is None or status.get("phase") == "Succeeded":
            continue
        running, bound = condition(volume, "Running"), condition(volume, "Bound")
        if running.get("status") == "False" and running.get("reason") in BROKEN and running.get("message"):
            return f"{disk.name}: {running['message']}"
        if bound.get("status") == "False" and bound.get("reason") in ("ErrExceededQuota", "ErrClaimNotValid", "Error"):
            return f"{disk.name}: {bound.get('message', '')}"
        if status.get("phase") == "Failed" or status.get("restartCount"):
            return live.known_failure or f"{disk.name}: the import failed."
    return ""


def _unready(vm: VmFacts, live: Live) -> list[tuple[str, str]]:
    """Disks that are not filled yet, with how far they are. A volume that is gone left its claim behind, filled."""
    found = []
    for disk in sorted(vm.disks, key=lambda disk: disk.position):
        volume = live.volumes.get(disk.name)
        status = (volume or {}).get("status") or {}
        if volume is None and disk.name in live.claims:
            continue
        if status.get("phase") != "Succeeded":
            found.append((disk.name, str(status.get("progress") or "N/A")))
    return found


def _disks(vm: VmFacts, live: Live, failure: str) -> Condition:
    if failure:
        return false("DiskReady", "ImportFailed", failure)
    waiting = _unready(vm, live)
    if not waiting:
        return true("DiskReady", "Imported", "All disks are filled.")
    return false("DiskReady", "Importing", ", ".join(f"{name}: {progress}" for name, progress in waiting))


def _scheduled(live: Live) -> Condition | None:
    """From the launcher's pod: whether a node has been found for it."""
    for pod in live.pods:
        found = condition(pod, "PodScheduled")
        if found.get("status") == "False":
            return false("Scheduled", found.get("reason") or "Unschedulable", found.get("message", ""))
    if live.instance is None:
        return None
    node = (live.instance.get("status") or {}).get("nodeName", "")
    return true("Scheduled", "Scheduled", f"On node {node}.") if node else false("Scheduled", "Pending")


def _agent(live: Live) -> Condition | None:
    found = condition(live.instance, "AgentConnected")
    return true("AgentConnected", "AgentConnected") if found.get("status") == "True" else None


def _restart(live: Live) -> Condition | None:
    found = condition(live.vm, "RestartRequired")
    if found.get("status") == "True":
        return true("RestartRequired", "RestartRequired", found.get("message", ""))
    return None


def _fields(vm: VmFacts, live: Live) -> dict[str, Any]:
    status = (live.instance or {}).get("status") or {}
    waiting = dict(_unready(vm, live))
    boot = next((disk.name for disk in vm.disks if disk.position == 0), "")
    return {
        "ip_addresses": _addresses(status.get("interfaces") or ()),
        "node": str(status.get("nodeName", ""))[:253],
        "guest_os": str((status.get("guestOSInfo") or {}).get("prettyName", ""))[:255],
        "progress": waiting.get(boot, "")[:16],
    }


def _addresses(interfaces: Sequence[Body]) -> list[str]:
    """All of them, each once, in the cluster's order."""
    found = [
        address
        for interface in interfaces
        for address in (interface.get("ipAddresses") or [interface.get("ipAddress")])
        if address
    ]
    return list(dict.fromkeys(found))
