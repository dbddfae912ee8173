"""Adoption: a virtual machine that OVIM did not make becomes one of its VDC's, as it is and without a restart (ADR 17).

Read live first, with no lock held; then row, disks, claims and inventory are one transaction. The reconciler marks it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from clusters import adopting, kinds, observed, queue
from clusters.apply import Owner, Wanted
from clusters.refs import Ref, disk_of
from core import access, audit, quantities, rows
from core.actor import Actor
from core.errors import Conflict, NotFound
from core.rights import Right
from vdcs import quotas
from vdcs.models import Vdc
from vms import adopted, desired, rules, selectors, unmanaged
from vms.adopted import Machine, Volume
from vms.models import Disk, DiskSource, PowerState, VirtualMachine
from vms.quotas import of_disks, of_vm

Live = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A machine as it was read: its object, its claims and DataVolumes by disk name, and what OVIM makes of it."""

    live: Live
    machine: Machine
    claims: Mapping[str, Live]
    volumes: Mapping[str, Live]

    @property
    def as_is(self) -> tuple[str, ...]:
        """What OVIM does not understand and leaves as it is."""
        return self.machine.as_is


def adopt(*, actor: Actor, vdc: Vdc, name: str, uid: UUID | None = None) -> tuple[VirtualMachine, Found]:
    """Take a machine of the VDC's namespace over. `uid`: only if it is that very one. Conflict with every reason against it."""
    access.require(actor, Right.VM_ADOPT, vdc)
    access.require(actor, Right.VM_CREATE, vdc)
    if not kinds.is_open(vdc):
        raise Conflict(f"The VDC {vdc} is not ready: what is in its namespace can't be told to be its own.")
    found = _look(vdc, name, uid)
    reasons = _reasons(vdc, found)
    if reasons:
        raise Conflict(f"{name} can't be adopted. {' '.join(reasons)}")
    rules.check_size(cpu=found.machine.cpu, memory_mib=found.machine.memory_mib)
    vm, token = _row(actor, vdc, found), uuid4()
    adopting.try_out(vdc.cluster_id, Wanted(desired.virtual_machine(selectors.facts(vm))), found.live, token)
    with transaction.atomic():
        _take(actor, vm, found, token)
    return vm, found


def _look(vdc: Vdc, name: str, uid: UUID | None) -> Found:
    ref = _machine(vdc, name)
    live = adopting.read(vdc.cluster_id, [ref]).get(ref)
    if live is None:
        raise NotFound(f"There is no virtual machine {name} in the namespace {vdc.namespace}.")
    if uid is not None and live["metadata"]["uid"] != str(uid):
        raise Conflict(f"{name} is another object by now: its uid is {live['metadata']['uid']}.")
    machine = adopted.read(live["spec"])
    refs = [ref for volume in machine.volumes for ref in _refs(vdc, volume)]
    read = adopting.read(vdc.cluster_id, refs)
    claims = {ref.name: body for ref, body in read.items() if ref.kind == "PersistentVolumeClaim"}
    volumes = {ref.name: body for ref, body in read.items() if ref.kind == "DataVolume"}
    return Found(live, machine, claims, volumes)


def _machine(vdc: Vdc, name: str) -> Ref:
    return Ref("kubevirt.io", "VirtualMachine", vdc.namespace, name)


def _refs(vdc: Vdc, volume: Volume) -> list[Ref]:
    claim = Ref("", "PersistentVolumeClaim", vdc.namespace, volume.name)
    return [claim, disk_of(claim)]


def _reasons(vdc: Vdc, found: Found) -> list[str]:
    name = found.live["metadata"]["name"]
    refs = [ref for volume in found.machine.volumes for ref in _refs(vdc, volume)]
    held = adopting.held_of(vdc.cluster_id, [_machine(vdc, name), *refs])
    if _machine(vdc, name) in held or VirtualMachine.objects.filter(vdc=vdc, name=name).exists():
        return ["Its name is taken: a virtual machine of OVIM has it."]
    shared = unmanaged.others_claims(vdc, name)
    return [
        *adopting.others(found.live),
        *found.machine.unfit,
        *(f"{ref} belongs to another virtual machine of OVIM." for ref in sorted(held)),
        *(reason for volume in found.machine.volumes for reason in _against(found, volume, shared)),
    ]


def _against(found: Found, volume: Volume, shared: Mapping[str, str]) -> list[str]:
    """What stands against taking one disk along."""
    claim, made = found.claims.get(volume.name), found.volumes.get(volume.name)
    if claim is None:
        return [f"Its disk {volume.name} has no PersistentVolumeClaim yet."]
    reasons = [
        f"The {body['kind']} {volume.name} is being deleted."
        for body in (claim, made)
        if body is not None and "deletionTimestamp" in body["metadata"]
    ]
    if not adopting.made_of(claim, made):
        reasons.append(f"Its claim {volume.name} belongs to something else.")
    owner = observed.controller_of(made) if made is not None else None
    if owner not in (None, found.live["metadata"]["uid"]):
        reasons.append(f"Its DataVolume {volume.name} belongs to something else.")
    if volume.name in shared:
        reasons.append(f"Its disk {volume.name} is used by {shared[volume.name]}, too.")
    return reasons


def objects_of(vdc: Vdc, found: Found) -> list[Ref]:
    """What becomes OVIM's."""
    names = {"PersistentVolumeClaim": found.claims, "DataVolume": found.volumes}
    disks = [ref for volume in found.machine.volumes for ref in _refs(vdc, volume) if ref.name in names[ref.kind]]
    return [_machine(vdc, found.live["metadata"]["name"]), *disks]


def _row(actor: Actor, vdc: Vdc, found: Found) -> VirtualMachine:
    """As it will be written: its id is in what the cluster is asked about beforehand."""
    machine = found.machine
    return VirtualMachine(
        organization=vdc.organization,
        vdc=vdc,
        owner_id=actor.user_id,
        name=found.live["metadata"]["name"],
        cpu=machine.cpu,
        memory_mib=machine.memory_mib,
        power_state=PowerState.ON if machine.powered_on else PowerState.OFF,
        power_applied_generation=1,  # what it has is what is wanted: a change from now on is somebody's
        adopted_spec=adopted.without_nulls(found.live["spec"]),
    )


def _take(actor: Actor, vm: VirtualMachine, found: Found, token: UUID) -> None:
    vm.vdc = vdc = quotas.lock(vm.vdc)
    rows.save(vm, new=True)
    disks = [_disk(vm, volume, place, found) for place, volume in enumerate(found.machine.volumes)]
    quotas.claim(vdc, [*of_vm(vm), *of_disks(disks)])
    adopting.take(vm, _objects(vm, disks, found, token))
    audit.record(actor, Right.VM_ADOPT, vm, after=_told(vm, disks, found))
    queue.request(vm)


def _disk(vm: VirtualMachine, volume: Volume, place: int, found: Found) -> Disk:
    claim = found.claims[volume.name]
    return rows.save(
        Disk(
            vdc=vm.vdc,
            vm=vm,
            name=volume.name,
            position=place,
            source=DiskSource.ADOPTED,
            size_gib=gib_of(claim, found.volumes.get(volume.name)),
            storage_class=str(claim["spec"].get("storageClassName") or ""),
            claim_uid=None if volume.name in found.volumes else claim["metadata"]["uid"],
        ),
        new=True,
    )


def gib_of(claim: Live, made: Live | None) -> int:
    """What it is counted as: the size that was asked for, in whole GiB, never less than it has."""
    spec = (made or {}).get("spec") or {}
    asked = [(spec.get(part) or {}).get("resources") for part in ("storage", "pvc")] + [claim["spec"].get("resources")]
    texts = [((item or {}).get("requests") or {}).get("storage") for item in asked]
    return math.ceil(quantities.parse(str(next(text for text in texts if text))) / quantities.GIB)


def _objects(vm: VirtualMachine, disks: list[Disk], found: Found, token: UUID) -> list[tuple[Live, Ref, Owner, UUID]]:
    """What goes into the inventory, with the uids that were read."""
    taken = [(found.live, _machine(vm.vdc, vm.name), Owner("vm", vm.pk), token)]
    for disk in disks:
        owner, claim = Owner("disk", disk.pk), Ref("", "PersistentVolumeClaim", vm.vdc.namespace, disk.name)
        taken.append((found.claims[disk.name], claim, owner, uuid4()))
        if disk.name in found.volumes:
            taken.append((found.volumes[disk.name], disk_of(claim), owner, uuid4()))
    return taken


def _told(vm: VirtualMachine, disks: list[Disk], found: Found) -> dict[str, Any]:
    return {
        "name": vm.name,
        "vdc": str(vm.vdc_id),
        "uid": found.live["metadata"]["uid"],
        "cpu": vm.cpu,
        "memory_mib": vm.memory_mib,
        "disk_gib": sum(disk.size_gib for disk in disks),
        "power_state": vm.power_state,
        "as_is": list(found.as_is),
    }
