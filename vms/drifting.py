"""Everything that stands otherwise in its cluster, as its conditions say: one list for the portal and the API."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from clusters import drift
from clusters.models import Placement
from core import access
from core.actor import Actor
from core.rights import Right
from tenancy.models import Organization
from vdcs.models import Vdc
from vms.models import VirtualMachine

MOST = 100  # of each kind; a list that long has one cause, not a hundred


@dataclass(frozen=True)
class Drifting:
    """One row. `kind`: vm, vdc or organization; `where`: what it is in; `says`: its conditions' messages."""

    kind: str
    id: UUID
    name: str
    where: str
    says: list[str]


def drifting(actor: Actor) -> dict[str, list[Drifting]]:
    """By kind what the actor may see of it, at most one more than MOST. Told from conditions: no object is looked at."""
    vms = VirtualMachine.objects.select_related("vdc", "organization").defer("user_data", "ssh_keys")
    vdcs = Vdc.objects.select_related("organization")
    return {
        "vm": [
            Drifting("vm", row.pk, row.name, f"{row.organization.name} / {row.vdc.name}", _says(row))
            for row in _found(actor, vms, Right.VM_VIEW)
        ],
        "vdc": [
            Drifting("vdc", row.pk, row.name, row.organization.name, _says(row))
            for row in _found(actor, vdcs, Right.VDC_VIEW)
        ],
        "organization": _organizations(actor),
    }


def _found(actor: Actor, rows: QuerySet[Any], right: Right) -> QuerySet[Any]:
    return access.visible(actor, rows, right).filter(drift.told_apart()).order_by("-pk")[: MOST + 1]


def _says(row: Any) -> list[str]:
    return [item["message"] for item in row.conditions if item["type"] in drift.TOLD_APART and item["status"] == "True"]


def _organizations(actor: Actor) -> list[Drifting]:
    rows = Placement.objects.filter(owner_kind="organization").select_related("cluster").defer("cluster__credential")
    found = list(_found(actor, rows, Right.ORGANIZATION_VIEW))
    names = dict(Organization.objects.filter(pk__in=[row.owner_id for row in found]).values_list("pk", "name"))
    return [
        Drifting("organization", row.owner_id, names.get(row.owner_id, "—"), row.cluster.name, _says(row))
        for row in found
    ]
