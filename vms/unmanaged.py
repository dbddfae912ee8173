"""Virtual machines in a VDC's namespace that OVIM did not make, and what is measured there beside what OVIM has claimed.

All from the observed cache: the watcher sees them anyway. They hold no claims; measured use counts them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from clusters import foreign
from clusters.foreign import Seen
from core import quantities
from vdcs.models import Vdc
from vdcs.quotas import ledger
from vdcs.selectors import usage
from vms import adopted

MACHINE, INSTANCE, CLAIM = "VirtualMachine", "VirtualMachineInstance", "PersistentVolumeClaim"
KINDS = {MACHINE: "kubevirt.io", INSTANCE: "kubevirt.io", CLAIM: ""}
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Foreign:
    """A machine that OVIM did not make. Sizes of None: it does not say them in a way that OVIM reads."""

    name: str
    uid: UUID
    cpu: int | None
    memory_mib: int | None
    disk_gib: int
    disks: tuple[str, ...]
    running: bool
    phase: str
    made_by: str
    made_at: datetime | None
    unfit: tuple[str, ...]  # why it can't be adopted, as far as its spec tells


@dataclass(frozen=True)
class Measure:
    """One resource of a VDC: its limit, what OVIM's rows have claimed, what there is, and how much of that is foreign."""

    resource: str
    limit: int | None
    claimed: int
    measured: int
    unmanaged: int


@dataclass(frozen=True)
class Place:
    """What was seen of a VDC's namespace. `why`: sentences on why claimed and measured differ."""

    machines: tuple[Foreign, ...]
    measures: tuple[Measure, ...]
    why: tuple[str, ...]


def look(vdc: Vdc) -> Place:
    """Everything that is asked of a VDC's namespace, from one read of the cache."""
    seen = foreign.in_namespace(vdc.cluster_id, vdc.namespace, KINDS)
    machines = [item for item in seen if item.kind == MACHINE]
    instances = {item.controller or item.uid: item for item in seen if item.kind == INSTANCE}
    claims = {item.name: item for item in seen if item.kind == CLAIM}
    strangers = tuple(_foreign(item, instances, claims) for item in machines if not item.ours)
    measures = tuple(_measures(vdc, machines, instances, claims))
    return Place(strangers, measures, tuple(_why(strangers, measures)))


def others_claims(vdc: Vdc, name: str) -> dict[str, str]:
    """Claims that other machines of the namespace name, with which one does."""
    seen = foreign.in_namespace(vdc.cluster_id, vdc.namespace, {MACHINE: KINDS[MACHINE]})
    return {claim: item.name for item in seen if item.name != name for claim in adopted.claims_in(item.body["spec"])}


def _foreign(item: Seen, instances: Mapping[UUID, Seen], claims: Mapping[str, Seen]) -> Foreign:
    metadata, machine = item.body["metadata"], adopted.read(item.body["spec"])
    names = tuple(volume.name for volume in machine.volumes)
    first: Body = min(metadata.get("managedFields") or (), key=lambda entry: str(entry.get("time", "")), default={})
    return Foreign(
        item.name,
        item.uid,
        machine.cpu or None,
        machine.memory_mib or None,
        sum(_gib(claims[name].body) for name in names if name in claims),
        names,
        item.uid in instances,
        str((item.body.get("status") or {}).get("printableStatus") or ""),
        str(first.get("manager", "")),
        parse_datetime(str(metadata.get("creationTimestamp", ""))),
        machine.unfit,
    )


def _gib(claim: Body) -> int:
    """Whole GiB, never less than it has."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    try:
        return math.ceil(quantities.parse(str(requests.get("storage") or "0")) / quantities.GIB)
    except quantities.NotExact:
        return 0


def _measures(
    vdc: Vdc, machines: Sequence[Seen], instances: Mapping[UUID, Seen], claims: Mapping[str, Seen]
) -> list[Measure]:
    """Guest sizes of machines (of those that run, where the limit binds what is on), and all claims on storage."""
    kept = usage(vdc)
    sizes = {item.uid: adopted.read(item.body["spec"]) for item in machines}
    strange = {item.uid for item in machines if not item.ours}
    named = {volume.name for uid in strange for volume in sizes[uid].volumes}

    def total(resource: str, uids: set[UUID]) -> int:
        active = ledger(resource, vdc.enforcement) == "active"
        return sum(_of(sizes[uid], resource) for uid in uids if not active or uid in instances)

    found = []
    for resource in ("cpu", "memory_mib", "vms", "running_vms"):
        measured, others = total(resource, set(sizes)), total(resource, strange)
        found.append(Measure(resource, kept["limits"].get(resource), kept["used"][resource], measured, others))
    measured = sum(_gib(item.body) for item in claims.values())
    others = sum(_gib(item.body) for name, item in claims.items() if name in named)
    found.append(Measure("disk_gib", kept["limits"].get("disk_gib"), kept["used"]["disk_gib"], measured, others))
    return found


def _of(machine: adopted.Machine, resource: str) -> int:
    return 1 if resource in ("vms", "running_vms") else int(getattr(machine, resource))


def _why(strangers: Sequence[Foreign], measures: Sequence[Measure]) -> list[str]:
    found = []
    if strangers:
        count = f"{len(strangers)} machine{'s' if len(strangers) > 1 else ''} that OVIM did not make"
        found.append(f"Measured counts {count}; claimed does not: adopt them, or have them removed.")
    if any(item.cpu is None or item.memory_mib is None for item in strangers):
        found.append("Some say their size in a way that OVIM does not read: of those measured counts nothing.")
    rest = {item.resource: item.measured - item.unmanaged - item.claimed for item in measures}
    if any(value < 0 for name, value in rest.items() if name != "disk_gib"):
        found.append("What is claimed but not in the cluster yet, or held until it is confirmed gone, is not measured.")
    if rest["disk_gib"]:
        found.append(
            "Claims on storage differ from the disks' sizes: a file system's overhead, scratch space while a disk is "
            "filled, and claims that belong to no machine."
        )
    return found
