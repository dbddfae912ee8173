"""Virtual machines and disks in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from clusters.admin import RECONCILE, RESUME, SUSPEND, ReconciledAdmin
from core.backoffice.base import Admin, Verb, portal
from vms import services
from vms.models import Disk, VirtualMachine


def _power(*, actor: Any, row: VirtualMachine, on: bool) -> str:
    services.set_power(actor=actor, vm=row, on=on)
    return "It is asked to start." if on else "It is asked to stop."


START = Verb("start", "Start", "The VM is powered on, if its quota allows.",
             lambda *, actor, row: _power(actor=actor, row=row, on=True),
             applies=lambda row: row.power_state == "off")  # fmt: skip
STOP = Verb("stop", "Stop", "The VM is powered off: whoever works on it is interrupted.",
            lambda *, actor, row: _power(actor=actor, row=row, on=False),
            applies=lambda row: row.power_state == "on", dangerous=True)  # fmt: skip


@admin.register(VirtualMachine)
class VirtualMachineAdmin(ReconciledAdmin):
    kinds = ("vm",)
    list_display = (
        "name",
        "organization",
        "vdc",
        "owner",
        "phase",
        "power_state",
        "node",
        "suspended_at",
        "created_at",
    )
    list_filter = ("phase", "power_state", ("suspended_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "vdc", "owner")
    secret = ("user_data", "adopted_spec")
    heavy = ("conditions", "ssh_keys")
    find_by_id = ("id", "vdc_id", "organization_id", "owner_id")
    find_by_name = ("name",)
    pointers = {"owner_id": ""}
    search_help_text = "A part of the name, or the id of the VM, its VDC, organization or owner."
    related = ("disk", "workitem", "inventoryitem", "quotaclaim", "auditentry")
    verbs = (RECONCILE, SUSPEND, RESUME, START, STOP)

    def by_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Anywhere in the name, through the index of trigrams that the portal's search has."""
        return queryset.filter(name__icontains=term)

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return portal("vm-detail", row)


@admin.register(Disk)
class DiskAdmin(Admin):
    list_display = ("name", "vm", "vdc", "position", "source", "size_gib", "storage_class", "deletion_requested_at")
    list_filter = ("source", ("deletion_requested_at", admin.EmptyFieldListFilter))
    list_select_related = ("vm", "vdc")
    find_by_id = ("id", "vm_id", "vdc_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the disk, its VM or VDC."
    related = ("imageprobe", "inventoryitem", "quotaclaim")
