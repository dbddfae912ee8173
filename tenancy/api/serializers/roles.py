"""Roles, groups and who may do what why, in and out."""

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from rest_framework import serializers

from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.names import dns_label
from core.rights import Right
from tenancy.actions import (
    GROUP,
    MEMBERSHIP,
    ROLE,
    ROLE_BINDING,
)
from tenancy.models import Organization


class RoleBindingIn(Shape):
    user = Id(allow_null=True, default=None, help_text="who gets the role; or else `group`")
    group = Id(allow_null=True, default=None)
    role = Text(max_length=63, help_text="system_admin, org_admin, vdc_admin, user, or one of the organization's own")
    organization = Id(allow_null=True, default=None)
    vdc = Id(allow_null=True, default=None, help_text="null: the whole organization")
    vm = Id(allow_null=True, default=None, help_text="that VM alone; where it is needs not be said")
    expires_at = Moment(allow_null=True, default=None, help_text="from then on without effect; null: no end")


class RoleBindingEdit(Shape):
    expires_at = Moment(allow_null=True, required=False, help_text="from then on without effect; null: no end")


class RoleBindingOut(Shape):
    # The reverse of vdcs' and vms' foreign keys: they stand above, their models can't be imported here.
    sql = {
        "role": Coalesce(F("custom__name"), F("role")),
        "vdc_name": Subquery(Organization.objects.filter(vdcs=OuterRef("vdc_id")).values("vdcs__name")[:1]),
        "vm_name": Subquery(Organization.objects.filter(vdcs__vms=OuterRef("vm_id")).values("vdcs__vms__name")[:1]),
    }
    id = Id()
    user = Id(source="user_id", allow_null=True)
    username = Text(source="user.username", allow_null=True)
    group = Id(source="group_id", allow_null=True)
    group_name = Text(source="group.name", allow_null=True)
    role = Text()
    custom_role = Id(source="custom_id", allow_null=True, help_text="null: the role is a built-in one")
    organization = Id(source="organization_id", allow_null=True)
    organization_name = Text(source="organization.name", allow_null=True)
    vdc = Id(source="vdc_id", allow_null=True)
    vdc_name = Text(allow_null=True)
    vm = Id(source="vm_id", allow_null=True)
    vm_name = Text(allow_null=True)
    expires_at = Moment(allow_null=True)
    by_provider = Id(
        source="by_provider_id", allow_null=True, help_text="made by a rule of this identity provider; null: by hand"
    )
    created_at = Moment()
    allowed_actions = AllowedActions(ROLE_BINDING, Right.BINDING_VIEW)


class RoleIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="never changes; not that of a built-in role")
    organization = Id()
    display_name = Text(max_length=255, allow_blank=True, default="")
    rights = serializers.ListField(child=Text(max_length=40), max_length=100, help_text="those that you have there")
    own_only = Flag(default=False, help_text="of what has an owner, only what is the person's own")


class RoleEdit(Shape):
    display_name = Text(max_length=255, allow_blank=True, required=False)
    rights = serializers.ListField(child=Text(max_length=40), max_length=100, required=False)
    own_only = Flag(required=False)


class RoleOut(Shape):
    id = Id()
    name = Text()
    organization = Id(source="organization_id")
    organization_name = Text(source="organization.name")
    display_name = Text()
    rights = serializers.ListField(child=Text())
    own_only = Flag()
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(ROLE, Right.BINDING_VIEW)


class GroupIn(Shape):
    name = Text(max_length=63, validators=[dns_label], help_text="never changes")
    organization = Id(allow_null=True, default=None, help_text="null: of the provider's people")
    display_name = Text(max_length=255, allow_blank=True, default="")
    external = Text(max_length=255, allow_blank=True, default="", help_text="what an identity provider calls it")


class GroupEdit(Shape):
    display_name = Text(max_length=255, allow_blank=True, required=False)
    external = Text(max_length=255, allow_blank=True, required=False)


class GroupOut(Shape):
    id = Id()
    name = Text()
    organization = Id(source="organization_id", allow_null=True)
    organization_name = Text(source="organization.name", allow_null=True)
    display_name = Text()
    external = Text()
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(GROUP, Right.BINDING_VIEW)


class MembershipIn(Shape):
    group = Id()
    user = Id()


class MembershipOut(Shape):
    id = Id()
    group = Id(source="group_id")
    group_name = Text(source="group.name")
    user = Id(source="user_id")
    username = Text(source="user.username")
    created_at = Moment()
    allowed_actions = AllowedActions(MEMBERSHIP, Right.BINDING_VIEW)


class ViaOut(Shape):
    """A role that gives it."""

    binding = Id()
    role = Text()
    role_name = Text(help_text="as people call it")
    group = Text(allow_null=True, help_text="by which group; null: given to the person himself")
    level = Text(help_text="system, organization, vdc or vm")
    organization = Id(allow_null=True)
    vdc = Id(allow_null=True)
    vm = Id(allow_null=True)
    own_only = Flag()
    expires_at = Moment(allow_null=True)


class GrantorsOut(Shape):
    people = serializers.ListField(child=Text(), help_text="user names, as far as you may see them")
    roles = serializers.ListField(child=Text(), help_text="what those are who could")


class ExplainOut(Shape):
    allowed = Flag()
    action = Text()
    right = Text()
    object = Text()
    object_name = Text()
    user = Id()
    username = Text()
    reason = Text(allow_null=True, help_text="why not")
    via = ViaOut(many=True)
    hidden = Whole(help_text="so many more roles give it that you may not see")
    who_could_grant = GrantorsOut()


class PreviewIn(Shape):
    user = Id(help_text="whose view")


class PreviewOut(Shape):
    user = Id()
    username = Text()
    until = Moment()
