"""People's access with kubectl as the engine knows it: one row a namespace, beside the VDC or placement it came along with."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from clusters.apply import Owner, Wanted
from clusters.conditions import Outcome
from clusters.errors import KubeError
from clusters.kinds import Kind
from clusters.models import InventoryItem, ObservedObject, Placement, Reconciled
from clusters.queue import Lease
from clusters.reconcile import Recipe, Situation
from clusters.steps import Steps
from core.actor import Actor
from vdcs import desired, observe, selectors
from vdcs.models import NamespaceAccess, Vdc


def _load(pks: Sequence[UUID]) -> Iterable[NamespaceAccess]:
    return NamespaceAccess.objects.select_related("organization", "cluster", "vdc", "placement").filter(pk__in=pks)


def _before(situation: Situation, _lease: Lease) -> Steps[None]:
    """Nobody is let into a namespace that is not proven to be ours: another one of its name may be anybody's."""
    row: NamespaceAccess = situation.row
    key = {"cluster_id": row.cluster_id, "group": "", "kind": "Namespace", "name": selectors.namespace_of(row)}
    ours = InventoryItem.objects.filter(**key, tombstoned_at=None, uid__isnull=False).values("uid")
    seen = ObservedObject.objects.filter(**key, uid__in=ours).first()
    if seen is None or "deletionTimestamp" in seen.body["metadata"]:
        raise KubeError(409, "NamespaceNotOurs", f"The namespace {key['name']} is not there as OVIM made it.")
    yield from ()


def _wanted(situation: Situation) -> Sequence[Wanted]:
    return desired.access_objects(selectors.access_facts(situation.row))


def _observe(situation: Situation) -> Outcome:
    facts = selectors.access_facts(situation.row)
    refs = [item.ref for item in desired.access_objects(facts)]
    live = {ref: seen.body for ref, seen in situation.view.objects.items()}
    return observe.access(facts, refs, live)


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
