"""VDCs as the engine knows them: how rows become objects, and objects a status."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from clusters import namespaces, queue, steps, strangers
from clusters.apply import Owner, Wanted
from clusters.conditions import Condition, Outcome, true
from clusters.kinds import Kind
from clusters.models import Placement
from clusters.queue import Lease
from clusters.reconcile import Recipe, Situation
from clusters.refs import Ref
from clusters.steps import Steps
from core.actor import system_actor
from tenancy.services.bindings import forget_vdc
from vdcs import desired, observe, quotas, selectors, services
from vdcs.models import QuotaScope, Vdc

RECONCILER = system_actor("reconciler")


def _load(pks: Sequence[UUID]) -> Iterable[Vdc]:
    return Vdc.objects.select_related("organization", "placement").filter(pk__in=pks)


def _wanted(situation: Situation) -> Sequence[Wanted]:
    return desired.vdc_objects(selectors.facts(situation.row))


def _observe(situation: Situation) -> Outcome:
    refs = [item.ref for item in _wanted(situation)]
    live = {ref: seen.body for ref, seen in situation.view.objects.items()}
    return observe.observe(refs, live, Ref("", "Namespace", "", situation.row.namespace))


def _mirror(vdc: Vdc) -> tuple[Ref, Mapping[str, Any]]:
    ref = Ref("ovim.io", "VirtualDataCenter", selectors.facts(vdc).organization_namespace, vdc.name)
    totals = QuotaScope.objects.get(vdc=vdc)
    counts = {
        "totalVMs": totals.allocated.get("vms", 0),
        "runningVMs": totals.active.get("running_vms", 0),
    }
    status = observe.status(
        namespace=vdc.namespace,
        phase=vdc.phase,
        conditions=vdc.conditions,
        generation=vdc.observed_generation,
        workloadCounts=counts,
        resourceUsage=observe.usage(totals.allocated, totals.limits),
    )
    return ref, status


def _gone(vdc: Vdc) -> None:
    services.gone(vdc.pk)
    namespaces.free(vdc.cluster_id, "vdc", vdc.pk)
    forget_vdc(actor=RECONCILER, vdc_id=vdc.pk)
    transaction.on_commit(lambda: _tell_placement(vdc))


def _tell_placement(vdc: Vdc) -> None:
    """It counts its VDCs. Gone, when its cluster is forgotten with all that was there."""
    for placement in Placement.objects.filter(pk=vdc.placement_id):
        queue.request(placement)


def _destroyable(owner: Owner) -> bool:
    """The namespace of a VDC goes only with the VDC."""
    row = Vdc.objects.filter(pk=owner.id).only("deletion_requested_at").first()
    return row is None or row.deletion_requested_at is not None


def _lock(vdc: Vdc) -> None:
    quotas.lock_organization(vdc.organization_id)


def _held_back(vdc: Vdc, lease: Lease) -> Steps[Condition | None]:
    """What tenants made in the namespace with kubectl is not destroyed by mistake (ENGINE §5)."""
    namespace = yield from steps.read(lease, lambda client: client.get(Ref("", "Namespace", "", vdc.namespace)))
    if namespace is None or "deletionTimestamp" in namespace["metadata"]:
        return None
    inside = yield from steps.read_all(lease, strangers.looks(vdc.namespace))
    found = strangers.strange(inside, vdc.cluster_id, vdc.namespace)
    if len(found) == (vdc.strangers_to_delete or 0):
        return None
    names = ", ".join(found[:20])
    more = f" and {len(found) - 20} more" if len(found) > 20 else ""
    return true(
        "HoldsStrangers",
        "NotOurs",
        f"The namespace {vdc.namespace} holds {len(found)} objects that OVIM did not make: {names}{more}. "
        f"Remove them, or delete the VDC again with strangers={len(found)}.",
    )


RECIPE = Recipe(
    load=_load,
    wanted=_wanted,
    observe=_observe,
    gone=_gone,
    destroyable=_destroyable,
    mirror=_mirror,
    lock=_lock,
    held_back=_held_back,
)
VDC = Kind(
    name="vdc",
    model="vdcs.Vdc",
    recipe="vdcs.kinds.RECIPE",
    parent=lambda vdc: ("placed-organization", vdc.placement_id),
    delete=services.delete_locked,
    children={"namespace-access": "vdc_id", "vm": "vdc_id"},
    above=lambda vdc: vdc.placement,
)
