"""Small parts every controller writes: times, owner references, conditions, events."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from clusters.sandbox.clock import CLOCK
from clusters.sandbox.errors import ApiError

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]


def now() -> str:
    return CLOCK.stamp()


def owner_reference(owner: Object) -> Object:
    """The owner as its controller: the garbage collector and foreground deletion follow it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(obj: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    return any(reference["uid"] == uid for reference in obj["metadata"].get("ownerReferences") or [])


def controller_of(obj: Object) -> Object | None:
    references = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def condition(obj: Object, kind: str) -> Object:
    """The condition of that type, an empty one when there is none."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})


def set_condition(  # the fields of a condition are what people know it by
    status: Object, kind: str, value: str, reason: str = "", message: str = "", *, clock: str = "lastTransitionTime"
) -> None:
    """Adds or changes one condition; the transition time moves only when the status does."""
    conditions = status.setdefault("conditions", [])
    found = next((item for item in conditions if item["type"] == kind), None)
    if found is None:
        found = {"type": kind}
        conditions.append(found)
    if found.get("status") != value:
        found["lastTransitionTime"] = now()
    changed = (found.get("status"), found.get("reason", ""), found.get("message", "")) != (value, reason, message)
    found["status"] = value
    for key, text in (("reason", reason), ("message", message)):
        if text:
            found[key] = text
        else:
            found.pop(key, None)
    if changed and clock != "lastTransitionTime":
        found[clock] = now()


def drop_condition(status: Object, kind: str) -> None:
    status["conditions"] = [item for item in status.get("conditions", []) if item["type"] != kind]


def event(cluster: Cluster, obj: Object, reason: str, message: str, *, component: str, warning: bool = False) -> None:
    """An Event about the object; losing one (namespace gone) is no reason to fail."""
    meta = obj["metadata"]
    stamp = now()
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta.get("namespace", "default")},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "namespace": meta.get("namespace", ""),
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message[:1024],
        "type": "Warning" if warning else "Normal",
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    try:
        cluster.create("events", body, manager=component)
    except ApiError:
        return
