"""Giving and taking roles. Nobody gives or takes more than he has, nor for longer to himself; the last admin stays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from core import access, audit, rows
from core.actor import Actor, system_actor
from core.errors import Conflict, Forbidden, Invalid
from core.rights import Right
from tenancy.access import covers
from tenancy.models import Group, Organization, Role, RoleBinding, RoleName, User
from tenancy.oidc.rows import IdentityProvider
from tenancy.roles import grant_of
from tenancy.selectors import bindings_of
from tenancy.services import admins, reach

MOST_EXPIRED = 500  # tidied in one go


@transaction.atomic
def bind_role(
    *,
    actor: Actor,
    role: RoleName | Role,
    user: User | None = None,
    group: Group | None = None,
    organization: Organization | None = None,
    vdc_id: UUID | None = None,
    vm_id: UUID | None = None,
    expires_at: datetime | None = None,
    by_provider: IdentityProvider | None = None,
) -> RoleBinding:
    """Give a person or a group a role at a place: the system, an organization, one VDC of it, or one VM of that.

    `role`: a built-in one, or one of the organization's own. From `expires_at` on it has no effect. `by_provider`: a
    rule of this one gives it, and takes it away again (`tenancy.services.provider_roles`).
    """
    if isinstance(role, Role):
        role = rows.lock(role)  # what it gives is looked at now: nobody may change it meanwhile
    if group is not None:
        group = rows.lock(group)  # nor who it is given to
    if vm_id is not None:
        organization, vdc_id = _place_of_vm(actor, vm_id, organization, vdc_id)
    binding = RoleBinding(
        user=user, group=group, organization=organization, vdc_id=vdc_id, vm_id=vm_id, expires_at=expires_at
    )
    binding.by_provider = by_provider
    binding.role, binding.custom = ("", role) if isinstance(role, Role) else (role, None)
    _check_holder(binding)
    check_place(binding, role)
    _check_ahead(expires_at)
    require_giver(actor, binding)
    if user is not None:
        access.require(actor, Right.USER_VIEW, user)
    else:
        access.require(actor, Right.BINDING_VIEW, group)  # type: ignore[arg-type]  # one of the two is there
    _tidy(actor, binding)
    rows.save(binding, new=True)
    audit.record(actor, "binding.create", binding, after=told(binding))
    reach.changed_at(binding.organization_id, binding.vdc_id)
    return binding


@transaction.atomic
def bind_invited(
    *, inviter: Actor, user: User, role: RoleName | Role, organization: Organization, vdc_id: UUID | None = None
) -> RoleBinding:
    """As `bind_role`, to who accepted an invitation: the inviter need not see him, who may be from anywhere.

    An own role comes locked: what it gives has been looked at.
    """
    binding = RoleBinding(user=user, organization=organization, vdc_id=vdc_id)
    binding.role, binding.custom = ("", role) if isinstance(role, Role) else (role, None)
    check_place(binding, role)
    require_giver(inviter, binding)
    _tidy(inviter, binding)
    rows.save(binding, new=True)
    audit.record(inviter, "binding.create", binding, after=told(binding))
    reach.changed_at(binding.organization_id, binding.vdc_id)
    return binding


@transaction.atomic
def set_end(*, actor: Actor, binding: RoleBinding, expires_at: datetime | None) -> RoleBinding:
    """Let it end at another moment; None: never. On the same terms as if it were given anew, and taken away then."""
    access.require(actor, Right.BINDING_EDIT, binding)
    _check_ahead(expires_at)
    with admins.kept(holders(binding)):
        if binding.custom is not None:
            rows.lock(binding.custom)  # as in `bind_role`
        if binding.group is not None and binding.group.organization_id is not None:
            rows.lock(binding.group)
        found = rows.lock(binding)
        if found.by_provider_id is not None:
            raise Conflict("A rule of an identity provider gives it and takes it away: it has no end of its own.")
        if has_ended(found):
            raise Conflict("It has ended: give the role anew.")
        _require_covering(actor, found)
        before, found.expires_at = told(found), expires_at
        require_giver(actor, found)
        if told(found) == before:
            return found
        found.save(update_fields=["expires_at"])
        audit.record(actor, "binding.edit", found, before=_ends(before), after=_ends(told(found)))
        reach.changed_at(found.organization_id, found.vdc_id)
    return found


def has_ended(binding: RoleBinding) -> bool:
    return binding.expires_at is not None and binding.expires_at <= timezone.now()


def _check_ahead(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid.field("expires_at", "past", "This moment is past: the role would never have any effect.")


def _ends(binding: Mapping[str, Any]) -> dict[str, Any]:
    return {"expires_at": binding["expires_at"]}


@transaction.atomic
def unbind_role(*, actor: Actor, binding: RoleBinding) -> None:
    """Take a role away. It is without effect from the next request on, in clusters seconds later."""
    access.require(actor, Right.BINDING_EDIT, binding)
    _require_covering(actor, binding)
    with admins.kept(holders(binding)):
        binding = rows.lock(binding)
        drop(actor, binding)


def drop(actor: Actor, binding: RoleBinding, action: str = "binding.delete") -> None:
    """Inside the caller's transaction: gone, and audited."""
    audit.record(actor, action, binding, before=told(binding))
    binding.delete()
    reach.changed_at(binding.organization_id, binding.vdc_id)


def forget_vdc(*, actor: Actor, vdc_id: UUID) -> None:
    """Inside vdcs' transaction that drops a VDC's row: the roles bound there go with it."""
    _forget(actor, RoleBinding.objects.filter(vdc_id=vdc_id))


def forget_vm(*, actor: Actor, vm_id: UUID) -> None:
    """Inside vms' transaction that drops a VM's row: the roles bound to it go with it."""
    _forget(actor, RoleBinding.objects.filter(vm_id=vm_id))


def _forget(actor: Actor, found: QuerySet[RoleBinding]) -> None:
    for binding in found.select_for_update(of=("self",)).order_by("id"):
        drop(actor, binding)


@transaction.atomic
def expire_all() -> int:
    """Tidy away what has ended. It had no effect any more; who else is at one of these rows is left alone. How many."""
    ended = RoleBinding.objects.filter(expires_at__lte=timezone.now()).order_by("id")
    found = list(ended.select_for_update(of=("self",), skip_locked=True)[:MOST_EXPIRED])
    for binding in found:
        drop(system_actor("expiry"), binding, "binding.expire")
    return len(found)


def holders(binding: RoleBinding) -> QuerySet[User]:
    """Who has a role by this binding."""
    if binding.group_id is not None:
        return User.objects.filter(memberships__group_id=binding.group_id)
    return User.objects.filter(Q(pk=binding.user_id))


def may_give(
    actor: Actor,
    role: RoleName | Role,
    organization_id: UUID | None,
    vdc_id: UUID | None,
    vm_id: UUID | None = None,
) -> bool:
    """Whether the actor may give this role at that place, or take it away: he has all of it there, and BINDING_EDIT."""
    binding = RoleBinding(organization_id=organization_id, vdc_id=vdc_id, vm_id=vm_id)
    binding.role, binding.custom = ("", role) if isinstance(role, Role) else (role, None)
    return may_change(actor, binding)


def may_change(actor: Actor, binding: RoleBinding) -> bool:
    needed = grant_of(binding).rights | {Right.BINDING_EDIT}
    return covers(actor, needed, binding.organization_id, binding.vdc_id, binding.vm_id)


def require_giver(actor: Actor, binding: RoleBinding, *, also: UUID | None = None) -> None:
    """That the actor has all that the binding gives; where it is to himself, for at least as long. `also`: to him, too.

    A service account is as good as himself: its tokens are in his hands.
    """
    _require_covering(actor, binding)
    if actor.user_id is None:
        return
    who = holders(binding) if also is None else User.objects.filter(pk=also)
    if not who.filter(Q(pk=actor.user_id) | Q(is_service=True)).exists():
        return
    until = binding.expires_at
    held = [row for row in bindings_of(actor.user_id) if _lasts(row, until)]
    lasting = replace(actor, grants=tuple(grant_of(row) for row in held))
    if not may_change(lasting, binding):
        raise Forbidden(
            Right.BINDING_EDIT,
            "this: nobody gives himself, or an account of a program, a role for longer than he has it",
        )


def _lasts(row: RoleBinding, until: datetime | None) -> bool:
    return row.expires_at is None or (until is not None and row.expires_at >= until)


def _require_covering(actor: Actor, binding: RoleBinding) -> None:
    if not may_change(actor, binding):
        name = binding.custom.name if binding.custom else binding.role
        raise Forbidden(Right.BINDING_EDIT, f"the role {name} there: nobody gives or takes more than he has")


def _check_holder(binding: RoleBinding) -> None:
    if (binding.user is None) == (binding.group is None):
        raise Invalid.field("user", "one", "A role is given to a person or to a group: name one of the two.")
    group = binding.group
    if group is not None and group.organization_id not in (None, binding.organization_id):
        raise Invalid.field("group", "place", "A group of an organization is given roles in that organization only.")


def check_place(binding: RoleBinding, role: RoleName | Role) -> None:
    """Whether the role is one of such a place; Invalid, naming the field."""
    organization, vdc_id = binding.organization, binding.vdc_id
    if role is RoleName.SYSTEM_ADMIN:
        if organization is not None or vdc_id is not None:
            raise Invalid.field("organization", "place", "A system admin is bound to no organization and no VDC.")
        return
    if organization is None:
        label = role.name if isinstance(role, Role) else role.label
        raise Invalid.field("organization", "required", f"The role {label} is bound in an organization: name it.")
    if isinstance(role, Role) and role.organization_id != organization.pk:
        raise Invalid.field("role", "not_found", "The organization has no such role.")
    if vdc_id is None:
        return
    if role is RoleName.ORG_ADMIN:
        raise Invalid.field("vdc", "place", "An organization admin is bound to the organization, not to a VDC.")
    # The reverse of vdcs' foreign key: VDCs stand above, their model can't be imported here.
    if not organization.vdcs.filter(pk=vdc_id, deletion_requested_at__isnull=True).exists():
        raise Invalid.field("vdc", "not_found", "The organization has no such VDC.")


def _place_of_vm(
    actor: Actor, vm_id: UUID, organization: Organization | None, vdc_id: UUID | None
) -> tuple[Organization, UUID]:
    """Where the VM is. Invalid for one that the actor does not see, that is going, or that is elsewhere than he says."""
    found = _vm_seen(actor, vm_id)
    if found is None or organization not in (None, found[0]) or vdc_id not in (None, found[1]):
        raise Invalid.field("vm", "not_found", "There is no such VM that you can see.")
    return found


def home_of_vm(actor: Actor, vm_id: UUID) -> Organization | None:
    """The organization that a VM is in; None for one that the actor does not see."""
    found = _vm_seen(actor, vm_id)
    return None if found is None else found[0]


def _vm_seen(actor: Actor, vm_id: UUID) -> tuple[Organization, UUID] | None:
    # The reverse of vdcs' and vms' foreign keys, which stand above.
    there = {"vdcs__vms": vm_id, "vdcs__vms__deletion_requested_at": None}
    found = Organization.objects.filter(**there).values_list("pk", "vdcs__pk").first()
    if found is None or not covers(actor, frozenset({Right.VM_VIEW}), *found, vm_id):
        return None
    return Organization.objects.get(pk=found[0]), found[1]


def _tidy(actor: Actor, binding: RoleBinding) -> None:
    """One like it that has ended, and was not tidied away yet, must not stand in the way."""
    same = {
        name: getattr(binding, name)
        for name in ("user_id", "group_id", "role", "custom_id", "organization_id", "vdc_id", "vm_id")
    }
    for ended in RoleBinding.objects.filter(**same, expires_at__lte=timezone.now()):
        drop(actor, ended, "binding.expire")


def told(binding: RoleBinding) -> dict[str, Any]:
    """What the audit log says of it."""
    ids = ("user", "group", "organization", "vdc", "vm")
    found = {name: str(pk) if (pk := getattr(binding, f"{name}_id")) else None for name in ids}
    role = binding.custom.name if binding.custom else binding.role
    ends = binding.expires_at.isoformat() if binding.expires_at else None
    by = {"by_provider": str(binding.by_provider_id)} if binding.by_provider_id else {}
    return found | {"role": role, "expires_at": ends} | by
