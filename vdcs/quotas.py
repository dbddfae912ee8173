"""The ledger: claim, resize, release, each inside the caller's transaction and under the scope's lock (ENGINE §6).

Sums are exact: a trigger keeps them on the scope's row, which is locked before they are read. Locks are taken
organization before VDC, both before any row of the caller's own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from core.errors import Busy, Conflict, NotFound, QuotaExceeded, Shortage
from vdcs.models import Enforcement, QuotaClaim, QuotaMode, QuotaScope, Vdc

RESOURCES = ("cpu", "memory_mib", "disk_gib", "vms", "running_vms")
LOCK_SECONDS = 3
VDC_CHANGER, ORGANIZATION_CHANGER = "An organization admin", "A system admin"


@dataclass(frozen=True)
class Claim:
    """What one row holds, or asks for, of one resource. `active`: the part that is powered on."""

    owner_kind: str
    owner_id: UUID
    resource: str
    allocated: int
    active: int = 0
    storage_class: str = ""

    @property
    def key(self) -> tuple[str, UUID, str, str]:
        return self.owner_kind, self.owner_id, self.resource, self.storage_class


def limit_lock_wait() -> None:
    """Nobody waits longer than this for a lock: then the answer is "busy, try again"."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")


def ensure_organization_scope(organization_id: UUID) -> None:
    """Quota scopes of organizations are made when they are first needed."""
    QuotaScope.objects.bulk_create([QuotaScope(organization_id=organization_id)], ignore_conflicts=True)


def lock_organization(organization_id: UUID) -> list[QuotaScope]:
    """The organization's scope, then those of all its VDCs, locked and as they are now."""
    limit_lock_wait()
    ensure_organization_scope(organization_id)
    scopes = QuotaScope.objects.filter(organization_id=organization_id)
    own = scopes.filter(vdc=None).select_for_update(no_key=True).get()
    return [own, *scopes.exclude(vdc=None).order_by("vdc_id").select_for_update(no_key=True)]


def lock(vdc: Vdc, *, for_deletion: bool = False) -> Vdc:
    """The VDC as it is now, its scope locked (the organization's first, when its mode needs it) and kept on it.

    Refuses one that is being deleted, or whose organization is disabled: nothing new is claimed there.
    """
    limit_lock_wait()
    scopes = list(
        QuotaScope.objects.raw(
            "SELECT * FROM vdcs_quotascope WHERE organization_id = %s AND (vdc_id = %s OR (vdc_id IS NULL AND mode = %s)) "
            "ORDER BY vdc_id NULLS FIRST FOR NO KEY UPDATE",
            [vdc.organization_id, vdc.pk, QuotaMode.ELASTIC],
        )
    )
    own = next((scope for scope in scopes if scope.vdc_id is not None), None)
    fresh = Vdc.objects.select_related("organization", "cluster").filter(pk=vdc.pk).first()
    if own is None or fresh is None:
        raise NotFound("No such VDC.")
    above = next((scope for scope in scopes if scope.vdc_id is None), None)
    if own.mode == QuotaMode.ELASTIC and above is None:
        raise Busy("The organization's quota was changed at this moment: nothing was done, try again.")
    if not for_deletion:
        _check_usable(fresh)
    _keep(fresh, own, above)
    return fresh


def _check_usable(vdc: Vdc) -> None:
    if vdc.deletion_requested_at is not None:
        raise Conflict(f"The VDC {vdc} is being deleted.")
    if not vdc.organization.enabled:
        raise Conflict(f"The organization {vdc.organization} is disabled: a system admin can enable it.")


def _keep(vdc: Vdc, own: QuotaScope, above: QuotaScope | None) -> None:
    own.vdc = vdc
    vdc.locked_scopes = (own, above)  # type: ignore[attr-defined]  # lives as long as the locks do


def _scopes(vdc: Vdc) -> tuple[QuotaScope, QuotaScope | None]:
    found: tuple[QuotaScope, QuotaScope | None] | None = getattr(vdc, "locked_scopes", None)
    if found is None or not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Claims are made on a VDC that `quotas.lock` gave, in the same transaction")
    return found


def ledger(resource: str, enforcement: str) -> str:
    """Which total the limit of a resource binds. Disks always count; running VMs only while they run."""
    if resource == "running_vms":
        return "active"
    return "active" if enforcement == Enforcement.ACTIVE and resource in ("cpu", "memory_mib") else "allocated"


def limited_classes(vdc: Vdc) -> list[str]:
    """Storage classes with a limit of their own, here or in the organization: what names none would slip past them."""
    return classes_in(scope for scope in _scopes(vdc) if scope is not None)


def classes_in(scopes: Iterable[QuotaScope]) -> list[str]:
    limits = {name for scope in scopes for name in scope.limits}
    return sorted(name.partition("/")[2] for name in limits if "/" in name)


def used(scope: QuotaScope, resource: str, enforcement: str) -> int:
    totals: Mapping[str, int] = scope.active if ledger(resource, enforcement) == "active" else scope.allocated
    return int(totals.get(resource, 0))


def claim(vdc: Vdc, claims: Sequence[Claim]) -> None:
    """Claim for new rows, or refuse with every limit that stands against it."""
    own, above = _scopes(vdc)
    _check(vdc, own, above, _growth(vdc, claims, {}))
    QuotaClaim.objects.bulk_create(
        [
            QuotaClaim(
                scope=own,
                owner_kind=item.owner_kind,
                owner_id=item.owner_id,
                resource=item.resource,
                storage_class=item.storage_class,
                allocated=item.allocated,
                active=item.active,
            )
            for item in claims
        ]
    )


def resize(vdc: Vdc, claims: Sequence[Claim], *, even_beyond: bool = False) -> None:
    """Set the claims of existing rows to these values. Growth is checked unless it is a fact already (`even_beyond`)."""
    own, above = _scopes(vdc)
    rows = QuotaClaim.objects.filter(scope=own, owner_id__in={item.owner_id for item in claims})
    have = {(row.owner_kind, row.owner_id, row.resource, row.storage_class): row for row in rows}
    if not even_beyond:
        _check(vdc, own, above, _growth(vdc, claims, have))
    for item in claims:
        row = have[item.key]
        if (row.allocated, row.active) != (item.allocated, item.active):
            QuotaClaim.objects.filter(pk=row.pk).update(allocated=item.allocated, active=item.active)


def release(owners: Iterable[tuple[str, UUID]]) -> None:
    """The rows are gone, so is what they held. The scope's lock must be held."""
    for kind, pk in sorted(owners):
        QuotaClaim.objects.filter(owner_kind=kind, owner_id=pk).delete()


def _growth(vdc: Vdc, claims: Sequence[Claim], have: Mapping[Any, QuotaClaim]) -> dict[str, int]:
    """By how much each limited total would rise."""
    growth: dict[str, int] = defaultdict(int)
    for item in claims:
        which = ledger(item.resource, vdc.enforcement)
        row = have.get(item.key)
        before = getattr(row, which) if row else 0
        delta = getattr(item, which) - before
        growth[item.resource] += delta
        if item.storage_class:
            growth[f"{item.resource}/{item.storage_class}"] += delta
    return {resource: delta for resource, delta in growth.items() if delta > 0}


def _check(vdc: Vdc, own: QuotaScope, above: QuotaScope | None, growth: Mapping[str, int]) -> None:
    use = {name: used(own, name, vdc.enforcement) for name in growth}
    short = _shortages("vdc", vdc, own.limits, growth, use)
    changer = VDC_CHANGER
    if above is not None:
        beyond = _shortages("organization", vdc, above.limits, growth, _organization_use(vdc, growth, above))
        changer = changer if short else ORGANIZATION_CHANGER
        short += beyond
    if short:
        raise QuotaExceeded(short, who_can_change=changer)


def _shortages(
    level: str, vdc: Vdc, limits: Mapping[str, int], growth: Mapping[str, int], use: Mapping[str, int]
) -> list[Shortage]:
    name = vdc.name if level == "vdc" else vdc.organization.name
    return [
        Shortage(resource, level, name, limits[resource], use[resource], delta, ledger(resource, vdc.enforcement))
        for resource, delta in sorted(growth.items())
        if resource in limits and use[resource] + delta > limits[resource]
    ]


def _organization_use(vdc: Vdc, resources: Iterable[str], above: QuotaScope) -> dict[str, int]:
    """What all VDCs together use, each by the ledger it enforces. Exact: the organization's lock is held."""
    return organization_use(list(_with_enforcement(vdc.organization_id)), resources, above)


def _with_enforcement(organization_id: UUID) -> Iterable[QuotaScope]:
    return QuotaScope.objects.filter(organization_id=organization_id, vdc__isnull=False).select_related("vdc")


def organization_use(scopes: Sequence[QuotaScope], resources: Iterable[str], above: QuotaScope) -> dict[str, int]:
    return {
        name: sum(used(scope, name, scope.vdc.enforcement) for scope in scopes if scope.vdc)
        + used(above, name, Enforcement.ALLOCATED)
        for name in resources
    }


def recount() -> list[str]:
    """The self-check: each scope whose totals are not the sums of its claims, in words. Empty: all is well."""
    with connection.cursor() as cursor:
        cursor.execute(_RECOUNT)
        return [f"scope {scope}: {kind} {name} is {kept}, its claims sum to {sums}"
                for scope, kind, name, kept, sums in cursor.fetchall()]  # fmt: skip


_RECOUNT = """
WITH sums AS (
  SELECT scope_id, resource AS name, sum(allocated) AS allocated, sum(active) AS active
  FROM vdcs_quotaclaim GROUP BY 1, 2
  UNION ALL
  SELECT scope_id, resource || '/' || storage_class, sum(allocated), sum(active)
  FROM vdcs_quotaclaim WHERE storage_class <> '' GROUP BY 1, 2
), kept AS (
  SELECT s.id AS scope_id, 'allocated' AS kind, t.key AS name, t.value::bigint AS total
  FROM vdcs_quotascope s, jsonb_each_text(s.allocated) t
  UNION ALL
  SELECT s.id, 'active', t.key, t.value::bigint FROM vdcs_quotascope s, jsonb_each_text(s.active) t
), summed AS (
  SELECT scope_id, 'allocated' AS kind, name, allocated AS total FROM sums
  UNION ALL SELECT scope_id, 'active', name, active FROM sums
)
SELECT scope_id, kind, name, coalesce(k.total, 0), coalesce(s.total, 0)
FROM kept k FULL JOIN summed s USING (scope_id, kind, name)
WHERE coalesce(k.total, 0) <> coalesce(s.total, 0)
"""
