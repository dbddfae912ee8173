"""An organization's own roles. Nobody puts into a role what he has not; nobody adds to one that he has himself."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from core import access, audit, rows, tenants
from core.actor import Actor
from core.errors import Conflict, Forbidden, Invalid
from core.rights import Right
from core.rows import Generations
from tenancy.access import covers
from tenancy.models import Organization, Role, RoleBinding, RoleName
from tenancy.roles import GIVEN_TO_ROLES
from tenancy.selectors import bindings_of
from tenancy.services import reach

EDITABLE = ("display_name", "rights", "own_only")
RESERVED = frozenset(name for role in RoleName for name in (str(role), role.replace("_", "-")))
NAMED = 3  # so many of those who have it are named


@transaction.atomic
def create_role(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    rights: Collection[str],
    display_name: str = "",
    own_only: bool = False,
) -> Role:
    """A role of the organization's own, to be bound in it, in its VDCs or to its VMs."""
    access.require(actor, Right.ORGANIZATION_VIEW, organization)
    if name in RESERVED:
        raise Invalid.field("name", "reserved", f"{name} is the name of a role that is built in.")
    checked = _checked(rights)
    require_maker(actor, organization, checked)
    role = Role(organization=organization, name=name, display_name=display_name, rights=checked, own_only=own_only)
    rows.save(role, new=True)
    audit.record(actor, "role.create", role, after=told(role))
    return role


@transaction.atomic
def edit_role(*, actor: Actor, role: Role, changes: Mapping[str, Any], generations: Generations = None) -> Role:
    """Whoever has the role has other rights from his next request on. The name never changes."""
    role = rows.lock(role, generations)
    wanted = {name: changes[name] for name in EDITABLE if name in changes}
    if "rights" in wanted:
        wanted["rights"] = _checked(wanted["rights"])
    after = frozenset(wanted.get("rights", role.rights))
    require_maker(actor, role.organization, after | frozenset(role.rights))
    wider = not after <= frozenset(role.rights) or (role.own_only and wanted.get("own_only") is False)
    if wider and _has_it(actor, role):
        raise Conflict("You have this role yourself: another admin can add to it.")
    before = rows.edit(role, wanted)
    if before:
        audit.record(actor, "role.edit", role, before=before, after={name: wanted[name] for name in before})
        reach.changed_at(role.organization_id)
    return role


@transaction.atomic
def delete_role(*, actor: Actor, role: Role, generations: Generations = None) -> None:
    """Refused while anybody has it: what that would take from whom is for a person to see first."""
    role = rows.lock(role, generations)
    require_maker(actor, role.organization, frozenset(role.rights))
    bound = RoleBinding.objects.filter(custom=role)
    count = bound.count()
    if count:
        names = [_name(row) for row in bound.select_related("user", "group").order_by("pk")[:NAMED]]
        more = f" and {count - len(names)} more" if count > len(names) else ""
        raise Conflict(f"The role {role} is given to {', '.join(names)}{more}: take it away there first.")
    audit.record(actor, "role.delete", role, before=told(role))
    with (
        tenants.everything()
    ):  # a rule of the provider's own identity providers may name it, too: it then gives nothing
        role.delete()


def named(name: str, organization: Organization | None) -> RoleName | Role:
    """A built-in role, or the organization's own of this name; Invalid, naming the field, where there is none."""
    if name in set(RoleName):
        return RoleName(name)
    found = Role.objects.filter(organization=organization, name=name).first() if organization is not None else None
    if found is None:
        raise Invalid.field("role", "not_found", f"There is no role {name} here.")
    return found


def require_maker(actor: Actor, organization: Organization, rights: Collection[str]) -> None:
    """That the actor gives roles in the whole organization, and has all these rights there himself."""
    if not covers(actor, frozenset({Right.BINDING_EDIT}), organization.pk, None):
        raise Forbidden(Right.BINDING_EDIT, f"organization {organization}", organization)
    for name in sorted(rights):
        if name in GIVEN_TO_ROLES and not covers(actor, frozenset({Right(name)}), organization.pk, None):
            raise Forbidden(Right(name), f"organization {organization}: nobody puts into a role what he has not")


def _checked(rights: Collection[str]) -> list[str]:
    given = sorted(set(rights))
    if not given:
        raise Invalid.field("rights", "empty", "A role without any right is good for nothing: name some.")
    unknown = [name for name in given if name not in set(Right)]
    if unknown:
        raise Invalid.field("rights", "unknown", f"There is no right {', '.join(unknown)}.")
    kept = [name for name in given if name not in GIVEN_TO_ROLES]
    if kept:
        raise Invalid.field("rights", "not_given", f"An organization's role can't be given {', '.join(kept)}.")
    return given


def _has_it(actor: Actor, role: Role) -> bool:
    return actor.user_id is not None and any(row.custom_id == role.pk for row in bindings_of(actor.user_id))


def _name(row: RoleBinding) -> str:
    return str(row.user) if row.user is not None else f"the group {row.group}"


def told(role: Role) -> dict[str, Any]:
    """What the audit log says of it; an invitation keeps it, to be to nothing else."""
    return {
        "name": role.name,
        "display_name": role.display_name,
        "rights": role.rights,
        "own_only": role.own_only,
    }
