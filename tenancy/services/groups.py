"""Groups of people. Whoever changes who is in one needs every right that it gives: else a group is a ladder."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from core import access, audit, rows
from core.actor import Actor
from core.errors import Conflict, Forbidden, NotFound
from core.rights import Right
from core.rows import Generations
from tenancy.access import covers
from tenancy.models import Group, Membership, Organization, RoleBinding, User
from tenancy.services import admins, bindings, reach

EDITABLE = ("display_name", "external")
MOST_MEMBERS = 1000


@transaction.atomic
def create_group(
    *, actor: Actor, organization: Organization | None, name: str, display_name: str = "", external: str = ""
) -> Group:
    """A group without anybody in it. `organization` None: of the provider's people."""
    if organization is None:
        access.require_system(actor, Right.BINDING_EDIT)
    else:
        access.require(actor, Right.ORGANIZATION_VIEW, organization)
    group = Group(organization=organization, name=name, display_name=display_name, external=external)
    _require_keeper(actor, group)
    rows.save(group, new=True)
    after = {"name": name, "display_name": display_name, "external": external}
    audit.record(actor, "group.create", group, after=after)
    return group


@transaction.atomic
def edit_group(*, actor: Actor, group: Group, changes: Mapping[str, Any], generations: Generations = None) -> Group:
    """What it is called here and outside: `external` says who comes into it, so it takes what the group gives."""
    group = _kept_group(actor, group, generations)
    wanted = {name: changes[name] for name in EDITABLE if name in changes}
    before = rows.edit(group, wanted)
    if before:
        audit.record(actor, "group.edit", group, before=before, after={name: wanted[name] for name in before})
        reach.changed_by(group)
    return group


@transaction.atomic
def delete_group(*, actor: Actor, group: Group, generations: Generations = None) -> None:
    """Its roles go with it: who had them by it only has them no more. The last admin stays."""
    with admins.kept(User.objects.filter(memberships__group=group)):
        group = _kept_group(actor, group, generations)
        members = list(group.memberships.order_by("pk").values_list("user__username", flat=True)[:MOST_MEMBERS])
        for binding in RoleBinding.objects.filter(group=group).order_by("pk"):
            bindings.drop(actor, binding)
        audit.record(actor, "group.delete", group, before={"name": group.name, "members": members})
        group.delete()


@transaction.atomic
def add_member(*, actor: Actor, group: Group, user: User) -> Membership:
    """The person has the group's roles from his next request on."""
    group = _kept_group(actor, group)
    access.require(actor, Right.USER_VIEW, user)
    for binding in RoleBinding.objects.filter(group=group).select_related("custom"):
        bindings.require_giver(actor, binding, also=user.pk)
    if group.memberships.count() >= MOST_MEMBERS:
        raise Conflict(f"A group has {MOST_MEMBERS} people at most.")
    member = Membership(group=group, user=user)
    rows.save(member, new=True)
    audit.record(actor, "group.add_member", group, after={"user": user.username})
    reach.changed_by(group)
    return member


@transaction.atomic
def remove_member(*, actor: Actor, group: Group, user: User) -> None:
    """The person has no longer what he had by the group. The last admin stays."""
    with admins.kept(User.objects.filter(pk=user.pk)):
        group = _kept_group(actor, group)
        found = Membership.objects.filter(group=group, user=user).first()
        if found is None:
            raise NotFound("This person is not in the group.")
        audit.record(actor, "group.remove_member", group, before={"user": user.username})
        found.delete()
        reach.changed_by(group)


def _kept_group(actor: Actor, group: Group, generations: Generations = None) -> Group:
    """Locked, so that no role is given to it meanwhile that the actor would have to have."""
    group = rows.lock(group, generations)
    _require_keeper(actor, group)
    return group


def _require_keeper(actor: Actor, group: Group) -> None:
    whose = f"the groups of {group.organization}" if group.organization else "the provider's groups"
    if not covers(actor, frozenset({Right.BINDING_EDIT}), group.organization_id, None):
        raise Forbidden(Right.BINDING_EDIT, whose, group.organization)
    for binding in RoleBinding.objects.filter(group_id=group.pk).select_related("custom"):
        if not bindings.may_change(actor, binding):
            raise Forbidden(Right.BINDING_EDIT, f"{group}, which has roles that you do not have")
