"""Giving and taking roles. Nobody gives or takes more than he has; the last admin of anything stays."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from core import access, audit, rows
from core.actor import Actor
from core.errors import Conflict, Forbidden, Invalid
from core.rights import Right
from tenancy.access import covers
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.roles import GRANTS

ADMINS = frozenset({RoleName.SYSTEM_ADMIN, RoleName.ORG_ADMIN})
_ADMINS_LOCK = 0x0_A0_71_5  # any constant: an advisory lock's name


@transaction.atomic
def bind_role(
    *, actor: Actor, user: User, role: RoleName, organization: Organization | None = None, vdc_id: UUID | None = None
) -> RoleBinding:
    """Give a person a role at a place: the system, an organization, or one VDC of it."""
    binding = RoleBinding(user=user, role=role, organization=organization, vdc_id=vdc_id)
    _check_place(role, organization, vdc_id)
    _require_covering(actor, binding)
    access.require(actor, Right.USER_VIEW, user)
    rows.save(binding, new=True)
    audit.record(actor, "binding.create", binding, after=_told(binding))
    return binding


@transaction.atomic
def unbind_role(*, actor: Actor, binding: RoleBinding) -> None:
    """Take a role away. It is without effect from the person's next request on."""
    access.require(actor, Right.BINDING_EDIT, binding)
    _require_covering(actor, binding)
    binding = rows.lock(binding)
    require_others_like([binding])
    audit.record(actor, "binding.delete", binding, before=_told(binding))
    binding.delete()


def forget_vdc(*, actor: Actor, vdc_id: UUID) -> None:
    """Inside vdcs' transaction that drops a VDC's row: the roles bound there go with it."""
    for binding in RoleBinding.objects.select_for_update(of=("self",)).filter(vdc_id=vdc_id).order_by("id"):
        audit.record(actor, "binding.delete", binding, before=_told(binding))
        binding.delete()


def require_others_like(bindings: Sequence[RoleBinding]) -> None:
    """Refuse unless, for each admin role here, another person who can sign in has it at the same place.

    One lock for all such decisions: two admins removing each other at the same moment would both find the other.
    """
    admin = [binding for binding in bindings if binding.role in ADMINS]
    if not admin:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADMINS_LOCK])
    for binding in admin:
        others = RoleBinding.objects.filter(
            role=binding.role, organization=binding.organization, user__is_active=True, user__is_service=False
        ).exclude(user_id=binding.user_id)
        if not others.exists():
            where = f"of {binding.organization}" if binding.organization else "of OVIM"
            raise Conflict(f"This is the last {RoleName(binding.role).label.lower()} {where}: name another one first.")


def _check_place(role: RoleName, organization: Organization | None, vdc_id: UUID | None) -> None:
    if role is RoleName.SYSTEM_ADMIN:
        if organization is not None or vdc_id is not None:
            raise Invalid.field("organization", "place", "A system admin is bound to no organization and no VDC.")
        return
    if organization is None:
        raise Invalid.field("organization", "required", f"The role {role.label} is bound in an organization: name it.")
    if vdc_id is None:
        return
    if role is RoleName.ORG_ADMIN:
        raise Invalid.field("vdc", "place", "An organization admin is bound to the organization, not to a VDC.")
    # The reverse of vdcs' foreign key: VDCs stand above, their model can't be imported here.
    if not organization.vdcs.filter(pk=vdc_id, deletion_requested_at__isnull=True).exists():
        raise Invalid.field("vdc", "not_found", "The organization has no such VDC.")


def may_give(actor: Actor, role: RoleName, organization_id: UUID | None, vdc_id: UUID | None) -> bool:
    """Whether the actor may give this role at that place, or take it away: he has all of it there, and BINDING_EDIT."""
    return covers(actor, GRANTS[role] | {Right.BINDING_EDIT}, organization_id, vdc_id)


def _require_covering(actor: Actor, binding: RoleBinding) -> None:
    if not may_give(actor, RoleName(binding.role), binding.organization_id, binding.vdc_id):
        raise Forbidden(Right.BINDING_EDIT, f"the role {binding.role} there: nobody gives or takes more than he has")


def _told(binding: RoleBinding) -> dict[str, str | None]:
    return {
        "user": str(binding.user_id),
        "role": binding.role,
        "organization": str(binding.organization_id) if binding.organization_id else None,
        "vdc": str(binding.vdc_id) if binding.vdc_id else None,
    }
