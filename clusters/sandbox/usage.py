"""What an object counts against a ResourceQuota (k8s-replay 05, k8s-transcript 09)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.resources import Resource

Object = dict[str, Any]
CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
OLD_COUNTS = {"services", "secrets", "configmaps", "persistentvolumeclaims", "resourcequotas", "pods"}
COMPUTE = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True)
class Amount:
    """A number and the spelling its quantities had."""

    number: Decimal
    form: str = "decimal"

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.number + other.number, other.form if self.number == 0 else self.form)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.number - other.number, self.form)

    def __str__(self) -> str:
        return quantity.render(self.number, self.form)


ZERO = Amount(Decimal(0))
ONE = Amount(Decimal(1))
Usage = dict[str, Amount]


def amount(text: str) -> Amount:
    return Amount(quantity.parse(text), quantity.form_of(text))


def of(resource: Resource, obj: Object) -> Usage:
    """Usage by quota key; keys that no quota names are ignored by the caller."""
    out: Usage = {f"count/{resource.key}": ONE}
    if resource.key == "pods":
        return out | pod_usage(obj)
    if resource.key in OLD_COUNTS:
        out[resource.key] = ONE
    if resource.key == "persistentvolumeclaims":
        out |= _claim(obj)
    elif resource.key == "services":
        out |= _service(obj)
    return out


def _claim(obj: Object) -> Usage:
    spec = obj["spec"]
    size = amount((spec.get("resources", {}).get("requests") or {}).get("storage", "0"))
    out: Usage = {"requests.storage": size}
    name = spec.get("storageClassName") or (obj["metadata"].get("annotations") or {}).get(
        "volume.beta.kubernetes.io/storage-class"
    )
    if name:
        out[f"{name}{CLASS_SUFFIX}requests.storage"] = size
        out[f"{name}{CLASS_SUFFIX}persistentvolumeclaims"] = ONE
    return out


def _service(obj: Object) -> Usage:
    spec = obj["spec"]
    kind = spec.get("type")
    ports = Amount(Decimal(len(spec.get("ports") or ())))
    out: Usage = {"services.nodeports": ZERO, "services.loadbalancers": ZERO}
    if kind == "NodePort":
        out["services.nodeports"] = ports
    elif kind == "LoadBalancer":
        out["services.loadbalancers"] = ONE
        if spec.get("allocateLoadBalancerNodePorts", True):
            out["services.nodeports"] = ports
        else:
            given = sum(1 for port in spec.get("ports") or () if port.get("nodePort"))
            out["services.nodeports"] = Amount(Decimal(given))
    return out


def pod_ended(obj: Object) -> bool:
    return (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def pod_usage(obj: Object) -> Usage:
    if pod_ended(obj):
        return {}
    out: Usage = {"pods": ONE}
    for side in ("requests", "limits"):
        total = _pod_total(obj["spec"], side)
        for name, value in total.items():
            out[f"{side}.{name}"] = value
            if side == "requests" and name in COMPUTE:
                out[name] = value
    return out


def _asked(container: Object, side: str) -> Object:
    return (container.get("resources") or {}).get(side) or {}


def _add(total: Usage, texts: Object) -> None:
    for name, text in texts.items():
        total[name] = total.get(name, ZERO) + amount(text)


def container_total(spec: Object, side: str) -> Usage:
    """Containers and sidecars add up; the largest init container may exceed them.

    A sidecar is an init container that restarts always; a plain init container runs beside the sidecars before it.
    """
    total: Usage = {}
    largest: Usage = {}
    for container in spec.get("containers") or ():
        _add(total, _asked(container, side))
    sidecars: Usage = {}
    for container in spec.get("initContainers") or ():
        one = dict(sidecars)
        _add(one, _asked(container, side))
        if container.get("restartPolicy") == "Always":
            _add(total, _asked(container, side))
            sidecars = one
        for name, value in one.items():
            largest[name] = max(largest.get(name, ZERO), value, key=lambda found: found.number)
    for name, value in largest.items():
        total[name] = max(total.get(name, ZERO), value, key=lambda found: found.number)
    return total


def _pod_total(spec: Object, side: str) -> Usage:
    """What the pod as a whole asks for counts before its containers; overhead comes on top."""
    total = container_total(spec, side)
    for name, text in ((spec.get("resources") or {}).get(side) or {}).items():
        total[name] = amount(text)
    for name, text in (spec.get("overhead") or {}).items():
        if side == "requests" or name in total:
            total[name] = total.get(name, ZERO) + amount(text)
    return total


def missing_in_pod(obj: Object, hard: set[str]) -> list[str]:
    """Compute keys a quota limits that some container leaves out: "requests.cpu for: c"."""
    if (obj["spec"].get("resources") or {}).get("requests") or (obj["spec"].get("resources") or {}).get("limits"):
        return []  # the pod as a whole says what it needs
    wanted = sorted(key for key in hard if _is_compute(key))
    out = []
    for key in wanted:
        side, _, name = key.rpartition(".")
        side = side or "requests"
        lacking = [
            container["name"]
            for container in [*(obj["spec"].get("initContainers") or ()), *(obj["spec"].get("containers") or ())]
            if name not in ((container.get("resources") or {}).get(side) or {})
        ]
        if lacking:
            out.append(f"{key} for: {','.join(sorted(set(lacking)))}")
    return out


def _is_compute(key: str) -> bool:
    side, _, name = key.rpartition(".")
    return name in COMPUTE and side in {"", "requests", "limits"}
