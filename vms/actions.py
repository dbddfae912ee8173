"""What can be done to a VM, and the states in which it can't: told beside each row. `vms.services` decides."""

from django.db.models import Q

from core.actions import Action, Actions
from core.rights import Right
from vms.models import PowerState

_GOING = (Q(deletion_requested_at__isnull=False), "It is being deleted.")
_CLOSED = (
    (Q(vdc__deletion_requested_at__isnull=False), "Its VDC is being deleted."),
    (Q(organization__enabled=False), "Its organization is disabled."),
)
_ASKS = (  # the conditions of `vms.orders`
    Q(conditions__contains=[{"type": "DiskLost", "status": "True"}])
    | Q(conditions__contains=[{"type": "Drifted", "status": "True"}])
    | Q(conditions__contains=[{"type": "Unproven", "status": "True"}])
    | Q(conditions__contains=[{"reason": "ClaimGone", "status": "True"}])
)
ACTIONS: Actions = {
    "edit": Action(Right.VM_EDIT, (_GOING, *_CLOSED)),
    "start": Action(Right.VM_POWER, (_GOING, *_CLOSED, (Q(power_state=PowerState.ON), "It is on already."))),
    "stop": Action(Right.VM_POWER, (_GOING, (Q(power_state=PowerState.OFF), "It is off already."))),
    "order": Action(Right.VM_ORDER, ((~_ASKS, "Nothing about it needs an order."),)),
    "delete": Action(Right.VM_DELETE, (_GOING,)),
}
