"""Verbs on the provider's clusters: take one in, change it, renew its credential, look into it, empty it, remove it.

What has to be asked of a cluster is asked by `look_over` and `look_again`, before any transaction; the verbs themselves
only change rows. Locks: the cluster's row, then its placements. Whoever puts a VDC somewhere locks the cluster's row
against this first (`placements.opened`), so that a cluster can't be closed under it.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from clusters import along, connections, credentials, kinds, placements
from clusters.examine import Findings, Unfit, examine
from clusters.kubeconfig import Access
from clusters.models import Cluster, InventoryItem, NameClaim, NamespaceAllotment, Placement
from core import access as rights
from core import audit, rows
from core.actor import Actor
from core.errors import Conflict, FieldError, Invalid
from core.rights import Right
from core.rows import Generations

EDITABLE = ("display_name", "schedulable", "is_default")
# How people's roles get there: see `tenancy.subjects`.
NAMING = (
    "tenant_access", "oidc_username_claim", "oidc_username_prefix", "oidc_groups_prefix", "oidc_issuer", "oidc_groups",
)  # fmt: skip
MOST_NAMED = 20
REFUSED_PAUSES = (1.0, 2.0)  # seconds
APPLY = "kubectl apply -f deploy/crds -f deploy/rbac"


def look_over(*, actor: Actor, access: Access, field: str = "") -> Findings:
    """Everything about a cluster that is to be taken in, read live; Invalid unless OVIM can work there.

    `field`: what the caller wrote it all in (a kubeconfig), for refusals to point at.
    """
    rights.require_system(actor, Right.CLUSTER_EDIT)
    try:
        found = examine(access)
    except Unfit as error:
        raise Invalid.field(field or error.field, error.rule, str(error)) from error
    if found.lacking:
        names = "; ".join(found.lacking)
        message = f"OVIM's account lacks rights there that deploy/account/ovim.yaml gives it: {names}."
        raise Invalid.field(field or "token", "missing_rights", message)
    if found.missing:
        message = f"The cluster lacks what OVIM brings: {', '.join(found.missing)}. Put it there first: {APPLY}"
        raise Invalid.field(field or "server", "missing_definitions", message)
    return found


@transaction.atomic
def register_cluster(
    *,
    actor: Actor,
    name: str,
    access: Access,
    findings: Findings,
    display_name: str = "",
    is_default: bool = False,
    field: str = "",
) -> Cluster:
    """Take a cluster in that was looked over. The first one is the default one; the credential is encrypted at rest."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    _check_new(findings, field)
    cluster = Cluster(
        name=name,
        display_name=display_name or name,
        **credentials.columns(access),
        identity=findings.identity,
        capabilities=findings.capabilities,
        checked_at=timezone.now(),
        seen_at=timezone.now(),
    )
    if is_default:
        _undefault(cluster)
    cluster.is_default = is_default or not Cluster.objects.filter(is_default=True).exists()
    rows.save(cluster, new=True)
    audit.record(actor, "cluster.register", cluster, after={"server": access.server, "is_default": cluster.is_default})
    return cluster


def _check_new(findings: Findings, field: str) -> None:
    known = Cluster.objects.filter(identity=findings.identity).first()
    if known is not None:
        message = f"That is the cluster {known} already. Its address and credential can be renewed there."
        raise Conflict(message, errors=[FieldError(field or "server", "known", message)])


def _undefault(cluster: Cluster) -> None:
    before = Cluster.objects.filter(is_default=True).exclude(pk=cluster.pk)
    before.update(is_default=False, generation=F("generation") + 1)


@transaction.atomic
def renew_access(
    *,
    actor: Actor,
    cluster: Cluster,
    access: Access,
    findings: Findings,
    field: str = "",
    generations: Generations = None,
) -> Cluster:
    """Another address or credential of the same cluster: what is known of its objects stays true."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    cluster = rows.lock(cluster, generations)
    if cluster.identity not in (None, findings.identity):
        message = (
            f"That is another cluster than {cluster}: what OVIM has there would be lost. Register it by its own name."
        )
        raise Invalid.field(field or "server", "another_cluster", message)
    if cluster.identity is None:
        _check_new(findings, field)
    before = {"server": cluster.server}
    Cluster.objects.filter(pk=cluster.pk).update(
        **credentials.columns(access),
        generation=F("generation") + 1,
        access_generation=F("access_generation") + 1,
        seen_at=timezone.now(),
    )
    connections.healthy(cluster.pk)
    _store(cluster, findings)
    cluster.refresh_from_db()
    audit.record(actor, "cluster.renew_access", cluster, before=before, after={"server": access.server})
    return cluster


@transaction.atomic
def edit_cluster(
    *, actor: Actor, cluster: Cluster, changes: Mapping[str, Any], generations: Generations = None
) -> Cluster:
    """Change what EDITABLE and NAMING name. `schedulable` false: no new VDCs there; what is there goes on."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    cluster = rows.lock(cluster, generations)
    wanted = {name: changes[name] for name in (*EDITABLE, *NAMING) if name in changes}
    _check_naming(cluster, wanted)
    if cluster.is_default and wanted.get("is_default") is False:
        raise Invalid.field(
            "is_default", "one_default", "There is always a default cluster: make another one it instead."
        )
    if wanted.get("is_default"):
        _undefault(cluster)
    before = rows.edit(cluster, wanted)
    if before:
        audit.record(actor, Right.CLUSTER_EDIT, cluster, before=before, after={name: wanted[name] for name in before})
    if before.keys() & set(NAMING):
        along.bump_on(cluster.pk)
    return cluster


def _check_naming(cluster: Cluster, wanted: Mapping[str, Any]) -> None:
    """The same subject of two identity providers is two people: whose it is must show, by the prefix or by a rule."""
    after = {name: wanted.get(name, getattr(cluster, name)) for name in NAMING}
    by_subject = after["oidc_username_claim"] == NameClaim.SUBJECT
    if by_subject and after["oidc_username_prefix"] and not after["oidc_issuer"]:
        message = "With a prefix of its own in front of subjects, say which identity provider's subjects they are."
        raise Invalid.field("oidc_issuer", "required", message)


# --- looking again ---------------------------------------------------------------------------------------------------


def look_again(cluster: Cluster) -> Findings | str:
    """What a known cluster is like now, read live; or why that can't be told.

    Refused, it asks again: an API server that has just started refuses everybody for a moment (k8s-transcript 17).
    """
    way, told = credentials.access_to(cluster), ""
    for pause in (0.0, *REFUSED_PAUSES):
        time.sleep(pause)
        try:
            return examine(way)
        except Unfit as error:
            told = str(error)
            if error.rule != "missing_rights":
                break
    return told


@transaction.atomic
def check_cluster(*, actor: Actor, cluster: Cluster, found: Findings | str) -> Cluster:
    """Store what a person's look has found, good or bad."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    cluster = rows.lock(cluster)
    store_look(cluster, found)
    cluster.refresh_from_db()
    audit.record(actor, "cluster.check", cluster, after={"error": cluster.check_error, "lacking": cluster.lacking})
    return cluster


def warn_of_the_lost() -> None:
    """Of those that no look refreshes, what the credential's end makes of the warnings as time passes."""
    for cluster in Cluster.objects.exclude(failing_since=None):
        if (told := credentials.warnings(cluster.certificate)) != cluster.warnings:
            Cluster.objects.filter(pk=cluster.pk).update(warnings=told)


def store_look(cluster: Cluster, found: Findings | str) -> None:
    """What the cluster was found to be like. A failed look takes nothing of what was known before away."""
    Cluster.objects.filter(pk=cluster.pk).update(warnings=credentials.warnings(cluster.certificate))
    if isinstance(found, str):
        Cluster.objects.filter(pk=cluster.pk).update(check_error=found[:1000])
    elif cluster.identity not in (None, found.identity):
        message = (
            "Another cluster answers at this address: its kube-system namespace is not the one that was registered."
        )
        Cluster.objects.filter(pk=cluster.pk).update(check_error=message)
    elif cluster.identity is None and (other := Cluster.objects.filter(identity=found.identity).first()) is not None:
        Cluster.objects.filter(pk=cluster.pk).update(check_error=f"This is the same cluster as {other}.")
    else:
        _store(cluster, found)


def _store(cluster: Cluster, found: Findings) -> None:
    missing = f"The cluster lacks {', '.join(found.missing)}: {APPLY}" if found.missing else ""
    Cluster.objects.filter(pk=cluster.pk).update(
        identity=found.identity,
        capabilities=found.capabilities,
        lacking=list(found.lacking),
        check_error=missing[:1000],
        checked_at=timezone.now(),
    )


# --- emptying and removing -------------------------------------------------------------------------------------------


def check_not_default(cluster: Cluster) -> None:
    """Conflict while VDCs go there that name no cluster. The only one there is may go."""
    if cluster.is_default and Cluster.objects.exclude(pk=cluster.pk).exists():
        raise Conflict(f"{cluster} is the default cluster: make another one the default first.")


@transaction.atomic
def drain_cluster(*, actor: Actor, cluster: Cluster, generations: Generations = None) -> Cluster:
    """No new VDCs there, and organizations that have none there leave it. VDCs are for their owners to move or delete."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    cluster = rows.lock(cluster, generations)
    check_not_default(cluster)
    rows.edit(cluster, {"schedulable": False})
    leaving = [item for item in _placements(cluster).filter(deletion_requested_at=None) if not kinds.contents(item)]
    placements.leave(leaving)
    names = _names(cluster, {item.owner_id for item in leaving})
    audit.record(actor, "cluster.drain", cluster, after={"leaving": names})
    return cluster


def _placements(cluster: Cluster) -> Any:
    return Placement.objects.filter(cluster=cluster).order_by("id").select_for_update(no_key=True)


def _names(cluster: Cluster, owners: set[Any] | None = None) -> list[str]:
    """What is on a cluster, by its namespaces: of all owners, or of these."""
    found = NamespaceAllotment.objects.filter(cluster=cluster)
    if owners is not None:
        found = found.filter(owner_id__in=owners)
    return sorted(found.values_list("name", flat=True))


@transaction.atomic
def remove_cluster(*, actor: Actor, cluster: Cluster, generations: Generations = None) -> None:
    """OVIM lets go of a cluster in which it has nothing left. Nothing is changed in the cluster."""
    rights.require_system(actor, Right.CLUSTER_EDIT)
    cluster = rows.lock(cluster, generations)
    check_not_default(cluster)
    placed = Placement.objects.filter(cluster=cluster).count()
    if placed:
        names = _names(cluster)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise Conflict(
            f"{placed} organizations are still on {cluster} ({', '.join(names[:MOST_NAMED])}{more}): delete their VDCs "
            "there, then drain the cluster.",
            placements=placed,
            namespaces=names[:MOST_NAMED],
        )
    kept = InventoryItem.objects.filter(cluster=cluster, tombstoned_at=None).count()
    if kept:
        raise Conflict(f"OVIM still has {kept} objects on {cluster}: they are being deleted.")
    audit.record(actor, "cluster.remove", cluster, before={"server": cluster.server})
    connections.forget(cluster.pk)
    cluster.delete()
