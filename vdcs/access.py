"""People's access with kubectl as the engine knows it: one row a namespace, beside the VDC or placement it came along with."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from clusters import along
from clusters.apply import Owner, Wanted
from clusters.conditions import Outcome
from clusters.errors import KubeError
from clusters.kinds import Kind
from clusters.models import InventoryItem, ObservedObject, Placement, Reconciled
from clusters.queue import Lease
from clusters.reconcile import Recipe, Situation
from clusters.steps import Steps
from core.actor import Actor
from vdcs import desired, kubectl, observe
from vdcs.models import NamespaceAccess, Vdc

COMPARED_AT_ONCE = 20
A_MOMENT, LONGEST_SECONDS = 0.2, 86400.0  # the database's clock decides, so a little later than ours says


def _load(pks: Any) -> Iterable[NamespaceAccess]:
    return NamespaceAccess.objects.select_related("organization", "cluster", "vdc", "placement").filter(pk__in=pks)


def _before(situation: Situation, _lease: Lease) -> Steps[None]:
    """Nobody is let into a namespace that is not proven to be ours: another one of its name may be anybody's."""
    row: NamespaceAccess = situation.row
    key = {"cluster_id": row.cluster_id, "group": "", "kind": "Namespace", "name": kubectl.namespace_of(row)}
    ours = InventoryItem.objects.filter(**key, tombstoned_at=None, uid__isnull=False).values("uid")
    seen = ObservedObject.objects.filter(**key, uid__in=ours).first()
    if seen is None or "deletionTimestamp" in seen.body["metadata"]:
        raise KubeError(409, "NamespaceNotOurs", f"The namespace {key['name']} is not there as OVIM made it.")
    yield from ()


def _wanted(situation: Situation) -> Sequence[Wanted]:
    return desired.access_objects(kubectl.facts(situation.row))


def _observe(situation: Situation) -> Outcome:
    facts = kubectl.facts(situation.row)
    refs = [item.ref for item in desired.access_objects(facts)]
    live = {ref: seen.body for ref, seen in situation.view.objects.items()}
    return replace(observe.access(facts, refs, live), retry_seconds=_until(facts.next_change))


def _until(moment: datetime | None) -> float | None:
    """A role that ends is looked at again just then, or after a day, whatever comes first."""
    if moment is None:
        return None
    return min(max((moment - timezone.now()).total_seconds(), 0.0) + A_MOMENT, LONGEST_SECONDS)


def _destroyable(owner: Owner) -> bool:
    """Role bindings are no data."""
    return True


def _gone(_row: NamespaceAccess) -> None:
    """Nothing else hangs on it."""


def _delete(_actor: Actor, _row: NamespaceAccess) -> None:
    """It is ended with what it came along with (`along.take`), by nobody's order."""


def _along(parent: Reconciled) -> NamespaceAccess:
    if isinstance(parent, Vdc):
        return NamespaceAccess.objects.create(
            organization_id=parent.organization_id, cluster_id=parent.cluster_id, vdc=parent
        )
    assert isinstance(parent, Placement)
    return NamespaceAccess.objects.create(
        organization_id=parent.owner_id, cluster_id=parent.cluster_id, placement=parent
    )


def request_stale() -> int:
    """Rows whose role bindings are not what people's rights come to, with nobody having told: requested. How many.

    A net under the verbs that tell (`tenancy.services.reach`): a few rows each time, those first that waited longest.
    """
    waiting = NamespaceAccess.objects.filter(deletion_requested_at=None, ready_at__isnull=False, suspended_at=None)
    rows = list(_load(waiting.order_by(F("compared_at").asc(nulls_first=True), "id").values("pk")[:COMPARED_AT_ONCE]))
    applied: dict[UUID, dict[str, str]] = {row.pk: {} for row in rows}
    items = InventoryItem.objects.filter(
        owner_kind=NAMESPACE_ACCESS.name, owner_id__in=list(applied), tombstoned_at=None
    )
    for owner, name, digest in items.values_list("owner_id", "name", "applied_hash"):
        applied[owner][name] = digest
    stale = [
        row.pk
        for row in rows
        if row.generation == row.observed_generation
        and {item.ref.name: item.digest for item in desired.access_objects(kubectl.facts(row))} != applied[row.pk]
    ]
    with transaction.atomic():
        NamespaceAccess.objects.filter(pk__in=list(applied)).update(compared_at=Now())
        return along.bump(NAMESPACE_ACCESS, pk__in=stale) if stale else 0


RECIPE = Recipe(load=_load, wanted=_wanted, observe=_observe, gone=_gone, destroyable=_destroyable, before=_before)
NAMESPACE_ACCESS = Kind(
    name="namespace-access",
    model="vdcs.NamespaceAccess",
    recipe="vdcs.access.RECIPE",
    parent=lambda row: ("vdc", row.vdc_id) if row.vdc_id else ("placed-organization", row.placement_id),
    delete=_delete,
    above=lambda row: row.vdc or row.placement,
    along=_along,
    by_cluster="cluster_id",
)
