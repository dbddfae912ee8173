"""Reads: a VDC's facts, and what its limits stand at."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Q

from clusters.models import NamespaceAllotment
from tenancy import tenant_roles
from tenancy.people_bound import bound_in
from tenancy.subjects import Nameless, Naming, names_of
from vdcs import quotas
from vdcs.facts import AccessFacts, VdcFacts
from vdcs.models import NamespaceAccess, NetworkMode, QuotaMode, QuotaScope, Vdc


def facts(vdc: Vdc) -> VdcFacts:
    home = NamespaceAllotment.objects.get(
        cluster_id=vdc.cluster_id, owner_kind="organization", owner_id=vdc.organization_id
    )
    scope = QuotaScope.objects.filter(vdc=vdc).first()
    return VdcFacts(
        id=vdc.pk,
        name=vdc.name,
        display_name=vdc.display_name,
        description=vdc.description,
        namespace=vdc.namespace,
        organization_id=vdc.organization_id,
        organization_name=vdc.organization.name,
        organization_namespace=home.name,
        isolated=vdc.network_mode == NetworkMode.ISOLATED,
        min_disk_gib=vdc.min_disk_gib,
        max_disk_gib=vdc.max_disk_gib,
        limits=scope.limits if scope else {},
    )


def namespace_of(row: NamespaceAccess) -> str:
    """The namespace that a row of people's access is about."""
    if row.vdc is not None:
        return row.vdc.namespace
    return NamespaceAllotment.objects.get(
        cluster_id=row.cluster_id, owner_kind="organization", owner_id=row.organization_id
    ).name


def access_facts(row: NamespaceAccess) -> AccessFacts:
    """Who has which ClusterRole in a namespace, by the access decision and in the cluster's own names."""
    cluster = row.cluster
    home = AccessFacts(namespace_of(row), row.organization_id, row.vdc_id, syncs=cluster.tenant_access)
    if not cluster.tenant_access:
        return home
    naming = Naming(
        cluster.oidc_username_claim,
        cluster.oidc_username_prefix,
        cluster.oidc_groups_prefix,
        cluster.oidc_issuer,
        cluster.oidc_groups,
    )
    starts = row.vdc is not None and starts_overshoot_nothing(row.vdc)
    users: dict[str, list[str]] = {}
    left_out = []
    for bound in bound_in(row.organization_id, row.vdc_id):
        roles = (
            tenant_roles.in_organization(bound.rights)
            if row.vdc_id is None
            else tenant_roles.in_vdc(bound.rights, bound.own, starts=starts)
        )
        if not roles:
            continue
        try:
            names = names_of(bound.person, naming)
        except Nameless as why:
            left_out.append((bound.person.name, str(why)))
            continue
        for role in roles:
            users.setdefault(role, []).extend(names)
    return replace(home, users=users, left_out=tuple(left_out))


def starts_overshoot_nothing(vdc: Vdc) -> bool:
    """Whether no limit there binds what is powered on: then a machine may be started around OVIM (Promise 5)."""
    scopes = QuotaScope.objects.filter(
        Q(vdc=vdc) | Q(vdc=None, mode=QuotaMode.ELASTIC), organization=vdc.organization_id
    )
    bound = {name for limits in scopes.values_list("limits", flat=True) for name in limits}
    return all(quotas.ledger(name, vdc.enforcement) != "active" for name in bound)


def limited_classes(vdc: Vdc) -> list[str]:
    """As `quotas.limited_classes` will see them, without a lock: to choose from."""
    binding = Q(vdc=vdc) | Q(vdc=None, mode=QuotaMode.ELASTIC)
    return quotas.classes_in(QuotaScope.objects.filter(binding, organization=vdc.organization_id))


def usage(vdc: Vdc) -> Mapping[str, Any]:
    """Limits and use of a VDC: `used` is what the limits bind, the two ledgers are beside it."""
    return _usage(QuotaScope.objects.get(vdc=vdc), vdc)


def usage_of(vdc: Vdc) -> Mapping[str, Any]:
    """The same of a VDC that was loaded with its quota (`select_related`): costs no query."""
    return _usage(vdc.quota, vdc)


def _usage(scope: QuotaScope, vdc: Vdc) -> Mapping[str, Any]:
    names = sorted({*quotas.RESOURCES, *scope.limits, *scope.allocated})
    return {
        "limits": scope.limits,
        "used": {name: quotas.used(scope, name, vdc.enforcement) for name in names},
        "allocated": scope.allocated,
        "active": scope.active,
    }


def organization_usage(organization_id: Any) -> Mapping[str, Any]:
    """An organization's quota: its mode, its limits, what its VDCs have reserved and what they use."""
    scopes = list(QuotaScope.objects.filter(organization_id=organization_id).select_related("vdc"))
    own = next((scope for scope in scopes if scope.vdc_id is None), None) or QuotaScope()
    below = [scope for scope in scopes if scope.vdc_id is not None]
    names = sorted({*quotas.RESOURCES, *own.limits, *(name for scope in below for name in scope.limits)})
    return {
        "mode": own.mode,
        "limits": own.limits,
        "reserved": {name: sum(scope.limits.get(name, 0) for scope in below) for name in names},
        "used": quotas.organization_use(below, names, own),
        "generation": own.generation,
    }
