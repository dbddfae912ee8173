"""Taking over what OVIM did not make: read live, tried out in the cluster, then recorded with the uids that were read (ADR 17).

Nothing is written to a cluster here: what is to change is written by the reconciler, as everything is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from clusters import connections, kinds, observed, status
from clusters.apply import INSTALLATION, Held, Owner, Wanted, stamped
from clusters.errors import KubeError
from clusters.models import InventoryItem, Reconciled
from clusters.refs import Ref
from core.errors import Conflict, Unavailable

MANAGED_BY = "app.kubernetes.io/managed-by"


def read(cluster_id: UUID, refs: Iterable[Ref]) -> dict[Ref, Mapping[str, Any]]:
    """These objects as they are now; what is not there is left out. Unavailable if the cluster can't be asked."""
    client = connections.client_of(cluster_id)
    found: dict[Ref, Mapping[str, Any]] = {}
    for ref in refs:
        try:
            live = client.get(ref)
        except KubeError as error:
            raise Unavailable(f"The cluster did not answer for {ref}: {error}") from error
        if live is not None:
            found[ref] = live
    return found


def others(live: Mapping[str, Any]) -> list[str]:
    """Whose it is already, by its own marks: reasons not to take it."""
    metadata = live["metadata"]
    labels = metadata.get("labels") or {}
    reasons = []
    if "deletionTimestamp" in metadata:
        reasons.append("It is being deleted.")
    if observed.controller_of(live) is not None:
        owner = next(item for item in metadata["ownerReferences"] if item.get("controller"))
        reasons.append(f"It belongs to {owner['kind']} {owner['name']}, which makes it as it wants.")
    if labels.get(MANAGED_BY, "ovim") != "ovim":
        reasons.append(f"It is managed by {labels[MANAGED_BY]}: two managers would undo each other's work.")
    if labels.get(INSTALLATION, str(status.installation())) != str(status.installation()):
        reasons.append("It belongs to another installation of OVIM.")
    return reasons


def held_of(cluster_id: UUID, refs: Iterable[Ref]) -> dict[Ref, InventoryItem]:
    """Those of these objects that are in the inventory already."""
    listed = set(refs)
    rows = InventoryItem.objects.filter(
        cluster_id=cluster_id,
        tombstoned_at__isnull=True,
        name__in={ref.name for ref in listed},
        namespace__in={ref.namespace for ref in listed},
    )
    found = {Ref(row.group, row.kind, row.namespace, row.name): row for row in rows}
    return {ref: row for ref, row in found.items() if ref in listed}


def try_out(cluster_id: UUID, wanted: Wanted, live: Mapping[str, Any], token: UUID) -> None:
    """Have the cluster say what the first write will do: marks and nothing else. Conflict where it is more, with what."""
    held = Held(0, wanted.ref, Owner("", token), token, uid=UUID(live["metadata"]["uid"]))
    body = stamped(wanted, held, status.installation())
    try:
        answer = connections.client_of(cluster_id).apply(wanted.ref, body, dry_run=True)
    except KubeError as error:
        if error.field_conflict:
            who = "; ".join(sorted({f"{cause.field} by {cause.message}" for cause in error.causes}))
            raise Conflict(f"Others own what OVIM would write: {who}.") from error
        if error.unhealthy or error.status in (0, 403):
            raise Unavailable(f"The cluster can't be asked about {wanted.ref}: {error}") from error
        raise Conflict(f"The cluster refuses what OVIM would write: {error}") from error
    same = answer["spec"] == live["spec"]
    if not same or answer["metadata"].get("generation") != live["metadata"].get("generation"):
        raise Conflict(f"Adopting {wanted.ref} would change its spec: it was changed a moment ago, so try again.")


def take(row: Reconciled, taken: Sequence[tuple[Mapping[str, Any], Ref, Owner, UUID]]) -> None:
    """Record objects as the row's, in the open transaction: what was read live, its place, whose data it is, its token.

    Conflict if another row has claimed one meanwhile.
    """
    owner = Owner(kinds.of(row).name, row.pk)
    items = [
        InventoryItem(
            owner_kind=owner.kind,
            owner_id=owner.id,
            data_of_kind=data.kind,
            data_of_id=data.id,
            cluster_id=row.cluster_pk(),
            group=ref.group,
            kind=ref.kind,
            namespace=ref.namespace,
            name=ref.name,
            claim_token=token,
            uid=live["metadata"]["uid"],
        )
        for live, ref, data, token in sorted(taken, key=lambda line: line[1])
    ]
    try:
        with transaction.atomic():
            InventoryItem.objects.bulk_create(items)
    except IntegrityError as error:
        raise Conflict("Another row of OVIM has taken one of its objects at this moment.") from error


def prove(row: Reconciled, ref: Ref, uid: UUID) -> bool:
    """A person says that this is the row's own object. False: another uid is on record, or none is expected.

    The caller has locked the row, so nobody writes what it holds meanwhile (ENGINE §1, lock order).
    """
    return bool(
        InventoryItem.objects.filter(
            owner_kind=kinds.of(row).name,
            owner_id=row.pk,
            cluster_id=row.cluster_pk(),
            **asdict(ref),
            uid=None,
            tombstoned_at=None,
        ).update(uid=uid)
    )


def made_of(claim: Mapping[str, Any], disk: Mapping[str, Any] | None) -> bool:
    """Whether a claim is a DataVolume's, or nobody's."""
    controller = observed.controller_of(claim)
    return controller is None if disk is None else controller == disk["metadata"]["uid"]
