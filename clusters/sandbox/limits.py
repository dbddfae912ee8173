"""LimitRange admission: defaults for containers, bounds for containers, pods and claims (k8s-transcript 09)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox import quantity, usage
from clusters.sandbox.call import Call
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.errors import forbidden
from clusters.sandbox.store import Stored

Object = dict[str, Any]
NOTE = "kubernetes.io/limit-ranger"


class Limits:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.admission.mutators.append(self.mutate)
        cluster.admission.checks.append(self.check)

    def _ranges(self, call: Call) -> list[Stored]:
        shelf = self.cluster.store.shelves["limitranges"]
        return list(shelf.items(call.namespace)) if shelf.objects else []

    def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        """Pods get the defaults of containers, and a note saying which."""
        if call.resource.key != "pods" or old is not None or call.subresource:
            return obj
        for stored in self._ranges(call):
            notes = [
                note
                for item in stored.obj["spec"].get("limits") or ()
                if item.get("type") == "Container"
                for note in _fill(obj["spec"], item)
            ]
            if notes:  # of several ranges the last one that gave something is told
                obj["metadata"].setdefault("annotations", {})[NOTE] = "LimitRanger plugin set: " + "; ".join(notes)
        return obj

    def check(self, call: Call, obj: Object, old: Object | None) -> Callable[[], None] | None:
        key = call.resource.key
        if call.subresource or key not in {"pods", "persistentvolumeclaims"} or (key == "pods" and old is not None):
            return None
        for stored in self._ranges(call):
            found = []
            for item in stored.obj["spec"].get("limits") or ():
                found += _pod_problems(item, obj) if key == "pods" else _claim_problems(item, obj)
            if found:
                found = list(dict.fromkeys(found))  # two containers, one complaint
                why = found[0] if len(found) == 1 else "[" + ", ".join(found) + "]"
                raise forbidden(call.resource.plural, call.resource.group, call.name, why)
        return None


def _fill(spec: Object, item: Object) -> list[str]:
    notes = []
    kinds = (("containers", "container"), ("initContainers", "init container"))
    for field, word in kinds:
        for container in spec.get(field) or ():
            resources = container.setdefault("resources", {})
            for side, source in (("requests", "defaultRequest"), ("limits", "default")):
                missing = {k: v for k, v in (item.get(source) or {}).items() if k not in (resources.get(side) or {})}
                if missing:
                    resources[side] = {**(resources.get(side) or {}), **missing}
                    listed = ", ".join(sorted(missing))
                    notes.append(f"{listed} {side[:-1]} for {word} {container['name']}")
    return notes


def _claim_problems(item: Object, obj: Object) -> list[str]:
    if item.get("type") != "PersistentVolumeClaim":
        return []
    requests = (obj["spec"].get("resources") or {}).get("requests") or {}
    kind = item["type"]
    found = _minimum(kind, item.get("min") or {}, requests, {})
    for name, limit in (item.get("max") or {}).items():
        size = requests.get(name)
        if size is not None and quantity.parse(size) > quantity.parse(limit):
            found.append(f"maximum {name} usage per {kind} is {limit}, but request is {size}")
    return found


def _pod_problems(item: Object, obj: Object) -> list[str]:
    kind = item.get("type")
    if kind == "Container":
        found = []
        for container in [*(obj["spec"].get("containers") or ()), *(obj["spec"].get("initContainers") or ())]:
            resources = container.get("resources") or {}
            found += _bounds(kind, item, resources.get("requests") or {}, resources.get("limits") or {})
        return found
    if kind == "Pod":
        counted = usage.pod_usage(obj)
        sides: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
        for key, value in counted.items():
            side, _, name = key.partition(".")
            if side in sides:
                sides[side][name] = str(value)
        return _bounds(kind, item, sides["requests"], sides["limits"])
    return []


def _bounds(kind: str, item: Object, requests: Object, limits: Object) -> list[str]:
    found = _minimum(kind, item.get("min") or {}, requests, limits)
    for name in sorted(item.get("max") or ()):
        most = item["max"][name]
        limit, request = limits.get(name), requests.get(name)
        if limit is None:
            found.append(f"maximum {name} usage per {kind} is {most}.  No limit is specified")
        elif quantity.parse(limit) > quantity.parse(most):
            found.append(f"maximum {name} usage per {kind} is {most}, but limit is {limit}")
        elif request is not None and quantity.parse(request) > quantity.parse(most):
            found.append(f"maximum {name} usage per {kind} is {most}, but request is {request}")
    for name in sorted(item.get("maxLimitRequestRatio") or ()):
        found += _ratio(kind, name, item["maxLimitRequestRatio"][name], requests.get(name), limits.get(name))
    return found


def _minimum(kind: str, low: Object, requests: Object, limits: Object) -> list[str]:
    found = []
    for name in sorted(low):
        request, limit = requests.get(name), limits.get(name)
        if request is None:
            found.append(f"minimum {name} usage per {kind} is {low[name]}.  No request is specified")
        elif quantity.parse(request) < quantity.parse(low[name]):
            found.append(f"minimum {name} usage per {kind} is {low[name]}, but request is {request}")
        elif limit is not None and quantity.parse(limit) < quantity.parse(low[name]):
            found.append(f"minimum {name} usage per {kind} is {low[name]}, but limit is {limit}")
    return found


def _ratio(kind: str, name: str, most: str, request: str | None, limit: str | None) -> list[str]:
    text = f"{name} max limit to request ratio per {kind} is {most}"
    if request is None or quantity.parse(request) == 0:
        return [f"{text}, but no request is specified or request is 0"]
    if limit is None or quantity.parse(limit) == 0:
        return [f"{text}, but no limit is specified or limit is 0"]
    ratio = quantity.parse(limit) / quantity.parse(request)
    return [f"{text}, but provided ratio is {ratio:.6f}"] if ratio > quantity.parse(most) else []
