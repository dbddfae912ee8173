"""Orphans: objects with our installation's label that no row stands for. Found by an audit, deleted only by order.

A restored database, or a row removed by hand, leaves them. A label proves nothing (ENGINE §2), so nothing follows from
one by itself: the audit writes down what it saw, people decide, and a deletion is for one uid.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters import connections, observed, status, strangers
from clusters.apply import INSTALLATION, owned_digest, token_of
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import Cluster, InventoryItem, NamespaceAllotment, Orphan
from clusters.refs import KINDS, ObjectKind, Ref
from core import access, audit, broker, rows
from core.actor import Actor
from core.errors import Conflict, Invalid
from core.rights import Right

log = logging.getLogger(__name__)

# Kinds that carry our label: those we write, and claims, to which CDI hands on a DataVolume's labels.
AUDITED = tuple(kind for kind in KINDS.values() if kind.kind not in ("VirtualMachineInstance", "Pod"))
AT_ONCE = 5000
PAUSE_SECONDS = 3600.0
Live = Mapping[str, Any]


# --- finding them ----------------------------------------------------------------------------------------------------


def look(cluster: Cluster) -> int:
    """Search one cluster; how many orphans there are. KubeError if it can't be asked. One search of it at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"orphans {cluster.pk}"])
        if not cursor.fetchone()[0]:
            return cluster.orphans.count()
    try:
        return _look(cluster)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"orphans {cluster.pk}"])


def _look(cluster: Cluster) -> int:
    client = connections.client_of(cluster.pk)
    found: dict[Ref, Live] = {}
    unread: list[str] = []
    for kind in AUDITED:
        try:
            found |= {_ref(kind, live): live for live in _labelled(client, kind)}
        except KubeError as error:
            if error.unhealthy or (error.status == 403 and not cluster.lacking):
                raise  # it has just started (k8s-transcript 17): what it hides now would leave its children without an owner
            unread.append(kind.kind)
            if error.status != 404:
                log.warning("%s of %s could not be searched for orphans: %s", kind.plural, cluster, error)
    orphans = _without_row(cluster.pk, found)
    _store(cluster, orphans, [kind.kind for kind in AUDITED if kind.kind not in unread])
    Cluster.objects.filter(pk=cluster.pk).update(
        audited_at=Now(), audit_note=f"Not looked at: {', '.join(unread)}." if unread else ""
    )
    return len(orphans)


def _labelled(client: Client, kind: ObjectKind) -> list[Live]:
    return list(client.list_metadata(kind, selector=f"{INSTALLATION}={status.installation()}"))


def _ref(kind: ObjectKind, live: Live) -> Ref:
    metadata = live["metadata"]
    return Ref(kind.group, kind.kind, metadata.get("namespace", ""), metadata["name"])


def _without_row(cluster_id: UUID, found: Mapping[Ref, Live]) -> dict[Ref, Live]:
    """Those in no inventory and not grown out of what is in one.

    The inventory is read after the list: it is committed before the first write, so what was listed was in it.
    """
    known, tokens, ours = _inventory(cluster_id, found)
    uids = {live["metadata"]["uid"]: live for live in found.values()}
    proven = ours | {live["metadata"]["uid"] for ref, live in found.items() if _is_held(known.get(ref), live)}
    return {
        ref: live
        for ref, live in found.items()
        if not _descends(live, uids, proven) and token_of(live) not in tokens  # a late request's: the sweep has it
    }


def _inventory(cluster_id: UUID, found: Mapping[Ref, Live]) -> tuple[dict[Ref, InventoryItem], set[UUID], set[str]]:
    """What is held under these names, the tokens of what was forgotten lately, and the uids of all that is held."""
    held = InventoryItem.objects.filter(cluster_id=cluster_id, tombstoned_at__isnull=True)
    names, known = sorted({ref.name for ref in found}), {}
    for start in range(0, len(names), AT_ONCE):
        for item in held.filter(name__in=names[start : start + AT_ONCE]):
            known[Ref(item.group, item.kind, item.namespace, item.name)] = item
    graves = InventoryItem.objects.filter(cluster_id=cluster_id, tombstoned_at__isnull=False)
    tokens = {token for item in graves.only("claim_token", "past_tokens") for token in item.tokens}
    above = {controller for live in found.values() if (controller := observed.controller_of(live)) is not None}
    ours = {str(uid) for uid in held.filter(uid__in=above).values_list("uid", flat=True)} if above else set()
    return known, tokens, ours


def _is_held(item: InventoryItem | None, live: Live) -> bool:
    if item is None:
        return False
    return str(item.uid) == live["metadata"]["uid"] or token_of(live) in item.tokens


def _descends(live: Live, uids: Mapping[str, Live], proven: set[str]) -> bool:
    """By controllers, from what is proven to be ours."""
    seen: set[str] = set()
    at: Live | None = live
    while at is not None:
        uid = at["metadata"]["uid"]
        if uid in proven:
            return True
        above = observed.controller_of(at)
        if above is None or above in seen:
            return False
        if above in proven:
            return True
        seen.add(above)
        at = uids.get(above)
    return False


def _store(cluster: Cluster, orphans: Mapping[Ref, Live], looked_at: Iterable[str]) -> None:
    """As they are now; those that are no longer there, or have a row by now, are forgotten."""
    lines = [
        Orphan(
            cluster=cluster,
            group=ref.group,
            kind=ref.kind,
            namespace=ref.namespace,
            name=ref.name,
            uid=live["metadata"]["uid"],
            applied_by_us=bool(owned_digest(live)),
            made_at=parse_datetime(str(live["metadata"].get("creationTimestamp", ""))),
        )
        for ref, live in sorted(orphans.items())
    ]
    with transaction.atomic():
        Orphan.objects.bulk_create(lines, ignore_conflicts=True)
        now = Orphan.objects.filter(cluster=cluster, uid__in=[line.uid for line in lines])
        now.update(last_seen_at=Now())
        gone = Orphan.objects.filter(cluster=cluster, kind__in=list(looked_at))
        gone.exclude(uid__in=[line.uid for line in lines]).delete()


def look_where_due() -> int:
    """Clusters that answer and were last searched an hour ago, or are to be searched by order. How many orphans there are.

    What could not be asked is asked the next time.
    """
    count = 0
    due = Q(audited_at=None) | Q(audited_at__lt=timezone.now() - timedelta(seconds=PAUSE_SECONDS))
    for cluster in Cluster.objects.filter(due, failing_since=None).defer("credential", "ca"):
        try:
            count += look(cluster)
        except KubeError as error:
            log.warning("%s could not be searched for orphans: %s", cluster, error)
    return count


# --- orders ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def request_look(*, actor: Actor, cluster: Cluster) -> str:
    """Search this cluster now, not in an hour."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    audit.record(actor, "cluster.audit", cluster)
    Cluster.objects.filter(pk=cluster.pk).update(audited_at=None)
    broker.after_commit("clusters.tasks.audit", broker.CONTROL)
    return "It is searched now."


@transaction.atomic
def delete_orphan(*, actor: Actor, orphan: Orphan, confirm: str = "") -> Orphan:
    """Order that this very object goes. What may hold data wants its name typed. Carried out by a worker, by its uid."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    orphan = rows.lock(orphan)
    ref = ref_of(orphan)
    if ref.type.data and confirm != orphan.name:
        raise Invalid.field("confirm", "confirm", f"It may hold data. Type its name to confirm: {orphan.name}.")
    if reason := _kept(orphan, ref):
        raise Conflict(reason)
    if orphan.deletion_requested_at is not None and not orphan.last_error:
        return orphan
    Orphan.objects.filter(pk=orphan.pk).update(deletion_requested_at=Now(), last_error="")
    about = {"cluster": str(orphan.cluster_id), "object": str(ref), "uid": str(orphan.uid)}
    audit.record(actor, "orphan.delete", orphan, after=about)
    broker.after_commit("clusters.tasks.delete_orphans", broker.CONTROL)
    orphan.refresh_from_db(fields=["deletion_requested_at", "last_error"])
    return orphan


def ref_of(orphan: Orphan) -> Ref:
    return Ref(orphan.group, orphan.kind, orphan.namespace, orphan.name)


def _kept(orphan: Orphan, ref: Ref) -> str:
    """Why it must stay, as far as our rows tell."""
    here = InventoryItem.objects.filter(cluster_id=orphan.cluster_id, tombstoned_at__isnull=True)
    if here.filter(uid=orphan.uid).exists():
        return f"{ref} has a row by now: it is no orphan any more."
    if ref.kind == "Namespace":
        if here.filter(namespace=ref.name).exists():
            return f"There are objects of OVIM's rows in the {ref}."
        # One that its row can't prove to be its own goes by this order alone: no row of ours has anything in it (ADR 28).
        in_doubt = here.filter(kind="Namespace", name=ref.name, uid=None).exists()
        allotted = NamespaceAllotment.objects.filter(cluster_id=orphan.cluster_id, name=ref.name).exists()
        if allotted and not in_doubt:
            return f"The {ref} is allotted to a row of OVIM."
    return ""


# --- carrying them out -----------------------------------------------------------------------------------------------


def delete_ordered() -> int:
    """What was ordered to go, each looked at live first. What must stay says why and waits for another order."""
    ordered = Orphan.objects.filter(deletion_requested_at__isnull=False, last_error="", cluster__failing_since=None)
    gone = 0
    for orphan in ordered.order_by("pk")[:AT_ONCE]:
        try:
            gone += _delete(orphan)
        except KubeError as error:
            log.info("the orphan %s could not be deleted: %s", orphan, error)
            if not error.unhealthy:
                _stays(orphan, str(error))
    return gone


def _delete(orphan: Orphan) -> int:
    ref, client = ref_of(orphan), connections.client_of(orphan.cluster_id)
    live = client.get(ref)
    if live is None or live["metadata"]["uid"] != str(orphan.uid):
        return _forget(orphan)
    if "deletionTimestamp" in live["metadata"]:
        return 0
    if reason := _against(orphan, ref, live, client):
        return _stays(orphan, reason)
    client.delete(ref, str(orphan.uid))
    return _forget(orphan) if client.get(ref) is None else 0


def _against(orphan: Orphan, ref: Ref, live: Live, client: Client) -> str:
    if (live["metadata"].get("labels") or {}).get(INSTALLATION) != str(status.installation()):
        return f"{ref} no longer carries our label."
    if reason := _kept(orphan, ref):
        return reason
    if ref.kind == "Namespace":
        found = strangers.strange(strangers.inside(client, ref.name), orphan.cluster_id, ref.name)
        if found:
            return f"It holds {len(found)} objects, which have to go first: {', '.join(found[:10])}."
    return ""


def _forget(orphan: Orphan) -> int:
    return Orphan.objects.filter(pk=orphan.pk).delete()[0]


def _stays(orphan: Orphan, reason: str) -> int:
    Orphan.objects.filter(pk=orphan.pk).update(last_error=reason[:2000])
    return 0
