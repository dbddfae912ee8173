"""Which ClusterRole of deploy/rbac somebody's rights at a place come to. Pure.

Never more than the rights: a ClusterRole is somebody's only if he has every right that stands for what it gives, of all
that is in the place. Rights on his own machines, or on single ones, come to none: a namespace's role can't tell machines
apart.
"""

from collections.abc import Collection

from core.rights import Right

ORG_ADMIN, VDC_ADMIN, USER, VM_START = "ovim:org-admin", "ovim:vdc-admin", "ovim:user", "ovim:vm-start"
# A machine's screen is as good as its insides: VM_EDIT.
_VDC_ADMIN = frozenset({Right.VDC_VIEW, Right.VM_VIEW, Right.VM_POWER, Right.VM_EDIT})
_ORG_ADMIN = _VDC_ADMIN | {Right.ORGANIZATION_VIEW, Right.CATALOG_VIEW, Right.VDC_EDIT}
_USER = frozenset({Right.VDC_VIEW})


def in_organization(rights: Collection[Right]) -> list[str]:
    """In an organization's own namespace, of rights in the whole organization."""
    return [ORG_ADMIN] if frozenset(rights) >= _ORG_ADMIN else []


def in_vdc(rights: Collection[Right], own: Collection[Right], *, starts: bool) -> list[str]:
    """In a VDC's namespace. `own`: rights there on what is one's own, too. `starts`: a start overshoots no limit there."""
    held = frozenset(rights)
    if held >= _VDC_ADMIN:
        return [ORG_ADMIN if held >= _ORG_ADMIN else VDC_ADMIN, *([VM_START] if starts else [])]
    return [USER] if held | frozenset(own) >= _USER else []
