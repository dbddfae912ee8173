"""The list of VMs: its columns, filters, sorts and verbs."""

from collections.abc import Mapping, Sequence

from django.db.models import IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.shortcuts import resolve_url

from clusters.models import Phase
from core.actor import Actor, Level
from core.listing.cells import NOTHING, bdi, link
from core.listing.spec import Column, Empty, Filter, Listing, Peek, ReadyView, Row, Sort, Step, Verb, choices, contains
from core.rights import Right
from core.ui.amounts import age, gib, mib
from core.ui.phases import PHASES, phase_mark
from vdcs.listings import vdc_options
from vms import peek
from vms.actions import ACTIONS
from vms.models import CALM, TROUBLED, Disk, PowerState, VirtualMachine
from vms.words import why

NEEDS_ATTENTION, UNDER_WAY, MINE = "attention", "moving", "me"


def rows() -> QuerySet[VirtualMachine]:
    disks = Disk.objects.filter(vm_id=OuterRef("pk")).order_by().values("vm").annotate(n=Sum("size_gib")).values("n")
    return VirtualMachine.objects.annotate(disks_gib=Subquery(disks, output_field=IntegerField()))


def _name(row: Row) -> str:
    return str(row["name"])


def _state(row: Row) -> str:
    return phase_mark(
        row["phase"],
        deleting=row["deletion_requested_at"] is not None,
        progress=row["progress"],
        suspended=row["suspended_at"] is not None,
        lost=row["vdc__cluster__failing_since"],
    )


def _why(row: Row) -> str:
    return why(row["conditions"], deleting=row["deletion_requested_at"] is not None, progress=row["progress"])


def _organization(row: Row) -> str:
    return bdi(row["organization__name"])


def _owner(row: Row) -> str:
    return bdi(row["owner__username"] or NOTHING)


def _vdc(row: Row) -> str:
    return link("vdc-detail", row["vdc_id"], row["vdc__name"])


def _disk(row: Row) -> str:
    return bdi(gib(row["disks_gib"])) if row["disks_gib"] else NOTHING


def _address(row: Row) -> str:
    return bdi(row["ip_addresses"][0]) if row["ip_addresses"] else NOTHING


def _can(row: Row) -> str:
    if row["deletion_requested_at"] is not None:
        return ""
    return "stop delete" if row["power_state"] == PowerState.ON else "start delete"


def of_many(actor: Actor) -> bool:
    """Whether an organization's name says anything to this person."""
    return len(actor.organizations) != 1


def _place(actor: Actor, given: Mapping[str, str]) -> bool:
    """The provider's people pick an organization first: of all the VDCs there are a choice would be no help."""
    return bool(given.get("org")) or not any(grant.level is Level.SYSTEM for grant in actor.grants_of(Right.VDC_VIEW))


STATES: Sequence[tuple[str, str]] = [
    ("", "Any"),
    (NEEDS_ATTENTION, "Needs attention"),
    (UNDER_WAY, "Under way"),
    *((str(phase), PHASES[str(phase)][2]) for phase in Phase if phase != Phase.ACTIVE),
]


def _of_state(value: str, actor: Actor) -> Q:
    if value == NEEDS_ATTENTION:
        return Q(phase__in=TROUBLED)
    if value == UNDER_WAY:
        return Q(phase__in=[phase for phase in Phase if phase not in (*CALM, *TROUBLED)])
    return Q(phase=value)


VMS = Listing(
    name="vm",
    title="Virtual machines",
    noun="virtual machine",
    section="vms",
    url="vm-list",
    detail="vm-detail",
    right=Right.VM_VIEW,
    rows=rows,
    organization_path="organization_id",
    vdc_path="vdc_id",
    fields=(
        "name", "phase", "progress", "deletion_requested_at", "conditions", "vdc_id", "vdc__name", "cpu", "memory_mib",
        "ip_addresses", "created_at", "power_state", "suspended_at",
        "vdc__cluster__failing_since",
    ),
    columns=(
        Column("name", "Name", _name, "w-name", sort="name"),
        Column("state", "State", _state, "lead w-12"),
        Column("why", "Why, what next", _why, "why second"),
        Column("organization", "Organization", _organization, "w-9", shown=of_many, reads=["organization__name"]),
        Column("vdc", "VDC", _vdc, "w-7"),
        Column("cpu", "vCPU", lambda row: str(row["cpu"]), "number mid w-4"),
        Column("memory", "Memory", lambda row: bdi(mib(row["memory_mib"])), "number mid w-6"),
        Column("disk", "Disk", _disk, "number mid w-6", reads=["disks_gib"]),
        Column("address", "Address", _address, "mid w-9"),
        Column("owner", "Owner", _owner, "w-9", optional=True, reads=["owner__username"]),
        Column("guest", "Guest", lambda row: row["guest_os"] or NOTHING, "w-12", optional=True, reads=["guest_os"]),
        Column("created", "Created", lambda row: age(row["created_at"]), "number wide w-7", sort="created"),
    ),
    sorts=(Sort("created", newest_first=True), Sort("name", "name")),
    search=contains("name", "display_name", "ip_addresses"),
    search_label="Name or address",
    filters=(
        Filter("vdc", "VDC", vdc_options, lambda value, actor: Q(vdc_id=value), _place),
        Filter("phase", "State", lambda actor, given: STATES, _of_state),
        choices("power", "Power", [("", "Any"), (PowerState.ON, "On"), (PowerState.OFF, "Off")], "power_state"),
        Filter(
            "owner", "Owner", lambda actor, given: [("", "Anybody"), (MINE, "Me")],
            lambda value, actor: Q(owner_id=actor.user_id),
            lambda actor, given: bool(given.get("owner")),  # the tab "Mine" asks for it; then it is here to be undone
        ),
    ),
    views=(ReadyView("Mine", {"owner": MINE}), ReadyView("Needs attention", {"phase": NEEDS_ATTENTION})),
    verbs=(
        Verb("start", "Start", "start", Right.VM_POWER),
        Verb("stop", "Stop", "stop", Right.VM_POWER),
        Verb("delete", "Delete…", "delete", Right.VM_DELETE, danger=True),
    ),
    bulk="vm-bulk",
    can=_can,
    actions=ACTIONS,
    steps=(
        Step("start", "Start", "start", lambda pk: resolve_url("vm-power", pk), {"state": PowerState.ON}),
        Step("stop", "Stop", "stop", lambda pk: resolve_url("vm-power", pk), {"state": PowerState.OFF}),
        Step("edit", "Edit", "settings", lambda pk: resolve_url("vm-edit", pk)),
        Step("order", "Give an order…", "warning", lambda pk: resolve_url("vm-detail", pk), only=True),
        Step("delete", "Delete…", "delete", lambda pk: resolve_url("vm-delete", pk), danger=True),
    ),
    menu="vm-menu",
    peek=Peek("vms/peek.html", peek.fill),
    create=("vm-new", "Create VM", Right.VM_CREATE),
    live="vm",
    empty=Empty(
        "No virtual machines yet",
        "Make the first one: a name and a template are enough.",
        "Ask an admin of your organization for the right to make one.",
    ),
)  # fmt: skip
