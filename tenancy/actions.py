"""What can be done to tenancy's rows, and the states in which it can't: told beside each row. The services decide."""

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from core.actions import Action, Actions
from core.rights import Right
from tenancy.invited import ROLE_GONE
from tenancy.models import RoleBinding

_GOING = (Q(deletion_requested_at__isnull=False), "It is being deleted.")
_DUE = (Q(deletion_due_at__isnull=False), "It is to be deleted: undo that first.")
_DISABLED = (Q(enabled=False), "It is disabled.")
# Right.ORGANIZATION_DELETE is the provider's alone, as these verbs are.
ORGANIZATION: Actions = {
    "edit": Action(Right.ORGANIZATION_EDIT, (_GOING, _DUE)),
    "disable": Action(Right.ORGANIZATION_DELETE, (_GOING, _DUE, (Q(enabled=False), "It is disabled already."))),
    "enable": Action(Right.ORGANIZATION_DELETE, (_GOING, _DUE, (Q(enabled=True), "It is enabled already."))),
    "delete": Action(Right.ORGANIZATION_DELETE, (_GOING, _DUE)),
    "undo_deletion": Action(
        Right.ORGANIZATION_DELETE,
        (
            _GOING,
            (Q(deletion_due_at=None), "It is not to be deleted."),
            (Q(deletion_due_at__lte=Now()), "It has begun."),
        ),
    ),
    "create_vdc": Action(Right.VDC_CREATE, (_GOING, _DUE, _DISABLED)),
}
OWN_ACCOUNT = "It is your own account: another admin can do that."
NEEDS_THE_CURRENT = "It is your own: change it with the current one, in Settings."
USER: Actions = {
    "edit": Action(Right.USER_EDIT),
    "reset_password": Action(Right.USER_EDIT, not_own=NEEDS_THE_CURRENT),
    "disable": Action(Right.USER_EDIT, ((Q(is_active=False), "The account is disabled already."),), OWN_ACCOUNT),
    "enable": Action(Right.USER_EDIT, ((Q(is_active=True), "The account is enabled already."),)),
    "delete": Action(Right.USER_EDIT, not_own=OWN_ACCOUNT),
}
SERVICE_ACCOUNT: Actions = {
    **{name: action for name, action in USER.items() if name != "reset_password"},
    "create_token": Action(Right.USER_EDIT),
}
# One's own; those of service accounts, for whoever looks after the account.
ACCESS_TOKEN: Actions = {"delete": Action(Right.USER_EDIT, enough=Right.ACCOUNT)}
_OVER = (
    (Q(accepted_at__isnull=False), "It was accepted already."),
    (Q(withdrawn_at__isnull=False), "It was withdrawn already."),
)
INVITATION: Actions = {
    "resend": Action(Right.USER_EDIT, (*_OVER, (ROLE_GONE, "Its role is gone: withdraw it, and invite anew."))),
    "withdraw": Action(Right.USER_EDIT, _OVER),
}
ROLE_BINDING: Actions = {
    "edit": Action(
        Right.BINDING_EDIT,
        (
            (Q(by_provider__isnull=False), "A rule of an identity provider gives it and takes it away."),
            (Q(expires_at__lte=Now()), "It has ended: give the role anew."),
        ),
    ),
    "delete": Action(Right.BINDING_EDIT),
}
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
