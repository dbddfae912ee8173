"""A VM's printable status and conditions: an ordered table, first match wins (facts/kubevirt.md section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clusters.sandbox.cdi.objects import condition, drop_condition, set_condition
from clusters.sandbox.kubevirt.run_strategy import FINAL, strategy

Object = dict[str, Any]
OWN = ("Ready", "Failure", "RestartRequired")  # conditions of the VM itself; all others repeat those of its VMI


@dataclass(frozen=True)
class Facts:
    """What the status is judged from."""

    vm: Object
    vmi: Object | None
    start_wanted: bool
    stop_wanted: bool
    volumes: tuple[Object, ...] = ()  # DataVolumes the template names
    unbound: bool = False  # some claim waits for a volume
    failures: int = 0  # starts in a row that failed
    failing: bool = False  # the controller just failed to do what it wanted

    @property
    def phase(self) -> str:
        return str((self.vmi or {}).get("status", {}).get("phase", ""))

    @property
    def final(self) -> bool:
        return self.vmi is not None and self.phase in FINAL

    def says(self, kind: str, value: str, reason: str = "") -> bool:
        found = condition(self.vmi or {}, kind)
        return found.get("status") == value and (not reason or found.get("reason") == reason)


def _stopping(facts: Facts) -> bool:
    if facts.vmi is None or facts.final:
        return False
    return bool(facts.vmi["metadata"].get("deletionTimestamp")) or facts.stop_wanted


def _volume_error(facts: Facts) -> bool:
    for volume in facts.volumes:
        if volume.get("status", {}).get("phase") == "Failed":
            return True
        running = condition(volume, "Running")
        failing = running.get("status") == "False" and running.get("reason") in ("Error", "ImagePullFailed")
        if failing and volume.get("status", {}).get("phase") != "Succeeded":
            return True
    return False


def _provisioning(facts: Facts) -> bool:
    done = ("Succeeded", "WaitForFirstConsumer", "PendingPopulation", "Failed")
    return any(volume.get("status", {}).get("phase") not in done for volume in facts.volumes)


def _starting(facts: Facts) -> bool:
    if facts.vmi is None:
        return facts.start_wanted and not facts.failing
    return facts.phase in ("", "Pending", "Scheduling", "Scheduled")


def _crashing(facts: Facts) -> bool:
    return (
        bool(facts.failures)
        and (facts.vmi is None or facts.final)
        and strategy(facts.vm) in ("Always", "RerunOnFailure", "Once")
    )


TABLE: tuple[tuple[str, Callable[[Facts], bool]], ...] = (
    ("Terminating", lambda facts: bool(facts.vm["metadata"].get("deletionTimestamp"))),
    ("Stopping", _stopping),
    ("Paused", lambda facts: facts.phase == "Running" and facts.says("Paused", "True")),
    ("Running", lambda facts: facts.phase == "Running"),
    ("ErrorPvcNotFound", lambda facts: facts.says("Synchronized", "False", "FailedPvcNotFound")),
    ("DataVolumeError", _volume_error),
    ("ErrorUnschedulable", lambda facts: facts.says("PodScheduled", "False", "Unschedulable")),
    ("Provisioning", _provisioning),
    ("WaitingForVolumeBinding", lambda facts: facts.unbound and (facts.start_wanted or facts.vmi is not None)),
    ("ErrImagePull", lambda facts: facts.says("Synchronized", "False", "ErrImagePull")),
    ("ImagePullBackOff", lambda facts: facts.says("Synchronized", "False", "ImagePullBackOff")),
    ("CrashLoopBackOff", _crashing),
    ("Starting", _starting),
    ("Stopped", lambda facts: facts.final if facts.vmi is not None else not facts.start_wanted),
    ("WaitingForReceiver", lambda facts: facts.vmi is None and strategy(facts.vm) == "WaitAsReceiver"),
)


def printable(facts: Facts) -> str:
    return next((name for name, holds in TABLE if holds(facts)), "Unknown")


def fill(status: Object, facts: Facts, failure: tuple[str, str] | None, *, restart: str = "") -> None:
    """Writes everything that follows from the facts; `failure` is (reason, message) of what the controller tried."""
    vmi = facts.vmi
    for key, value in (("created", vmi is not None), ("ready", facts.says("Ready", "True"))):
        if value:
            status[key] = True
        else:
            status.pop(key, None)
    _conditions(status, vmi)
    if failure is None:
        drop_condition(status, "Failure")
    else:
        set_condition(status, "Failure", "True", *failure)
    if restart:
        set_condition(status, "RestartRequired", "True", "", restart)
    else:
        drop_condition(status, "RestartRequired")
    status["printableStatus"] = printable(facts)
    if vmi is not None or status.get("runStrategy"):
        status["runStrategy"] = strategy(facts.vm)  # from the first VMI on: it tells whether the VM ever started
    if vmi is not None:  # by its annotation the VMI tells of which generation it is
        generation = facts.vm["metadata"].get("generation", 1)
        started = (vmi["metadata"].get("annotations") or {}).get("kubevirt.io/vm-generation", generation)
        status["desiredGeneration"], status["observedGeneration"] = generation, int(started)
    status["volumeSnapshotStatuses"] = [
        {
            "name": volume["name"],
            "enabled": False,
            "reason": _no_snapshot(volume),
        }
        for volume in facts.vm["spec"]["template"].get("spec", {}).get("volumes") or []
    ]


def _no_snapshot(volume: Object) -> str:
    if any(key in volume for key in ("dataVolume", "persistentVolumeClaim")):
        return f"No VolumeSnapshotClass: Volume snapshots are not configured [{volume['name']}]"
    return f"Snapshot is not supported for this volumeSource type [{volume['name']}]"


def _conditions(status: Object, vmi: Object | None) -> None:
    """Ready, and the conditions a VM repeats of its VMI."""
    if vmi is None:
        set_condition(status, "Ready", "False", "VMINotExists", "VMI does not exist")
    else:
        ready = condition(vmi, "Ready")
        set_condition(status, "Ready", ready.get("status", "False"), ready.get("reason", ""), ready.get("message", ""))
    if vmi is None:
        return
    theirs = {item["type"]: item for item in vmi.get("status", {}).get("conditions") or [] if item["type"] not in OWN}
    for item in list(status["conditions"]):
        if item["type"] not in OWN and item["type"] not in theirs:
            drop_condition(status, item["type"])
    for kind, found in theirs.items():
        set_condition(status, kind, found["status"], found.get("reason", ""), found.get("message", ""))
