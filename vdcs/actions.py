"""What can be done to a VDC, and the states in which it can't: told beside each row. The services decide."""

from django.db.models import Q

from core.actions import Action, Actions
from core.rights import Right

_GOING = (Q(deletion_requested_at__isnull=False), "It is being deleted.")
_CLOSED = (Q(organization__enabled=False), "Its organization is disabled.")
ACTIONS: Actions = {
    "edit": Action(Right.VDC_EDIT, (_GOING, _CLOSED)),
    "delete": Action(Right.VDC_DELETE, (_GOING,)),
    "create_vm": Action(Right.VM_CREATE, (_GOING, _CLOSED)),
}
