"""What a preference demands of the machine it is used for; KubeVirt reports the first shortfall only."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.kubevirt.causes import NOT_FOUND, Cause
from clusters.sandbox.kubevirt.paths import TEMPLATE_SPEC
from clusters.sandbox.kubevirt.preferences import spread_options, topology
from clusters.sandbox.quantity import parse

Object = dict[str, Any]
Short = tuple[str, str]  # message, field
SPREADS = {
    "SocketsCores": ("sockets", "cores"),
    "CoresThreads": ("cores", "threads"),
    "SocketsCoresThreads": ("sockets", "cores", "threads"),
}


def unmet(instancetype: Object | None, preference: Object | None, spec: Object) -> list[Cause]:
    wanted = (preference or {}).get("requirements") or {}
    short = (
        _cpu_short(instancetype, preference, (wanted.get("cpu") or {}).get("guest", 0), spec)
        or _memory_short(instancetype, wanted, spec)
        or _other_architecture(wanted.get("architecture"), spec)
    )
    if short is None:
        return []
    message, field = short
    return [Cause(f"failure checking preference requirements: {message}", field, NOT_FOUND)]


def _cpu_short(instancetype: Object | None, preference: Object | None, need: int, spec: Object) -> Short | None:
    if instancetype is not None:
        have = instancetype["cpu"].get("guest", 0)
        text = f"insufficient CPU resources of {have} vCPU provided by instance type, preference requires {need} vCPU"
        return (text, "spec.instancetype") if have < need else None
    cpu, spread = spec["domain"].get("cpu") or {}, topology(preference)
    names: tuple[str, ...] = (spread,)
    words = spread
    if spread == "spread":
        words = spread_options(preference)[1]
        names = SPREADS[words]
    elif spread == "any":
        names, words = ("cores", "sockets", "threads"), "cores, sockets and threads"
    have = 1
    for name in names:
        have *= cpu.get(name, 0)
    if have >= need:
        return None
    text = (
        f"insufficient CPU resources of {have} vCPU provided by VirtualMachine, preference requires {need} vCPU "
        f"provided as {words}"
    )
    return text, ", ".join(f"{TEMPLATE_SPEC}.domain.cpu.{name}" for name in names)


def _memory_short(instancetype: Object | None, wanted: Object, spec: Object) -> Short | None:
    need = (wanted.get("memory") or {}).get("guest")
    if need is None:
        return None
    have = (spec["domain"].get("memory") or {}).get("guest")
    if have is None:
        have = instancetype["memory"]["guest"] if instancetype else "0"
    if parse(have) >= parse(need):
        return None
    source, field = ("VirtualMachine", f"{TEMPLATE_SPEC}.domain.memory")
    if instancetype is not None:
        source, field = "instance type", "spec.instancetype"
    return f"insufficient Memory resources of {have} provided by {source}, preference requires {need}", field


def _other_architecture(need: str | None, spec: Object) -> Short | None:
    have = spec.get("architecture", "")
    if need is None or have == need:
        return None
    return f"preference requires architecture {need} but {have} is being requested", f"{TEMPLATE_SPEC}.architecture"
