"""Which role has which rights: the whole permission model on one screen. `tenancy.access` says on which rows."""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from core.actor import Grant, Level
from core.rights import Right
from tenancy.models import RoleBinding, RoleName

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
            Right.IDENTITY_PROVIDER_EDIT,
            Right.IDENTITY_PROVIDER_VIEW,
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
# What an organization's own roles can be made of: what its admin has. The rest is the provider's, or everybody's own.
# Not what takes all of it: whoever edits an identity provider lets in whom he likes.
GIVEN_TO_ROLES = GRANTS[RoleName.ORG_ADMIN] - {Right.IDENTITY_PROVIDER_EDIT}
# What is left of a role that is bound at one VDC or one VM: what there is to do there, and what is needed to find it.
IN_A_VDC = WITHIN_A_VDC | {Right.VDC_DELETE, Right.BINDING_EDIT}
IN_A_VM = (VM_ALL - {Right.VM_CREATE}) | {Right.VM_ORDER, Right.VDC_VIEW, Right.ORGANIZATION_VIEW}


@lru_cache(maxsize=4096)
def granted(
    role: str,
    place: tuple[str | None, str | None, str | None],
    rights: tuple[str, ...] | None = None,
    own_only: bool = False,
) -> Grant:
    """What a binding gives at (organization, VDC, VM). `rights`, `own_only`: of an organization's own role.

    Bindings are few and asked for all the time. What the answer follows from is all in the question, so that it can be
    kept: an edited role is another question.
    """
    if rights is None:
        held, own_only = GRANTS[RoleName(role)], role in OWN_ONLY
    else:
        held = frozenset(right for right in GIVEN_TO_ROLES if right in rights)
    organization, vdc, vm = (UUID(pk) if pk else None for pk in place)
    level = Level.SYSTEM
    if vm is not None:  # who was given a VM needs not own it
        level, held, own_only = Level.VM, held & IN_A_VM, False
    elif vdc is not None:
        level, held = Level.VDC, held & IN_A_VDC
    elif organization is not None:
        level = Level.ORGANIZATION
    return Grant(held, level, organization, vdc, vm, own_only)


def grant_of(binding: RoleBinding) -> Grant:
    """The same of a row, expired or not. Of those to an organization's own role, bring `custom` along."""
    ids = (binding.organization_id, binding.vdc_id, binding.vm_id)
    organization, vdc, vm = (str(pk) if pk else None for pk in ids)
    custom = binding.custom
    if custom is None:
        return granted(binding.role, (organization, vdc, vm))
    return granted("", (organization, vdc, vm), tuple(custom.rights), custom.own_only)


def role_label(binding: RoleBinding) -> str:
    """The role as people call it."""
    if binding.custom is None:
        return str(RoleName(binding.role).label)
    return binding.custom.display_name or binding.custom.name
