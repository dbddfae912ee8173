"""Drift of a VM: what the engine finds, with what holds for VMs alone. Power is decided, not repaired; orders stand."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clusters import drift
from clusters.drift import Drift, ObjectDrift
from vms import orders
from vms.models import Disk, Order, VirtualMachine

_POWER = "Power that others change is taken over as intent if the quota allows it; else it is taken back."
_ORDERED = "A repair has been ordered: OVIM writes it anew, whoever owns it."


def drift_of(vm: VirtualMachine, *, live: bool = False) -> Drift:
    found = drift.of(vm, live=live)
    return replace(found, objects=tuple(_ruled(vm, item) for item in found.objects))


def _ruled(vm: VirtualMachine, item: ObjectDrift) -> ObjectDrift:
    if item.ref.kind != "VirtualMachine" or item.state is not drift.State.CHANGED or vm.suspended_at is not None:
        return item
    if vm.order == Order.REPAIR:
        return replace(item, repaired=True, what_follows=_ORDERED)
    taken = [field for field in item.fields if field.changed_by]
    if taken and all(field.path == orders.POWER for field in taken):
        return replace(item, repaired=True, what_follows=_POWER)
    return item


def orders_about(vm: VirtualMachine) -> list[Mapping[str, Any]]:
    """The orders that its conditions ask for, each with what stands against it."""
    return [
        {
            "order": str(offer.order),
            "condition": offer.condition,
            "disk": offer.disk.pk if offer.disk else None,
            "disk_name": offer.disk.name if offer.disk else "",
            "confirm": offer.confirm,
            "hindrance": orders.hindrance(vm, offer),
        }
        for offer in orders.offers(vm, list(Disk.objects.filter(vm=vm).order_by("position")))
    ]
