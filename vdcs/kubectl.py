"""Reads: what people's rights in OVIM come to in a cluster, in its own words (ADR 24)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db.models import Q

from clusters.models import Cluster, NamespaceAllotment
from core import access
from core.actor import Actor
from core.rights import Right
from tenancy import people_bound, tenant_roles
from tenancy.people_bound import Bound, BoundGroup
from tenancy.subjects import Nameless, Naming, group_names, names_of
from vdcs import quotas
from vdcs.facts import AccessFacts
from vdcs.models import NamespaceAccess, QuotaMode, QuotaScope, Vdc


def namespace_of(row: NamespaceAccess) -> str:
    """The namespace that a row of people's access is about."""
    if row.vdc is not None:
        return row.vdc.namespace
    return NamespaceAllotment.objects.get(
        cluster_id=row.cluster_id, owner_kind="organization", owner_id=row.organization_id
    ).name


def naming_of(cluster: Cluster) -> Naming:
    return Naming(
        cluster.oidc_username_claim,
        cluster.oidc_username_prefix,
        cluster.oidc_groups_prefix,
        cluster.oidc_issuer,
        cluster.oidc_groups,
    )


def facts(row: NamespaceAccess) -> AccessFacts:
    """Who has which ClusterRole in a namespace, by the access decision and in the cluster's own names."""
    home = AccessFacts(namespace_of(row), row.organization_id, row.vdc_id, syncs=row.cluster.tenant_access)
    if not home.syncs:
        return home
    naming = naming_of(row.cluster)
    starts = row.vdc is not None and starts_overshoot_nothing(row.vdc)
    users, groups = _Named(), _Named()
    for bound in people_bound.bound_in(row.organization_id, row.vdc_id):
        users.add(bound.person.name, _roles(row, bound, starts=starts), partial(names_of, bound.person, naming))
    if naming.groups:
        for group in people_bound.groups_in(row.organization_id, row.vdc_id):
            roles = _roles(row, group, starts=starts)
            groups.add(f"the group {group.external}", roles, partial(group_names, group.external, naming))
    return replace(
        home,
        users=users.by_role,
        groups=groups.by_role,
        left_out=(*users.left_out, *groups.left_out),
        next_change=people_bound.next_end(row.organization_id, row.vdc_id),
    )


@dataclass
class _Named:
    """ClusterRole → names, and who has none."""

    by_role: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def add(self, who: str, roles: Sequence[str], names: Callable[[], Sequence[str]]) -> None:
        try:
            found = names() if roles else ()
        except Nameless as why:
            self.left_out.append((who, str(why)))
            return
        for role in roles:
            self.by_role.setdefault(role, []).extend(found)


def _roles(row: NamespaceAccess, bound: Bound | BoundGroup, *, starts: bool) -> list[str]:
    if row.vdc_id is None:
        return tenant_roles.in_organization(bound.rights)
    return tenant_roles.in_vdc(bound.rights, bound.own, starts=starts)


def starts_overshoot_nothing(vdc: Vdc) -> bool:
    """Whether no limit there binds what is powered on: then a machine may be started around OVIM (Promise 5)."""
    scopes = QuotaScope.objects.filter(
        Q(vdc=vdc) | Q(vdc=None, mode=QuotaMode.ELASTIC), organization=vdc.organization_id
    )
    bound = {name for limits in scopes.values_list("limits", flat=True) for name in limits}
    return all(quotas.ledger(name, vdc.enforcement) != "active" for name in bound)


def own_access(actor: Actor, vdc: Vdc) -> Mapping[str, Any]:
    """What somebody has to know to use kubectl with a VDC: where, as whom, and what he may do there.

    Who else may, and who is left out, is told to those who may see roles there.
    """
    row = NamespaceAccess.objects.select_related("cluster", "vdc").filter(vdc=vdc).first()
    told: dict[str, Any] = {
        "namespace": vdc.namespace,
        "enabled": vdc.cluster.tenant_access,
        "usernames": [],
        "roles": [],
        "hindrance": "",
        "phase": row.phase if row is not None else "Pending",
        "conditions": list(row.conditions) if row is not None else [],
        "people": dict(row.people) if row is not None else {},
    }
    if not access.allows(actor, Right.BINDING_VIEW, vdc):
        told["people"] = {}
        told["conditions"] = [item for item in told["conditions"] if item["type"] != "PeopleLeftOut"]
    if row is not None and row.cluster.tenant_access:
        told |= _own(actor, row, vdc)
    return told


def _own(actor: Actor, row: NamespaceAccess, vdc: Vdc) -> dict[str, Any]:
    mine = people_bound.bound(actor.user_id, vdc.organization_id, vdc.pk)
    roles = _roles(row, mine, starts=starts_overshoot_nothing(vdc)) if mine is not None else []
    if mine is None or not roles:
        return {"hindrance": "No role of yours in this VDC holds in the cluster."}
    try:
        return {"roles": roles, "usernames": names_of(mine.person, naming_of(row.cluster))}
    except Nameless as why:
        return {"hindrance": f"The cluster has no name for you: {mine.person.name} {why}."}
