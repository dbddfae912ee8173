"""Verbs on VDCs and quotas: lock, check, write, record, hint. No HTTP, no Kubernetes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from clusters import along, kinds, namespaces, placements, queue
from clusters.models import Cluster, Placement, Reconciled
from core import access, audit, rows
from core.actor import Actor, Level
from core.errors import Conflict, Invalid, QuotaExceeded, Shortage
from core.rights import Right
from core.rows import Generations
from tenancy.models import Organization
from tenancy.services import reach
from tenancy.services.organizations import lock_organization
from vdcs import limits as rules
from vdcs import quotas
from vdcs.models import Enforcement, NetworkMode, QuotaMode, QuotaScope, Vdc

EDITABLE = ("display_name", "description", "network_mode", "min_disk_gib", "max_disk_gib", "enforcement")


@transaction.atomic
def create_vdc(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    display_name: str = "",
    description: str = "",
    limits: Mapping[str, Any] | None = None,
    enforcement: str = Enforcement.ALLOCATED,
    network_mode: str = NetworkMode.DEFAULT,
    min_disk_gib: int | None = None,
    max_disk_gib: int | None = None,
    cluster: Cluster | None = None,
) -> Vdc:
    """A share of the organization's quota and, once reconciled, a namespace with guards around it."""
    access.require(actor, Right.VDC_CREATE, organization)
    checked = rules.checked(limits or {})
    _check_sizes(min_disk_gib, max_disk_gib)
    above, *others = quotas.lock_organization(organization.pk)
    organization = lock_organization(organization.pk)
    _check_reservation(organization, above, others, checked)
    cluster = placements.opened(_cluster(actor, organization, cluster))
    _check_able(cluster)
    vdc = Vdc(
        organization=organization,
        cluster=cluster,
        placement=placements.place("organization", organization.pk, organization.pk, cluster=cluster),
        name=name,
        display_name=display_name or name,
        description=description,
        enforcement=enforcement,
        network_mode=network_mode,
        min_disk_gib=min_disk_gib,
        max_disk_gib=max_disk_gib,
    )
    namespaces.allot(cluster, organization.name, "organization", organization.pk)
    vdc.namespace = namespaces.allot(cluster, f"{organization.name}-{name}", "vdc", vdc.pk)
    rows.save(vdc, new=True)
    QuotaScope.objects.create(organization=organization, vdc=vdc, mode=above.mode, limits=checked)
    audit.record(actor, Right.VDC_CREATE, vdc, after={"name": name, "limits": checked, "enforcement": enforcement})
    queue.request_all([vdc, vdc.placement])
    along.bring(vdc)
    return vdc


@transaction.atomic
def edit_vdc(
    *,
    actor: Actor,
    vdc: Vdc,
    changes: Mapping[str, Any],
    allow_below_use: bool = False,
    generations: Generations = None,
) -> Vdc:
    """Change what EDITABLE names, and `limits` as a whole.

    A limit below what is in use is refused unless `allow_below_use` says that it is meant: nothing is then taken away,
    but nothing more fits until enough has been given back.
    """
    access.require(actor, Right.VDC_EDIT, vdc)
    above, *below = quotas.lock_organization(vdc.organization_id)
    organization = lock_organization(vdc.organization_id)
    vdc = rows.lock(vdc, generations)
    if vdc.deletion_requested_at is not None:
        raise Conflict(f"The VDC {vdc} is being deleted.")
    scope = next(item for item in below if item.vdc_id == vdc.pk)
    before = rows.edit(vdc, {key: changes[key] for key in EDITABLE if key in changes})
    _check_sizes(vdc.min_disk_gib, vdc.max_disk_gib)
    after: dict[str, Any] = {key: changes[key] for key in before}
    checked = rules.checked(changes["limits"]) if "limits" in changes else dict(scope.limits)
    if checked != scope.limits:
        _check_reservation(organization, above, [item for item in below if item is not scope], checked)
        before["limits"], after["limits"] = scope.limits, checked
    if after.keys() & {"limits", "enforcement"} and not allow_below_use:
        lowered = checked if "enforcement" in after else _lowered(scope.limits, checked)
        _check_use(vdc, lowered, scope)
    if "enforcement" in after:
        _check_elastic(organization, above, scope, {"from": before["enforcement"], "to": after["enforcement"]})
    if "limits" in after:
        QuotaScope.objects.filter(pk=scope.pk).update(limits=checked, generation=F("generation") + 1)
    if after:
        audit.record(actor, Right.VDC_EDIT, vdc, before=before, after=after)
        queue.request(vdc, bump=set(after) == {"limits"})
    if after.keys() & {"limits", "enforcement"}:
        reach.changed_at(vdc.organization_id, vdc.pk)
    return vdc


@transaction.atomic
def delete_vdc(
    *,
    actor: Actor,
    vdc: Vdc,
    cascade: bool = False,
    strangers: int | None = None,
    generations: Generations = None,
) -> Vdc:
    """Ask for it to go. Refused while anything is in it, unless `cascade`: then that is asked to go first.

    Its namespace is deleted only once nothing foreign is in it, or when `strangers` names how many foreign objects
    there are: who types the number has read the list (condition `HoldsStrangers`).
    """
    access.require(actor, Right.VDC_DELETE, vdc)
    quotas.lock(vdc, for_deletion=True)
    below = _all_below(vdc)
    if below and not cascade:
        names = ", ".join(sorted(str(row) for row in below)[:5])
        raise Conflict(f"The VDC {vdc} still holds {len(below)} things ({names}): delete them first, or cascade.")
    vdc = rows.lock(vdc, generations)
    if vdc.deletion_requested_at is None:
        _delete_locked(actor, vdc)
    if strangers is not None:
        Vdc.objects.filter(pk=vdc.pk).update(strangers_to_delete=strangers)
        audit.record(actor, Right.VDC_DELETE, vdc, after={"strangers_to_delete": strangers})
    below = sorted(below, key=lambda row: (kinds.of(row).name, str(row.pk)))
    for row in below:
        kinds.of(row).delete(actor, rows.lock(row))
    queue.request_all([vdc, *below])
    return vdc


def _all_below(row: Reconciled) -> list[Reconciled]:
    direct = kinds.contents(row)
    return [*direct, *(further for child in direct for further in _all_below(child))]


def delete_locked(actor: Actor, vdc: Vdc) -> None:
    """Mark a locked VDC, as part of a cascade from above; whoever calls requests it."""
    access.require(actor, Right.VDC_DELETE, vdc)
    if vdc.deletion_requested_at is None:
        _delete_locked(actor, vdc)


def _delete_locked(actor: Actor, vdc: Vdc) -> None:
    Vdc.objects.filter(pk=vdc.pk).update(deletion_requested_at=Now(), generation=F("generation") + 1, updated_at=Now())
    vdc.refresh_from_db(fields=["deletion_requested_at", "generation"])
    along.take([vdc])
    audit.record(actor, Right.VDC_DELETE, vdc)


@transaction.atomic
def set_organization_quota(
    *,
    actor: Actor,
    organization: Organization,
    limits: Mapping[str, Any],
    mode: str = QuotaMode.RESERVATION,
    allow_below_use: bool = False,
    generations: Generations = None,
) -> QuotaScope:
    """Set an organization's limits and how its VDCs draw from them. For the provider's people only."""
    access.require_system(actor, Right.ORGANIZATION_EDIT)
    checked = rules.checked(limits)
    own, *below = quotas.lock_organization(organization.pk)
    rows.check_generation(own, generations)
    if mode == QuotaMode.RESERVATION:
        _check_vdc_limits(organization, checked, [scope.limits for scope in below])
    elif not allow_below_use:
        use = quotas.organization_use(_joined(below), checked, own)
        _refuse_below_use("organization", organization.name, checked, use, "A system admin")
    before = {"limits": own.limits, "mode": own.mode}
    if before == {"limits": checked, "mode": mode}:
        return own
    own.limits, own.mode, own.generation = checked, mode, own.generation + 1
    own.save(update_fields=["limits", "mode", "generation"])
    QuotaScope.objects.filter(organization=organization, vdc__isnull=False).update(mode=mode)
    reach.changed_at(organization.pk)
    after = {"limits": checked, "mode": mode}
    audit.record(actor, "organization.quota", organization, organization_id=organization.pk, before=before, after=after)
    return own


def _joined(scopes: list[QuotaScope]) -> list[QuotaScope]:
    """The locked scopes with their VDCs, whose enforcement says which ledger counts."""
    vdcs = Vdc.objects.in_bulk([scope.vdc_id for scope in scopes])
    for scope in scopes:
        scope.vdc = vdcs[scope.vdc_id]
    return scopes


def _cluster(actor: Actor, organization: Organization, named: Cluster | None) -> Cluster:
    """Only the provider's people name clusters at will: to others those exist where their organization is already."""
    if named is None or named.is_default:
        return named or placements.default_cluster()
    anywhere = any(grant.level is Level.SYSTEM for grant in actor.grants_of(Right.VDC_CREATE))
    placed = Placement.objects.filter(owner_kind="organization", owner_id=organization.pk, cluster=named)
    if not (anywhere or placed.exists()):
        raise Invalid.field("cluster", "not_found", "There is no such cluster.")
    return named


def _check_able(cluster: Cluster) -> None:
    """Refused by name, not failing later: what the cluster was found to lack. Nothing is held against one not looked at."""
    for name, what in (("kubevirt", "KubeVirt"), ("cdi", "CDI")):
        if name in cluster.capabilities and cluster.capabilities[name] is None:
            message = f"The cluster {cluster} has no {what}, so there can be no virtual machines on it."
            raise Invalid.field("cluster", f"no_{name}", message)


def _check_sizes(least: int | None, most: int | None) -> None:
    if least is not None and most is not None and least > most:
        raise Invalid.field(
            "min_disk_gib", "order", f"The smallest disk ({least} GiB) is larger than the largest ({most})."
        )


def _check_reservation(
    organization: Organization, above: QuotaScope, others: list[QuotaScope], wanted: Mapping[str, int]
) -> None:
    """By reservation the limits of all VDCs together fit the organization's; elastically each claim is checked."""
    if above.mode == QuotaMode.RESERVATION:
        _check_vdc_limits(organization, above.limits, [scope.limits for scope in others], wanted)


def _check_vdc_limits(
    organization: Organization,
    limits: Mapping[str, int],
    others: list[Any],
    wanted: Mapping[str, int] | None = None,
) -> None:
    every = [*others, wanted] if wanted is not None else others
    missing = [name for name in limits if any(name not in item for item in every)]
    if missing:
        raise Invalid.field(
            f"limits.{missing[0]}",
            "required",
            f"{organization} has a limit on {missing[0]} that its VDCs reserve from, so each of them needs one, too.",
        )
    short = []
    for name, limit in sorted(limits.items()):
        reserved = sum(item[name] for item in others)
        asked = wanted[name] if wanted is not None else 0
        if reserved + asked > limit:
            short.append(Shortage(name, "organization", organization.name, limit, reserved, asked, "reserved"))
    if short:
        raise QuotaExceeded(short, who_can_change="A system admin")


def _lowered(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Limits that are new or lower than they were."""
    return {name: limit for name, limit in after.items() if name not in before or limit < before[name]}


def _check_use(vdc: Vdc, limits: Mapping[str, int], scope: QuotaScope) -> None:
    use = {name: quotas.used(scope, name, vdc.enforcement) for name in limits}
    _refuse_below_use("vdc", vdc.name, limits, use, "An organization admin")


def _check_elastic(organization: Organization, above: QuotaScope, scope: QuotaScope, change: Mapping[str, str]) -> None:
    """What a VDC uses by its new enforcement fits the organization, too. Its admins' `allow_below_use` lifts only theirs."""
    if above.mode != QuotaMode.ELASTIC:
        return
    grown = {
        name: quotas.used(scope, name, change["to"]) - quotas.used(scope, name, change["from"]) for name in above.limits
    }
    use = quotas.organization_use(_joined(_scopes_of(organization)), above.limits, above)
    short = [
        Shortage(name, "organization", organization.name, limit, use[name] - grown[name], grown[name], "used")
        for name, limit in sorted(above.limits.items())
        if grown[name] > 0 and use[name] > limit
    ]
    if short:
        raise QuotaExceeded(short, who_can_change=quotas.ORGANIZATION_CHANGER)


def _scopes_of(organization: Organization) -> list[QuotaScope]:
    return list(QuotaScope.objects.filter(organization=organization, vdc__isnull=False))


def _refuse_below_use(level: str, name: str, limits: Mapping[str, int], use: Mapping[str, int], who: str) -> None:
    short = [
        Shortage(resource, level, name, limit, use[resource], 0, "used")
        for resource, limit in sorted(limits.items())
        if use[resource] > limit
    ]
    if short:
        raise QuotaExceeded(short, who_can_change=f"With `allow_below_use` the limit is set all the same. {who}")


@transaction.atomic
def recount(*, actor: Actor, scope: QuotaScope) -> str:
    """The self-check of one scope, in words; it changes nothing. Differences are faults of OVIM's own (ENGINE §6)."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    found = quotas.recount(scope.pk)
    audit.record(actor, "quota.recount", scope, after={"differences": found})
    return "; ".join(found) if found else "The totals are the sums of the claims."


def gone(vdc_id: UUID) -> None:
    """Inside the transaction that drops the row: its namespace's name and its quota's row are free."""
    QuotaScope.objects.filter(vdc_id=vdc_id).delete()
