"""The list of VDCs, and VDCs as a choice in other lists."""

from collections.abc import Callable, Mapping
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import resolve_url

from clusters.models import Phase
from core import access
from core.actor import Actor
from core.ids import uuids_in
from core.listing.cells import bdi
from core.listing.spec import Column, Empty, Listing, Row, Sort, Step, choices, contains
from core.rights import Right
from core.ui.amounts import age, amount
from core.ui.phases import PHASES, phase_mark
from vdcs import quotas
from vdcs.actions import ACTIONS
from vdcs.models import QuotaScope, Vdc

MOST_OPTIONS = 200


def vdc_options(actor: Actor, given: Mapping[str, str]) -> list[tuple[str, str]]:
    """VDCs to choose from, within the organization if one is picked. The one that is asked for is always among them."""
    rows = access.visible(actor, Vdc.objects.all(), Right.VDC_VIEW)
    organization: list[UUID] = uuids_in(given.get("org", ""), 1)
    if organization:
        rows = rows.filter(organization_id=organization[0])
    many = len(actor.organizations) != 1 and not organization
    named = rows.order_by("organization__name", "name").values_list("pk", "organization__name", "name")
    found = [(str(pk), f"{of} / {name}" if many else name) for pk, of, name in named[:MOST_OPTIONS]]
    return [("", "Any"), *found]


def _rows() -> QuerySet[Vdc]:
    return Vdc.objects.all()


def _left(resource: str) -> Callable[[Row], str]:
    """A cell: what is used of one resource, of how much, by the ledger that the VDC binds."""

    def cell(row: Row) -> str:
        limits, allocated, active = (row[f"quota__{name}"] or {} for name in ("limits", "allocated", "active"))
        scope = QuotaScope(limits=limits, allocated=allocated, active=active)
        used, limit = quotas.used(scope, resource, row["enforcement"]), limits.get(resource)
        return bdi(
            amount(used, resource) if limit is None else f"{amount(used, resource)} of {amount(limit, resource)}"
        )

    return cell


def _state(row: Row) -> str:
    deleting, suspended = row["deletion_requested_at"] is not None, row["suspended_at"] is not None
    return phase_mark(row["phase"], deleting=deleting, suspended=suspended, lost=row["cluster__failing_since"])


STATES = [("", "Any"), *((str(phase), PHASES[str(phase)][2]) for phase in (Phase.PENDING, Phase.ACTIVE, Phase.FAILED))]
VDCS = Listing(
    name="vdc",
    title="Virtual data centers",
    noun="VDC",
    section="vdcs",
    url="vdc-list",
    detail="vdc-detail",
    live="vdc",
    follows="vm",
    right=Right.VDC_VIEW,
    rows=_rows,
    organization_path="organization_id",
    vdc_path="pk",
    fields=(
        "name", "display_name", "organization__name", "phase", "deletion_requested_at", "suspended_at", "enforcement",
        "namespace", "quota__limits", "quota__allocated", "quota__active", "created_at",
        "cluster__failing_since",
    ),
    columns=(
        Column("name", "Name", lambda row: str(row["name"]), "w-name", sort="name"),
        Column("organization", "Organization", lambda row: bdi(row["organization__name"]), "second w-10"),
        Column("state", "State", _state, "lead w-9"),
        Column("cpu", "vCPU used", _left("cpu"), "number w-9"),
        Column("memory", "Memory used", _left("memory_mib"), "number w-10"),
        Column("disk", "Disk used", _left("disk_gib"), "number mid w-10"),
        Column("vms", "VMs", _left("vms"), "number w-7"),
        Column("namespace", "Namespace", lambda row: bdi(row["namespace"]), "w-16", optional=True),
        Column("created", "Created", lambda row: age(row["created_at"]), "number wide w-7", sort="created"),
    ),
    sorts=(Sort("name", "name"), Sort("created", newest_first=True)),
    search=contains("name", "display_name"),
    filters=(choices("phase", "State", STATES),),
    actions=ACTIONS,
    steps=(
        Step("create_vm", "Create VM", "add", lambda pk: f"{resolve_url('vm-new')}?vdc={pk}"),
        Step("edit", "Edit", "settings", lambda pk: resolve_url("vdc-edit", pk)),
        Step("delete", "Delete…", "delete", lambda pk: resolve_url("vdc-delete", pk), danger=True),
    ),
    menu="vdc-menu",
    create=("vdc-new", "Create VDC", Right.VDC_CREATE),
    empty=Empty(
        "No VDC yet",
        "A VDC is a share of your organization’s quota, where virtual machines live.",
        "A VDC is a share of your organization’s quota, where virtual machines live. An admin of your organization "
        "makes one.",
    ),
)  # fmt: skip
