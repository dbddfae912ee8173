"""Reads: a VDC's facts, and what its limits stand at."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from clusters.models import NamespaceAllotment
from vdcs import quotas
from vdcs.facts import VdcFacts
from vdcs.models import NetworkMode, QuotaMode, QuotaScope, Vdc


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
