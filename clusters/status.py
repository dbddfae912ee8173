"""The one writer of status: phase, conditions, what was observed. Screens read it, nothing else sets it (ENGINE §4)."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from clusters import connections, kinds, live, observed, queue, sql
from clusters.conditions import Outcome, merged
from clusters.errors import KubeError
from clusters.models import Installation, InventoryItem, ObservedObject, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref

log = logging.getLogger(__name__)
MIRROR_SECONDS = 10.0


@cache
def installation() -> UUID:
    """The id that every object of ours carries."""
    return Installation.objects.values_list("id", flat=True).get()


def record(row: Reconciled, outcome: Outcome) -> bool:
    """Write the outcome of the generation that was read. Call it inside `inventory.fenced`.

    True: a newer generation is there already, so the row has to be looked at again.
    """
    now = timezone.now()
    values: dict[str, Any] = {
        "phase": str(outcome.phase),
        "conditions": merged(row.conditions, outcome.conditions, now),
        **outcome.fields,
    }
    if not outcome.failed:
        values["observed_generation"] = row.generation
    if outcome.settled and row.ready_at is None:
        values["ready_at"] = now
    rows = type(row)._default_manager.filter(pk=row.pk, observed_generation__lte=row.generation)
    current = _generation(row)
    if current is None:
        return True
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if changed:
        rows.update(**changed, updated_at=now)
        for name, value in changed.items():
            setattr(row, name, value)
        published(row)
    return current != row.generation


def _generation(row: Reconciled) -> int | None:
    """The row's generation now, unless a newer one than ours has been observed already."""
    table = connection.ops.quote_name(row._meta.db_table)
    found = sql.run(
        f"SELECT generation FROM {table} WHERE id = %s::uuid AND observed_generation <= %s::bigint",  # noqa: S608
        [row.pk, row.generation],
    )
    return found[0][0] if found else None


def published(row: Reconciled, *, deleted: bool = False) -> None:
    """Tell live viewers after commit. A hint: who misses it fetches what changed since."""
    message = live.Change(
        kind=kinds.of(row).name,
        id=row.pk,
        generation=row.generation,
        phase=str(row.phase),
        organization_id=row.tenant_pk(),
        deleted=deleted,
    )
    transaction.on_commit(lambda: live.publish(message), robust=True)


def mirror(row: Reconciled, lease: Lease, wanted: tuple[Ref, Mapping[str, Any]] | None) -> None:
    """Copy the status into the row's custom resource, at most once in ten seconds; then the work item may go.

    The `/status` apply ignores a wrong uid in its body (recorded), so the uid that comes back is compared.
    """
    pause = _mirror(row, lease, wanted) if wanted is not None else None
    if pause is None:
        queue.complete(lease)
    else:
        queue.again(lease, pause, failed=False)


def _mirror(row: Reconciled, lease: Lease, wanted: tuple[Ref, Mapping[str, Any]]) -> float | None:
    """Seconds until it may be tried, or None when it is written, equal, or there is nothing to write to."""
    ref, status = wanted
    key = {"cluster_id": lease.cluster_id, "group": ref.group, "kind": ref.kind}
    place = {"namespace": ref.namespace, "name": ref.name}
    cached = ObservedObject.objects.filter(**key, **place).first()
    held = InventoryItem.objects.filter(**key, **place, tombstoned_at__isnull=True).first()
    if cached is None or held is None or held.uid != cached.uid:
        return None
    if _subset(status, cached.body.get("status") or {}):
        return None
    last = held.checked_at
    if last is not None and (age := timezone.now() - last) < timedelta(seconds=MIRROR_SECONDS) and row.ready_at:
        written = cached.body.get("status") or {}
        if written:
            return max(MIRROR_SECONDS - age.total_seconds(), 0.5)
    body = {
        "apiVersion": ref.type.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace or None, "uid": str(held.uid)},
        "status": status,
    }
    try:
        with connections.client_of(lease.cluster_id).fenced(lease.renew) as client:
            answer = client.apply(ref, _without_none(body), force=True, subresource="status")
    except KubeError as error:
        log.warning("the status of %s could not be mirrored: %s", ref, error)
        return 30.0
    if answer["metadata"]["uid"] != str(held.uid):
        log.warning("%s was replaced while its status was written", ref)
        return 1.0
    InventoryItem.objects.filter(pk=held.pk).update(checked_at=timezone.now())
    observed.store(lease.cluster_id, [answer])
    return None


def _subset(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(have, Mapping):
        return all(_subset(value, have.get(key)) for key, value in wanted.items())
    return bool(orjson.dumps(wanted, default=str) == orjson.dumps(have, default=str))


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"] = {key: value for key, value in body["metadata"].items() if value is not None}
    return body
