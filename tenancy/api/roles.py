"""Who may do what where: roles, groups, and what is bound. Shape in, service, shape out."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.base import ApiViewSet
from core.rights import Right
from tenancy.api.serializers import roles as role_shapes
from tenancy.models import Group, Membership, Organization, Role, RoleBinding, User
from tenancy.services import bindings, groups, roles


class RoleViewSet(ApiViewSet):
    """The organizations' own roles. Those that are built in are in nobody's list: they never change."""

    queryset = Role.objects.all()
    read_right = Right.BINDING_VIEW
    rights = {
        "list": Right.BINDING_VIEW,
        "retrieve": Right.BINDING_VIEW,
        "create": Right.BINDING_EDIT,
        "partial_update": Right.BINDING_EDIT,
        "destroy": Right.BINDING_EDIT,
    }
    shapes = {"create": role_shapes.RoleIn, "partial_update": role_shapes.RoleEdit}
    out = role_shapes.RoleOut
    filters = {"name": "name", "organization": "organization_id"}
    search = ("name", "display_name")

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        return self.created(roles.create_role(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Whoever has the role has other rights from his next request on."""
        role = roles.edit_role(actor=self.actor, role=self.row(pk), changes=self.body(), generations=self.generations())
        return self.answer(role)

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Refused while it is given to anybody."""
        roles.delete_role(actor=self.actor, role=self.row(pk), generations=self.generations())
        return Response(status=204)


class GroupViewSet(ApiViewSet):
    queryset = Group.objects.all()
    read_right = Right.BINDING_VIEW
    rights = RoleViewSet.rights
    shapes = {"create": role_shapes.GroupIn, "partial_update": role_shapes.GroupEdit}
    out = role_shapes.GroupOut
    filters = {"name": "name", "organization": "organization_id", "external": "external"}
    search = ("name", "display_name")

    def create(self, request: Request) -> Response:
        body = self.body()
        body["organization"] = self.related(
            "organization", Organization.objects.all(), body["organization"], Right.ORGANIZATION_VIEW
        )
        return self.created(groups.create_group(actor=self.actor, **body))

    def partial_update(self, request: Request, pk: UUID) -> Response:
        group = self.row(pk)
        changes = self.body()
        return self.answer(
            groups.edit_group(actor=self.actor, group=group, changes=changes, generations=self.generations())
        )

    def destroy(self, request: Request, pk: UUID) -> Response:
        """Its roles go with it: who had them by it only has them no more."""
        groups.delete_group(actor=self.actor, group=self.row(pk), generations=self.generations())
        return Response(status=204)


class MembershipViewSet(ApiViewSet):
    """Who is in which group."""

    queryset = Membership.objects.all()
    read_right = Right.BINDING_VIEW
    rights = {"list": Right.BINDING_VIEW, "create": Right.BINDING_EDIT, "destroy": Right.BINDING_EDIT}
    shapes = {"create": role_shapes.MembershipIn}
    out = role_shapes.MembershipOut
    versioned = False
    filters = {"group": "group_id", "user": "user_id"}

    def create(self, request: Request) -> Response:
        body = self.body()
        member = groups.add_member(
            actor=self.actor,
            group=self.related("group", Group.objects.all(), body["group"], Right.BINDING_VIEW),
            user=self.related("user", User.objects.all(), body["user"], Right.USER_VIEW),
        )
        return self.created(member)

    def destroy(self, request: Request, pk: UUID) -> Response:
        member: Membership = self.row(pk)
        groups.remove_member(actor=self.actor, group=member.group, user=member.user)
        return Response(status=204)


class RoleBindingViewSet(ApiViewSet):
    queryset = RoleBinding.objects.all()
    read_right = Right.BINDING_VIEW
    rights = {**MembershipViewSet.rights, "partial_update": Right.BINDING_EDIT}
    shapes = {"create": role_shapes.RoleBindingIn, "partial_update": role_shapes.RoleBindingEdit}
    out = role_shapes.RoleBindingOut
    versioned = False
    filters = {
        "user": "user_id",
        "group": "group_id",
        "role": "role",
        "custom_role": "custom_id",
        "organization": "organization_id",
        "vdc": "vdc_id",
        "vm": "vm_id",
    }

    def create(self, request: Request) -> Response:
        body = self.body()
        organization = self._related("organization", Organization.objects.all(), body, Right.ORGANIZATION_VIEW)
        if organization is None and body["vm"] is not None:  # where the VM is, its own role may be named, too
            organization = self._of_vm(body["vm"])
        binding = bindings.bind_role(
            actor=self.actor,
            user=self._related("user", User.objects.all(), body, Right.USER_VIEW),
            group=self._related("group", Group.objects.all(), body, Right.BINDING_VIEW),
            role=roles.named(body["role"], organization),
            organization=organization,
            vdc_id=body["vdc"],
            vm_id=body["vm"],
            expires_at=body["expires_at"],
        )
        return self.created(binding)

    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Another end, or none. The last admin's has none."""
        binding, changes = self.row(pk), self.body()
        if "expires_at" in changes:
            binding = bindings.set_end(actor=self.actor, binding=binding, **changes)
        return self.answer(binding)

    def destroy(self, request: Request, pk: UUID) -> Response:
        bindings.unbind_role(actor=self.actor, binding=self.row(pk))
        return Response(status=204)

    def _related(self, field: str, rows: QuerySet[Any], body: dict[str, Any], right: Right) -> Any:
        return self.related(field, rows, body[field], right)

    def _of_vm(self, pk: UUID) -> Organization | None:
        seen: Organization | None = bindings.home_of_vm(self.actor, pk)
        return seen
