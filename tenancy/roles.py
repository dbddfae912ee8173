"""Which role has which rights: the whole permission model on one screen. `tenancy.access` says on which rows."""

from collections.abc import Mapping

from core.rights import Right
from tenancy.models import RoleName

VM_ALL = frozenset({Right.VM_VIEW, Right.VM_CREATE, Right.VM_EDIT, Right.VM_POWER, Right.VM_DELETE})
LOOK_AROUND = frozenset({Right.ORGANIZATION_VIEW, Right.VDC_VIEW, Right.CATALOG_VIEW, Right.IMAGE_USE})

GRANTS: Mapping[RoleName, frozenset[Right]] = {
    RoleName.SYSTEM_ADMIN: frozenset(Right),
    RoleName.ORG_ADMIN: frozenset(
        {
            Right.AUDIT_VIEW,
            Right.BINDING_EDIT,
            Right.BINDING_VIEW,
            Right.CATALOG_EDIT,
            Right.ORGANIZATION_EDIT,
            Right.USER_EDIT,
            Right.USER_VIEW,
            Right.VDC_CREATE,
            Right.VDC_DELETE,
            Right.VDC_EDIT,
            Right.VM_ADOPT,
            Right.VM_ORDER,
            *LOOK_AROUND,
            *VM_ALL,
        }
    ),
    # No VDC_EDIT: whoever lives within a limit does not set it.
    RoleName.VDC_ADMIN: frozenset({Right.BINDING_VIEW, Right.VM_ORDER, *LOOK_AROUND, *VM_ALL}),
    # Of what has an owner, only what is his: OWN_ONLY. No VM_ORDER: a volume that is let go of leaves the quota.
    RoleName.USER: frozenset({*LOOK_AROUND, *VM_ALL}),
}
# What an access token can be given: everything but one's own account.
GIVEN_TO_TOKENS = frozenset(Right) - {Right.SELF, Right.ACCOUNT, Right.ADMIN_OPEN}
# What there is to do within one VDC: an access token for some VDCs has nothing else.
WITHIN_A_VDC = GRANTS[RoleName.VDC_ADMIN] | {Right.VDC_EDIT, Right.VM_ADOPT}
OWN_ONLY = frozenset({RoleName.USER})
