"""VDCs and the quota ledger in the admin."""

from typing import Any

from django.contrib import admin

from clusters.admin import ReconciledAdmin
from core.backoffice.base import Admin, Verb, one_of, points, portal
from vdcs import services
from vdcs.limits import RESOURCES
from vdcs.models import NamespaceAccess, QuotaClaim, QuotaScope, Vdc

RECOUNT = Verb(
    "recount",
    "Recount",
    "The totals are compared with the sums of the claims. Nothing is changed: differences are shown.",
    lambda *, actor, row: services.recount(actor=actor, scope=row),
)


@admin.register(Vdc)
class VdcAdmin(ReconciledAdmin):
    list_display = ("name", "organization", "cluster", "namespace", "phase", "suspended_at", "created_at")
    list_filter = ("phase", "cluster", "enforcement", ("suspended_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "cluster")
    heavy = ("conditions",)
    find_by_id = ("id", "organization_id", "placement_id", "cluster_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the VDC, its organization, placement or cluster."
    related = ("virtualmachine", "quotascope", "namespaceallotment", "workitem", "inventoryitem", "auditentry")

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return portal("vdc-detail", row)


@admin.register(NamespaceAccess)
class NamespaceAccessAdmin(ReconciledAdmin):
    list_display = ("id", "organization", "vdc", "placement", "cluster", "phase", "people", "suspended_at")
    list_filter = ("phase", "cluster", ("suspended_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "vdc", "placement", "cluster")
    heavy = ("conditions",)
    find_by_id = ("id", "organization_id", "vdc_id", "placement_id", "cluster_id")
    search_help_text = "The id of the row, its organization, VDC, placement or cluster."


@admin.register(QuotaScope)
class QuotaScopeAdmin(Admin):
    list_display = ("id", "organization", "vdc", "mode", "limits", "allocated", "active")
    list_filter = ("mode",)
    list_select_related = ("organization", "vdc")
    find_by_id = ("id", "organization_id", "vdc_id")
    search_help_text = "The id of the scope, the VDC or the organization."
    related = ("quotaclaim", "auditentry")
    verbs = (RECOUNT,)


@admin.register(QuotaClaim)
class QuotaClaimAdmin(Admin):
    list_display = ("id", points("owner_id", "row"), "resource", "storage_class", "allocated", "active", "created_at")
    list_filter = (one_of("resource", lambda: RESOURCES),)
    list_select_related = ("scope",)
    find_by_id = ("owner_id", "scope_id")
    search_help_text = "The id of the row that claims, or of the scope."
