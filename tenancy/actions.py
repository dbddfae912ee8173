"""What can be done to tenancy's rows, and the states in which it can't: told beside each row. The services decide."""

from django.db.models import Exists, OuterRef, Q

from core.actions import Action, Actions
from core.rights import Right
from tenancy.models import RoleBinding

_GOING = (Q(deletion_requested_at__isnull=False), "It is being deleted.")
_DISABLED = (Q(enabled=False), "It is disabled.")
ORGANIZATION: Actions = {
    "edit": Action(Right.ORGANIZATION_EDIT, (_GOING,)),
    "delete": Action(Right.ORGANIZATION_DELETE, (_GOING,)),
    "create_vdc": Action(Right.VDC_CREATE, (_GOING, _DISABLED)),
}
OWN_ACCOUNT = "It is your own account: another admin can do that."
USER: Actions = {
    "edit": Action(Right.USER_EDIT),
    "reset_password": Action(Right.USER_EDIT),
    "disable": Action(Right.USER_EDIT, ((Q(is_active=False), "The account is disabled already."),), OWN_ACCOUNT),
    "enable": Action(Right.USER_EDIT, ((Q(is_active=True), "The account is enabled already."),)),
    "delete": Action(Right.USER_EDIT, not_own=OWN_ACCOUNT),
}
SERVICE_ACCOUNT: Actions = {name: action for name, action in USER.items() if name != "reset_password"}
ROLE_BINDING: Actions = {"delete": Action(Right.BINDING_EDIT)}
_BOUND = Exists(RoleBinding.objects.filter(custom=OuterRef("pk")))
ROLE: Actions = {
    "edit": Action(Right.BINDING_EDIT),
    "delete": Action(Right.BINDING_EDIT, ((Q(_BOUND), "It is given to somebody: take it away there first."),)),
}
GROUP: Actions = {
    "edit": Action(Right.BINDING_EDIT),
    "add_member": Action(Right.BINDING_EDIT),
    "delete": Action(Right.BINDING_EDIT),
}
MEMBERSHIP: Actions = {"delete": Action(Right.BINDING_EDIT)}
IDENTITY_PROVIDER: Actions = {
    "edit": Action(Right.IDENTITY_PROVIDER_EDIT),
    "delete": Action(Right.IDENTITY_PROVIDER_EDIT),
}
