"""What every page's frame needs: who is here and which ways the navigation may show. Costs no query."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from core.actor import Actor
from core.rights import Right

# What a page of the portal needs to be worth a link.
WAYS = {
    "organizations": Right.ORGANIZATION_VIEW,
    "vdcs": Right.VDC_VIEW,
    "vms": Right.VM_VIEW,
    "catalogs": Right.CATALOG_VIEW,
    "users": Right.USER_VIEW,
    "audit": Right.AUDIT_VIEW,
    "clusters": Right.CLUSTER_VIEW,
}


def shell(request: HttpRequest) -> dict[str, Any]:
    actor: Actor | None = getattr(request, "actor", None)
    return {
        "actor": actor,
        "may": {name: actor is not None and actor.holds(right) for name, right in WAYS.items()},
        "live_url": settings.OVIM_LIVE_URL,
    }
