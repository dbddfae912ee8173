"""Machines that end before they ever ran: counted on the VM, and started again later and later.

A guest that crashes after its boot is no start failure: virt-controller starts it again at once.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from clusters.sandbox.clock import CLOCK, FORMAT
from clusters.sandbox.kubevirt.run_strategy import FINAL, phase_of, strategy

Object = dict[str, Any]
LONGEST = 300
COUNTING = ("Always", "RerunOnFailure", "Once")


def ever_ran(vmi: Object | None) -> bool:
    stamps = (vmi or {}).get("status", {}).get("phaseTransitionTimestamps") or []
    return any(entry["phase"] == "Running" for entry in stamps)


def delay(count: int, interval: float, seed: str) -> float:
    """Seconds before the next start: the square of the failures, up to half as much on top, five minutes at most.

    KubeVirt adds a random share; here it follows from the VMI, so that a run can be repeated.
    """
    seconds = interval * max(count, 1) ** 2
    share = hashlib.sha256(seed.encode()).digest()[0] / 255
    return min(seconds * (1 + share / 2), LONGEST)


def sync(vm: Object, status: Object, vmi: Object | None, interval: float) -> None:
    """status.startFailure after what became of this VMI."""
    if ever_ran(vmi) or strategy(vm) not in COUNTING:
        status.pop("startFailure", None)
        return
    if vmi is None or phase_of(vmi) not in FINAL:
        return
    uid, known = vmi["metadata"]["uid"], status.get("startFailure") or {}
    if known.get("lastFailedVMIUID") == uid:
        return
    count = known.get("consecutiveFailCount", 0) + 1
    retry = CLOCK.now() + timedelta(seconds=delay(count, interval, uid))
    status["startFailure"] = {
        "consecutiveFailCount": count,
        "lastFailedVMIUID": uid,
        "retryAfterTimestamp": retry.strftime(FORMAT),
    }


def left(vm: Object) -> float:
    """Seconds until the next start is allowed; Manual starts are never delayed."""
    stamp = (vm.get("status", {}).get("startFailure") or {}).get("retryAfterTimestamp")
    if not stamp or strategy(vm) not in ("Always", "RerunOnFailure"):
        return 0.0
    return max(0.0, CLOCK.until(stamp))
