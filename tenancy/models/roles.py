"""Who may do what where."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from tenancy.models.organizations import Organization
from tenancy.models.people import User
from tenancy.oidc.rows import IdentityProvider


class RoleName(models.TextChoices):
    SYSTEM_ADMIN = "system_admin", "System admin"
    ORG_ADMIN = "org_admin", "Organization admin"
    VDC_ADMIN = "vdc_admin", "VDC admin"
    USER = "user", "User"


class Role(models.Model):
    """An organization's own set of rights, beside the built-in four of `RoleName` (`tenancy.roles`)."""

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="roles")
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255, blank=True)
    rights = ArrayField(models.CharField(max_length=40), help_text="by name: core.rights")
    own_only = models.BooleanField(default=False, help_text="of what has an owner, only what is the person's own")
    generation = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "role"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="role_name_in_organization",
                violation_error_message="The organization has a role of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Group(models.Model):
    """Some people, who can be given roles together. Of an organization; null: of the provider's people."""

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="groups"
    )
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255, blank=True)
    # What an identity provider calls it: its rules may then say who is in it.
    external = models.CharField(max_length=255, blank=True)
    generation = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "group"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                nulls_distinct=False,
                name="group_name_in_organization",
                violation_error_message="The organization has a group of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That somebody is in a group."""

    scope = Scope(organization="group__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "membership"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "group"],
                name="in_a_group_once",
                violation_error_message="The person is in this group already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"


_AT_SYSTEM = models.Q(organization__isnull=True, vdc_id__isnull=True, vm_id__isnull=True)


_AT_ORGANIZATION = models.Q(organization__isnull=False, vdc_id__isnull=True, vm_id__isnull=True)


_BELOW = models.Q(organization__isnull=False) & (models.Q(vm_id__isnull=True) | models.Q(vdc_id__isnull=False))


class RoleBinding(models.Model):
    """A role given to a person or a group at one place: the system, an organization, a VDC or a VM.

    VDCs and VMs by id, as they stand above; a VM's binding names its VDC, too. Once `expires_at` is past it has no
    effect, whether or not it has been tidied away.
    """

    scope = Scope(organization="organization_id", vdc="vdc_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings")
    role = models.CharField(max_length=16, choices=RoleName.choices, blank=True, help_text="empty: see `custom`")
    custom = models.ForeignKey(Role, on_delete=models.RESTRICT, null=True, blank=True, related_name="bindings")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings"
    )
    vdc_id = models.UUIDField(null=True, blank=True)
    vm_id = models.UUIDField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # By a group rule of this provider: made and taken away with what the provider says. Null: by hand.
    by_provider = models.ForeignKey(
        IdentityProvider, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "role binding"
        constraints = [
            models.CheckConstraint(
                name="role_binding_place",
                condition=models.Q(role=RoleName.SYSTEM_ADMIN) & _AT_SYSTEM
                | models.Q(role=RoleName.ORG_ADMIN) & _AT_ORGANIZATION
                | models.Q(role__in=[RoleName.VDC_ADMIN, RoleName.USER, ""]) & _BELOW,
                violation_error_message="A system admin is bound to no place, an organization admin to an "
                "organization, any other role to an organization, a VDC of it, or a VM of that.",
            ),
            models.CheckConstraint(
                name="role_binding_of_one",
                condition=models.Q(user__isnull=False, group__isnull=True)
                | models.Q(user__isnull=True, group__isnull=False),
                violation_error_message="A role is bound to a person or to a group.",
            ),
            models.CheckConstraint(
                name="role_binding_to_one",
                condition=models.Q(role="", custom__isnull=False) | ~models.Q(role="") & models.Q(custom__isnull=True),
                violation_error_message="A built-in role is bound, or one of the organization.",
            ),
            models.UniqueConstraint(
                fields=["user", "group", "role", "custom", "organization", "vdc_id", "vm_id"],
                nulls_distinct=False,
                name="role_bound_once",
                violation_error_message="This role is bound there already.",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "vdc_id"], name="binding_by_place"),
            models.Index(fields=["expires_at"], name="binding_by_end", condition=models.Q(expires_at__isnull=False)),
            models.Index(fields=["vm_id"], name="binding_by_vm", condition=models.Q(vm_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id or self.group_id} {self.role or self.custom_id}"
