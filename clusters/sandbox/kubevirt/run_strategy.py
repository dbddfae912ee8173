"""What a run strategy and the requests on a VM ask for, as pure functions (virt-controller's syncRunStrategy).

Only the first of `status.stateChangeRequests` is acted upon; it goes when it has been fulfilled.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
FINAL = ("Succeeded", "Failed")


def strategy(vm: Object) -> str:
    """runStrategy, or what the deprecated `running` means."""
    spec = vm["spec"]
    if spec.get("runStrategy"):
        return str(spec["runStrategy"])
    return "Always" if spec.get("running") else "Halted"


def phase_of(vmi: Object | None) -> str:
    return str((vmi or {}).get("status", {}).get("phase") or "")


def _first_request(vm: Object) -> Object:
    requests = vm.get("status", {}).get("stateChangeRequests") or [{}]
    return dict(requests[0])


def start_requested(vm: Object) -> bool:
    return _first_request(vm).get("action") == "Start"


def paused_start_requested(vm: Object) -> bool:
    return start_requested(vm) and (_first_request(vm).get("data") or {}).get("paused") == "true"


def stop_requested(vm: Object, vmi: Object) -> bool:
    request = _first_request(vm)
    return request.get("action") == "Stop" and request.get("uid") == vmi["metadata"]["uid"]


def start_wanted(vm: Object) -> bool:
    """Whether a VMI is to be made when there is none.

    RerunOnFailure starts by itself only when the VM just got that strategy; a failure leaves a start request behind.
    """
    wanted = strategy(vm)
    if wanted == "RerunOnFailure":
        return start_requested(vm) or vm.get("status", {}).get("runStrategy") != wanted
    return wanted in ("Always", "Once") or (wanted == "Manual" and start_requested(vm))


def end_wanted(vm: Object, vmi: Object) -> bool:
    """Whether this VMI is to be deleted, running or ended."""
    wanted, final = strategy(vm), phase_of(vmi) in FINAL
    if wanted == "Halted":
        return True
    if wanted in ("Always", "RerunOnFailure") and final:
        return True
    return wanted in ("Always", "RerunOnFailure", "Manual") and stop_requested(vm, vmi)


def rerun_after(vm: Object, vmi: Object) -> bool:
    """Whether deleting this VMI must leave a start request, so that a new one follows."""
    return strategy(vm) == "RerunOnFailure" and phase_of(vmi) == "Failed"


def trim_requests(status: Object, vmi: Object | None) -> None:
    """Drops the first request once it is fulfilled or can't be any more."""
    requests = status.get("stateChangeRequests") or []
    if not requests:
        return
    first, done = requests[0], False
    if first["action"] == "Stop":
        done = vmi is None or vmi["metadata"]["uid"] != first.get("uid")
    elif first["action"] == "Start":
        done = vmi is not None and not vmi["metadata"].get("deletionTimestamp") and phase_of(vmi) not in FINAL
    if done:
        requests = requests[1:]
    if requests:
        status["stateChangeRequests"] = requests
    else:
        status.pop("stateChangeRequests", None)
