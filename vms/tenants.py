"""Stopping all that runs in an organization, when it is switched off. Called by tenancy, by the name in settings."""

from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from clusters import queue
from core import access, audit
from core.actor import Actor
from core.rights import Right
from vdcs import quotas
from vms.models import PowerState, VirtualMachine


def stop_all(*, actor: Actor, organization_id: UUID) -> int:
    """Inside the transaction that switches it off, before anything else of it is locked. How many were on.

    All its quotas are locked, which whoever starts or makes a machine needs, too: he then finds it switched off. As with
    every stop, what they hold is given back when their cluster shows them stopped.
    """
    access.require_system(actor, Right.VM_POWER)
    quotas.lock_organization(organization_id)
    running = VirtualMachine.objects.filter(
        organization_id=organization_id, power_state=PowerState.ON, deletion_requested_at=None
    )
    found = list(running.select_for_update(no_key=True, of=("self",)).order_by("id"))
    VirtualMachine.objects.filter(pk__in=[vm.pk for vm in found]).update(
        generation=F("generation") + 1,
        power_state=PowerState.OFF,
        power_generation=F("generation") + 1,
        updated_at=Now(),
    )
    for vm in found:
        audit.record(actor, Right.VM_POWER, vm, after={"power_state": PowerState.OFF, "with": "the organization"})
    queue.request_all(found)
    return len(found)
