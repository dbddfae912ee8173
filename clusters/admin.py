"""The engine's rows in the admin: what is due, whose object is whose, what the cluster was last seen to hold."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from clusters import kinds, operations
from clusters.models import (
    Cluster,
    Happening,
    Installation,
    InventoryItem,
    NamespaceAllotment,
    ObservedObject,
    Orphan,
    Placement,
    WorkItem,
)
from clusters.refs import KINDS
from core.backoffice import show
from core.backoffice.base import Admin, Verb, one_of, points

RECONCILE = Verb(
    "reconcile",
    "Reconcile now",
    "The row is looked at now, changed or not. What is as it should be is not written again.",
    lambda *, actor, row: operations.reconcile_now(actor=actor, row=row),
    applies=lambda row: row.suspended_at is None,
)
SUSPEND = Verb(
    "suspend",
    "Suspend",
    "OVIM leaves the row alone until it is resumed: nothing is read, written or deleted for it in the cluster, and its "
    "status stays as it was last seen. Changes that people ask for are kept and carried out afterwards.",
    lambda *, actor, row, reason: operations.suspend(actor=actor, row=row, reason=reason),
    applies=lambda row: row.suspended_at is None,
    asks="Why (people see it in the row's conditions)",
)
RESUME = Verb(
    "resume",
    "Resume",
    "The row is reconciled again, at once: whatever was asked for meanwhile, its deletion too, is carried out.",
    lambda *, actor, row: operations.resume(actor=actor, row=row),
    applies=lambda row: row.suspended_at is not None,
)
RETRY = Verb(
    "retry",
    "Retry now",
    "The work item is due now and its failures are forgotten. What waits for a parent waits again.",
    lambda *, actor, row: operations.retry(actor=actor, item=row),
)
RELEASE = Verb(
    "release",
    "Release the lease",
    "The worker that has the item is fenced off before its next write, and another one may take it now. "
    "A lease ends by itself within a minute; release it when a worker hangs.",
    lambda *, actor, row: operations.release_lease(actor=actor, item=row),
    applies=lambda row: row.lease_token is not None,
    dangerous=True,
)
RECHECK = Verb(
    "recheck",
    "Check live",
    "The object is read from the cluster, the cache brought up to date, and its owner's row reconciled.",
    lambda *, actor, row: operations.recheck(actor=actor, item=row),
    applies=lambda row: row.tombstoned_at is None,
)
FORGET = Verb(
    "forget",
    "Forget the tombstone",
    "OVIM no longer looks whether a late request of a dead worker has made this object after all. Tombstones go by "
    "themselves after a day.",
    lambda *, actor, row: operations.forget_tombstone(actor=actor, item=row),
    applies=lambda row: row.tombstoned_at is not None,
    dangerous=True,
)


class ReconciledAdmin(Admin):
    """Of every row that a reconciler brings into a cluster."""

    verbs: Sequence[Verb] = (RECONCILE, SUSPEND, RESUME)
    related: Sequence[str] = ("workitem", "inventoryitem", "auditentry")


class Leased(admin.SimpleListFilter):
    """What a work item is doing."""

    title = "state"
    parameter_name = "state"
    STATES = {
        "due": Q(due_at__isnull=False, lease_token__isnull=True, attempts=0),
        "leased": Q(lease_token__isnull=False),
        "failing": Q(attempts__gt=0),
        "parked": Q(due_at__isnull=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in self.STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        where = self.STATES.get(self.value() or "")
        return queryset.filter(where) if where is not None else queryset


class Tombstones(admin.SimpleListFilter):
    title = "in the cluster"
    parameter_name = "there"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "recorded"), ("new", "not made yet"), ("no", "confirmed gone (tombstone)")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(tombstoned_at__isnull=False)
        if self.value() in ("yes", "new"):
            return queryset.filter(tombstoned_at__isnull=True, uid__isnull=self.value() == "new")
        return queryset


OBJECT_KINDS = one_of("kind", lambda: [kind for _, kind in KINDS])
ROW_KINDS = one_of("kind", kinds.registry)
NAMESPACE_OWNERS = one_of("owner_kind", lambda: ["organization", "vdc"])


class ObjectAdmin(Admin):
    """Of rows that are named like an object of a cluster: found by namespace, or by namespace/name."""

    search_help_text = "namespace or namespace/name (/name for what is in none), or an id."
    list_select_related = ("cluster",)

    def by_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        namespace, slash, name = term.partition("/")
        return queryset.filter(self.at(namespace, **({"name": name} if slash else {})))

    def at(self, namespace: str, **name: str) -> Q:
        """All columns before the namespace are named, so that the key's index serves."""
        return Q(
            cluster__in=list(Cluster.objects.values_list("pk", flat=True)),
            group__in=sorted({group for group, _ in KINDS}),
            kind__in=sorted({kind for _, kind in KINDS}),
            namespace=namespace,
            **name,
        )


@admin.register(Installation)
class InstallationAdmin(Admin):
    list_display = ("id",)


@admin.register(Cluster)
class ClusterAdmin(Admin):
    list_display = ("name", "server", "is_default", "failing_since", "watched_at", "last_error")
    list_filter = ("is_default", ("failing_since", admin.EmptyFieldListFilter))
    secret = ("credential",)
    find_by_name = ("name",)
    search_help_text = "How the name begins, or an id."
    related = ("vdc", "auditentry")


@admin.register(Placement)
class PlacementAdmin(ReconciledAdmin):
    kinds = ("placed-organization",)
    list_display = ("id", points("owner_id", "owner"), "cluster", "phase", "suspended_at", "created_at")
    list_filter = ("phase", "cluster", ("suspended_at", admin.EmptyFieldListFilter))
    list_select_related = ("cluster",)
    heavy = ("conditions",)
    find_by_id = ("id", "owner_id", "tenant_id")
    search_help_text = "Its id, or that of the organization."
    related = ("workitem", "inventoryitem", "vdc", "auditentry")


@admin.register(NamespaceAllotment)
class NamespaceAllotmentAdmin(Admin):
    list_display = ("name", "cluster", points("owner_id", "owner"))
    list_filter = ("cluster", NAMESPACE_OWNERS)
    list_select_related = ("cluster",)
    find_by_id = ("owner_id",)
    find_by_name = ("name",)
    search_help_text = "How the namespace's name begins, or its owner's id."

    def by_id(self, pk: UUID) -> Q:
        return super().by_id(pk) & Q(cluster__in=list(Cluster.objects.values_list("pk", flat=True)))

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return [
            (show.listing(InventoryItem, row.name), "inventory items in it"),
            (show.listing(ObservedObject, row.name), "observed objects in it"),
        ]


@admin.register(WorkItem)
class WorkItemAdmin(Admin):
    list_display = (
        "id", points("object_id", "row"), "due_at", "attempts", "leased_until", points("parked_on_id", "waits for"),
        "last_error", "cluster",
    )  # fmt: skip
    list_filter = (Leased, ROW_KINDS, "cluster")
    list_select_related = ("cluster",)
    find_by_id = ("object_id", "parked_on_id")
    search_help_text = "The id of the row that it is about, or of the row that it waits for."
    verbs = (RETRY, RELEASE)

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return [(show.listing(InventoryItem, row.object_id), "inventory items of its row")]


@admin.register(InventoryItem)
class InventoryItemAdmin(ObjectAdmin):
    list_display = (
        "id",
        "kind",
        "namespace",
        "name",
        "uid",
        points("owner_id", "written by"),
        "tombstoned_at",
        "cluster",
    )
    list_filter = (OBJECT_KINDS, Tombstones, "cluster")
    find_by_id = ("owner_id", "data_of_id")
    verbs = (RECHECK, FORGET)

    def at(self, namespace: str, **name: str) -> Q:
        """The key's index is of what is recorded; tombstones are few and have their own."""
        place = super().at(namespace, **name)
        return (place & Q(tombstoned_at__isnull=True)) | (place & Q(tombstoned_at__isnull=False))

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return [
            (show.listing(ObservedObject, f"{row.namespace}/{row.name}"), "as it was last seen"),
            (show.listing(WorkItem, row.owner_id), "work item of its owner"),
            (show.listing(InventoryItem, row.owner_id), "inventory items of its owner"),
        ]


@admin.register(ObservedObject)
class ObservedObjectAdmin(ObjectAdmin):
    list_display = ("id", "kind", "namespace", "name", "uid", "resource_version", "cluster")
    list_filter = (OBJECT_KINDS, "cluster")
    heavy = ("body",)
    find_by_id = ("uid", "controller_uid")

    def by_id(self, pk: UUID) -> Q:
        return super().by_id(pk) & Q(cluster__in=list(Cluster.objects.values_list("pk", flat=True)))

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        found = [
            (show.listing(InventoryItem, f"{row.namespace}/{row.name}"), "inventory item"),
            (show.listing(ObservedObject, row.uid), "what it controls"),
        ]
        return found + (
            [(show.listing(ObservedObject, row.controller_uid), "its controller")] if row.controller_uid else []
        )


@admin.register(Happening)
class HappeningAdmin(Admin):
    list_display = ("id", "at", "what", "code", "ok", "count", points("owner_id", "row"), "duration_ms")
    list_filter = ("what", "ok", one_of("owner_kind", kinds.registry))
    find_by_id = ("owner_id",)
    search_help_text = "The id of the row that it is about."


@admin.register(Orphan)
class OrphanAdmin(ObjectAdmin):
    """To look at: deletion is ordered in the portal, where what may hold data wants its name typed."""

    list_display = ("id", "kind", "namespace", "name", "uid", "applied_by_us", "first_seen_at", "cluster")
    list_filter = (OBJECT_KINDS, "cluster")
    find_by_id = ("uid",)
