"""DataVolume status, built up in one place: phase, progress and the conditions Bound, Ready, Running.

The combinations are CDI's (pkg/controller/datavolume/conditions.go of 1.66, rules only).
"""

from __future__ import annotations

from typing import Any

from clusters.sandbox.cdi.objects import set_condition

Object = dict[str, Any]
HEARTBEAT = "lastHeartbeatTime"
QUOTA = "ErrExceededQuota"


def put(status: Object, kind: str, value: str, reason: str = "", message: str = "") -> None:
    set_condition(status, kind, value, reason, message, clock=HEARTBEAT)


def bound(status: Object, claim: Object | None, *, reason: str = "", message: str = "") -> None:
    """Bound, from the claim's own phase; without a claim the reason it could not be made."""
    if claim is None:
        put(status, "Bound", "Unknown" if not message else "False", reason or "NotFound", message or "No PVC found")
        put(status, "Ready", "False", reason, message)
        return
    name = claim["metadata"]["name"]
    if claim.get("status", {}).get("phase") == "Bound":
        put(status, "Bound", "True", "Bound", f"PVC {name} Bound")
    else:
        put(status, "Bound", "False", "Pending", f"PVC {name} Pending")
        put(status, "Ready", "False")


def refused(status: Object, message: str, why: str = "") -> None:
    """The claim was refused, or has no source: Bound and Ready say why, Running doesn't. Only a quota has a phase."""
    reason = QUOTA if "exceeded quota:" in message else why if why.startswith("Clone") else "Error"
    if reason == QUOTA:
        status["phase"] = "Pending"
    bound(status, None, reason=reason, message=message)
    put(status, "Running", "False")


def held(status: Object, claim: Object, prime: str, phase: str, message: str) -> None:
    """The pod that fills the claim was refused: Running says why."""
    scheduled(status, phase)
    text = f"target PVC {claim['metadata']['name']} Pending and [{prime}] : {message}"
    put(status, "Bound", "False", "Pending", text)
    put(status, "Running", "False", QUOTA, message)


def running(status: Object, phase: str, share: float | None) -> None:
    status["phase"] = phase
    status["progress"] = "N/A" if share is None else percent(share)
    put(status, "Running", "True", "Pod is running")
    put(status, "Ready", "False", "TransferRunning")


def scheduled(status: Object, phase: str) -> None:
    status["phase"] = phase
    status["progress"] = "N/A"
    put(status, "Running", "False")
    put(status, "Ready", "False")


def failed(status: Object, phase: str, message: str) -> None:
    """One more attempt is over; the phase stays, as the importer pod is restarted in place."""
    status["phase"] = phase
    status["restartCount"] = status.get("restartCount", 0) + 1
    put(status, "Running", "False", "Error", message)
    put(status, "Ready", "False")


def succeeded(status: Object, word: str) -> None:
    status["phase"] = "Succeeded"
    status["progress"] = "100.0%"  # the one number that CDI does not reckon
    put(status, "Running", "False", "Completed", f"{word} Complete")
    put(status, "Ready", "True")


def percent(share: float) -> str:
    return f"{share * 100:.2f}%"
