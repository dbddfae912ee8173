"""The navigation: every entry of the sidebar, with the right without which it is absent. The palette searches it, too."""

from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse

from core.actor import Actor
from core.rights import Right


@dataclass(frozen=True)
class Way:
    """`section`: what a page calls itself to be marked here. `key`: pressed after `g`."""

    section: str
    label: str
    icon: str
    page: str
    right: Right
    key: str
    group: str = ""

    @cached_property
    def href(self) -> str:
        return reverse(self.page)


WAYS = (
    Way("overview", "Overview", "overview", "start", Right.SELF, "o"),
    Way("organizations", "Organizations", "organization", "organization-list", Right.ORGANIZATION_VIEW, "t"),
    Way("clusters", "Clusters", "cluster", "cluster-list", Right.CLUSTER_VIEW, "l"),
    Way("vms", "Virtual machines", "vm", "vm-list", Right.VM_VIEW, "v"),
    Way("vdcs", "VDCs", "vdc", "vdc-list", Right.VDC_VIEW, "d"),
    Way("catalog", "Catalog", "catalog", "catalog", Right.CATALOG_VIEW, "c"),
    Way("drift", "Drift", "drift", "drift", Right.VM_VIEW, "f"),
    Way("users", "People", "users", "user-list", Right.USER_VIEW, "u", "Governance"),
    Way(
        "identity-providers",
        "Identity providers",
        "user",
        "identity-provider-list-page",
        Right.IDENTITY_PROVIDER_VIEW,
        "i",
        "Governance",
    ),
    Way("audit", "Activity", "activity", "audit-list", Right.SELF, "a", "Governance"),
    Way("admin", "Administration", "settings", "admin:index", Right.ADMIN_OPEN, "m", "Governance"),
)


def open_to(actor: Actor) -> list[Way]:
    return [way for way in WAYS if actor.holds(way.right)]
