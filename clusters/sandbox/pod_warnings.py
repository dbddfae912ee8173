"""What the server warns of when it stores a pod, or what pods are made from."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import quantity
from clusters.sandbox.objectmeta import label_problems, quoted

Object = dict[str, Any]
GONE_VOLUMES = dict.fromkeys(("cephfs", "rbd"), "deprecated in v1.28, non-functional in v1.31+")
NO_REPOSITORIES = "deprecated in v1.11, and disabled by default in v1.33+"
HOST_NAME = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"


def pod(obj: Object) -> list[str]:
    problems = label_problems(obj["metadata"].get("name", ""))
    if "." in obj["metadata"].get("name", ""):
        problems = ["must not contain dots"]
    named = [f"metadata.name: {HOST_NAME}: [{' '.join(problems)}]"] if problems else []
    return named + of_spec(obj["spec"], "spec")


def workload(obj: Object) -> list[str]:
    return of_spec(obj["spec"]["template"].get("spec") or {}, "spec.template.spec")


def of_spec(spec: Object, path: str) -> list[str]:
    out: list[str] = []
    for i, one in enumerate(spec.get("topologySpreadConstraints") or ()):
        if one.get("labelSelector") is None:
            where = f"{path}.topologySpreadConstraints[{i}].labelSelector"
            out.append(f"{where}: a null labelSelector results in matching no pod")
    for i, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("gitRepo") is not None:
            out.append(f"{path}.volumes[{i}].gitRepo: {NO_REPOSITORIES}")
        out += [
            f"{path}.volumes[{i}].{kind}: {text}" for kind, text in GONE_VOLUMES.items() if volume.get(kind) is not None
        ]
    out += _twice(spec.get("hostAliases") or [], "ip", f"{path}.hostAliases")
    secrets = spec.get("imagePullSecrets") or []
    out += _twice(secrets, "name", f"{path}.imagePullSecrets")
    for i, one in enumerate(secrets):
        if not one.get("name"):
            out.append(f'{path}.imagePullSecrets[{i}].name: invalid empty name ""')
    for field in ("initContainers", "containers"):
        for i, one in enumerate(spec.get(field) or ()):
            out += _container(one, f"{path}.{field}[{i}]")
    out += _ports(spec, path)
    if path != "spec" and (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        out.append(f"{path}.terminationGracePeriodSeconds: {text}")
    return out


def _twice(found: list[Object], field: str, path: str) -> list[str]:
    seen: set[str] = set()
    out = []
    for i, one in enumerate(found):
        value = one.get(field, "")
        if value in seen:
            out.append(f"{path}[{i}].{field}: duplicate {field} {quoted(value)}")
        seen.add(value)
    return out


def _container(one: Object, path: str) -> list[str]:
    out: list[str] = []
    for name in ("memory", "ephemeral-storage"):
        for side in ("limits", "requests"):
            size = ((one.get("resources") or {}).get(side) or {}).get(name)
            if size is not None and quantity.parse(size) % 1:
                text = f"fractional byte value {quoted(size)} is invalid, must be an integer"
                out.append(f"{path}.resources.{side}[{name}]: {text}")
    seen: set[str] = set()
    for i, variable in enumerate(one.get("env") or ()):
        name, value = variable.get("name", ""), variable.get("value", "")
        hidden = variable.get("valueFrom") is not None or f"$({name})" not in value or value == f"$({name})"
        if name in seen and hidden:
            out.append(
                f"{path}.env[{i}]: hides previous definition of {quoted(name)}, which may be dropped when using apply"
            )
        seen.add(name)
    return out


def _ports(spec: Object, path: str) -> list[str]:
    """Ports that are named more than once, in whatever container."""
    out: list[str] = []
    known: dict[tuple[Any, Any], list[tuple[str, Object]]] = {}
    for field in ("initContainers", "containers"):
        for i, one in enumerate(spec.get(field) or ()):
            for j, port in enumerate(one.get("ports") or ()):
                where = f"{path}.{field}[{i}].ports[{j}]"
                others = known.setdefault((port.get("containerPort"), port.get("protocol")), [])
                clashes = ((place, _clash(port, other)) for place, other in others)
                out += [f"{where}: {why} port definition with {place}" for place, why in clashes if why]
                others.append((where, port))
    return out


def _clash(port: Object, other: Object) -> str:
    mine, theirs = port.get("hostPort") or 0, other.get("hostPort") or 0
    here, there = port.get("hostIP", ""), other.get("hostIP", "")
    if (mine, here) == (theirs, there):
        return "duplicate"
    if not mine or not theirs:
        return "overlapping"
    return "dangerously ambiguous" if mine == theirs and bool(here) != bool(there) else ""
