"""Rows and live objects of some organizations, read in one go: what the checks compare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from clusters import status
from clusters.apply import Wanted, token_of
from clusters.models import InventoryItem, Placement, Reconciled, WorkItem
from clusters.refs import KINDS, Ref, ref_of
from core.models import AuditEntry
from tenancy.desired import organization_objects
from tenancy.kinds import facts as organization_facts
from tenancy.models import Organization
from tests.chaos.kubectl import Kubectl, NotSeen, Object
from vdcs import kubectl as kubectl_of
from vdcs.desired import access_objects, vdc_objects
from vdcs.models import NamespaceAccess, QuotaClaim, QuotaScope, Vdc
from vdcs.selectors import facts as vdc_facts
from vms import selectors
from vms.desired import vm_objects
from vms.models import VirtualMachine

TROUBLES = ("NameTaken", "Replaced", "Drifted", "DiskLost", "Refused", "PowerRefused", "Unproven", "HoldsStrangers")
INVENTORY_KINDS = {
    "vm": VirtualMachine,
    "vdc": Vdc,
    "placed-organization": Placement,
    "namespace-access": NamespaceAccess,
}


@dataclass(frozen=True)
class Row:
    """A reconciled row with the objects that it stands for. `kind`: as the engine calls it."""

    kind: str
    row: Any
    wanted: Sequence[Wanted]
    name: str

    @property
    def id(self) -> UUID:
        return UUID(str(self.row.pk))

    @property
    def deleting(self) -> bool:
        return self.row.deletion_requested_at is not None

    def says(self, type_: str) -> str:
        """The message of a condition that is True, or of `Applied`, `Reconciled` that is not; empty otherwise."""
        wrong = "False" if type_ in ("Applied", "Reconciled") else "True"
        found = (item for item in self.row.conditions if item["type"] == type_ and item["status"] == wrong)
        return next((item["message"] or item["reason"] for item in found), "")

    @property
    def troubles(self) -> list[str]:
        return [type_ for type_ in (*TROUBLES, "Applied", "Reconciled") if self.says(type_)]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Picture:
    """`live`: by reference, everything of the kinds that OVIM makes or watches, of the whole cluster."""

    installation: str
    organizations: Sequence[Organization]
    rows: Sequence[Row]
    inventory: Sequence[InventoryItem]
    scopes: Sequence[QuotaScope]
    claims: Sequence[QuotaClaim]
    work: Sequence[WorkItem]
    audit: Sequence[AuditEntry]
    live: Mapping[Ref, Object]
    marked: Sequence[Object] = field(default=())  # all objects of any kind that carry this installation's label

    def of_kind(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row.kind == kind]

    def in_namespace(self, kind: str, namespace: str) -> list[Object]:
        return [live for ref, live in self.live.items() if ref.kind == kind and ref.namespace == namespace]

    def held(self, row: Row) -> list[InventoryItem]:
        return [item for item in self.inventory if item.owner_kind == row.kind and item.owner_id == row.id]


def is_ours(live: Object) -> bool:
    """Made by an apply of ours: the claim is in our own entry, which a copied annotation is not."""
    return token_of(live) is not None


def take(kubectl: Kubectl, organizations: Iterable[str], *, audited: bool = True) -> Picture:
    """Of these organizations, by id."""
    ids = [UUID(pk) for pk in organizations]
    live = {ref: item for kind in KINDS.values() for ref, item in _listed(kubectl, kind.path(""), kind)}
    installation = str(status.installation())
    marked = list(kubectl.everything(f"ovim.io/installation={installation}"))
    with transaction.atomic():
        rows = [*_organizations(ids), *_accesses(ids), *_vdcs(ids), *_vms(ids)]
        return Picture(
            installation,
            list(Organization.objects.filter(pk__in=ids)),
            rows,
            list(InventoryItem.objects.filter(tombstoned_at=None)),
            list(QuotaScope.objects.filter(organization_id__in=ids).select_related("vdc", "organization")),
            list(QuotaClaim.objects.filter(scope__organization_id__in=ids)),
            list(WorkItem.objects.filter(tenant__in=ids)),
            list(AuditEntry.objects.filter(organization_id__in=ids)) if audited else [],
            live,
            marked,
        )


def _listed(kubectl: Kubectl, path: str, kind: Any) -> Iterable[tuple[Ref, Object]]:
    status_, page = kubectl.ask("GET", path)
    if status_ != 200:
        raise NotSeen(f"{path} can't be listed: {status_}")
    for item in page["items"]:
        whole = {**item, "apiVersion": kind.api_version, "kind": kind.kind}
        yield ref_of(whole), whole


def _organizations(ids: Sequence[UUID]) -> Iterable[Row]:
    for row in Placement.objects.filter(owner_kind="organization", owner_id__in=ids):
        facts = organization_facts(row)
        yield Row("placed-organization", row, organization_objects(facts), facts.name)


def _accesses(ids: Sequence[UUID]) -> Iterable[Row]:
    rows = NamespaceAccess.objects.select_related("organization", "cluster", "vdc", "placement")
    for row in rows.filter(organization_id__in=ids):
        facts = kubectl_of.facts(row)
        yield Row("namespace-access", row, access_objects(facts), facts.namespace)


def _vdcs(ids: Sequence[UUID]) -> Iterable[Row]:
    for row in Vdc.objects.select_related("organization", "placement").filter(organization_id__in=ids):
        yield Row("vdc", row, vdc_objects(vdc_facts(row)), f"{row.organization.name}/{row.name}")


def _vms(ids: Sequence[UUID]) -> Iterable[Row]:
    pks = VirtualMachine.objects.filter(organization_id__in=ids).values_list("pk", flat=True)
    for row in selectors.load(list(pks)):
        lost = any(item["type"] == "DiskLost" and item["status"] == "True" for item in row.conditions)
        yield Row("vm", row, vm_objects(selectors.facts(row, held=lost)), f"{row.vdc.namespace}/{row.name}")


def rows_of(items: Iterable[InventoryItem]) -> dict[tuple[str, UUID], Reconciled | None]:
    """The rows that inventory items belong to, None where there is none."""
    found: dict[tuple[str, UUID], Reconciled | None] = {}
    for item in items:
        key = (item.owner_kind, item.owner_id)
        if key not in found:
            model: Any = INVENTORY_KINDS[item.owner_kind]
            found[key] = model.objects.filter(pk=item.owner_id).first()
    return found
