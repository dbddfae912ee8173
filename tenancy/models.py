"""Organizations, people, their sessions and what they may do where."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from core.sealed import SealedField
from tenancy.device_rows import DeviceSignIn  # noqa: F401  # where Django looks for models
from tenancy.oidc.rows import IdentityProvider

username = RegexValidator(
    r"^[a-z0-9]([a-z0-9._@+-]{0,148}[a-z0-9])?\Z",
    "Use 1 to 150 lower-case letters, digits and . _ @ + -, starting and ending with a letter or digit.",
    code="username",
)


class Organization(models.Model):
    """A tenant. Its objects are written per cluster, by its placements; `generation` is its intent and ETag."""

    scope = Scope(organization="id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    description = models.CharField(max_length=1000, blank=True)
    enabled = models.BooleanField(default=True)
    # Its people need a second factor: until one has it, no role of his has any effect.
    second_factor_required = models.BooleanField(default=False, db_default=False)
    technical_contact_name = models.CharField(max_length=255, blank=True, db_default="", default="")
    technical_contact_email = models.EmailField(blank=True, db_default="", default="")
    billing_contact_name = models.CharField(max_length=255, blank=True, db_default="", default="")
    billing_contact_email = models.EmailField(blank=True, db_default="", default="")
    # `#rrggbb`, each readable on the surfaces of its theme (`tenancy.branding`); empty: the portal's own.
    accent_light = models.CharField(max_length=7, blank=True, db_default="", default="")
    accent_dark = models.CharField(max_length=7, blank=True, db_default="", default="")
    generation = models.BigIntegerField(default=1)
    # With all that is in it, then; until then it is disabled, and that can be undone (`tenancy.services.lifecycle`).
    deletion_due_at = models.DateTimeField(null=True, blank=True)
    enabled_before_deletion = models.BooleanField(default=True, db_default=True)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "organization"

    def __str__(self) -> str:
        return self.name


class OrganizationLogo(models.Model):
    """An organization's picture, as its bytes were found to be (`tenancy.branding`). Everybody may see it."""

    scope = Scope(organization="organization_id")

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, primary_key=True, related_name="logo")
    media_type = models.CharField(max_length=20)
    data = models.BinaryField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the bytes, in hex")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "logo"

    def __str__(self) -> str:
        return f"{self.organization_id}"


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username=username)


class User(AbstractBaseUser):
    """A person. Rights come from role bindings alone; `is_superuser` does not exist."""

    scope = Scope(organization="organization_id", owner="id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Whose admins look after the account. Roles may lie elsewhere too; null: the provider's people.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="users"
    )
    username = models.CharField(max_length=150, unique=True, validators=[username])
    email = models.EmailField(blank=True)
    full_name = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True)
    # A service account: no person, never signs in, acts through its access tokens alone.
    is_service = models.BooleanField(default=False, db_default=False, editable=False)
    # Somebody else knows the password: until the person has set another one, no role has any effect.
    must_change_password = models.BooleanField(default=False, db_default=False)
    generation = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        verbose_name = "user"
        indexes = [models.Index(OpClass(Lower("email"), "varchar_pattern_ops"), name="user_by_email")]

    def __str__(self) -> str:
        return self.username


class Session(models.Model):
    """One sign-in, of a browser or an API client. Looked up on each request: revoking it ends access at once."""

    scope = Scope(owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    refresh_id = models.UUIDField(default=uuid7, help_text="jti of the refresh token that is good now")
    address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=255, blank=True)
    seen_at = models.DateTimeField(db_default=Now(), editable=False, help_text="last use, to a minute")
    idle_after = models.DurationField(null=True, blank=True, help_text="unused for so long, it ends; null: never so")
    # Whose view it has for a while, instead of its own person's: to look only (`tenancy.services.previews`).
    preview_of = models.UUIDField(null=True, blank=True)
    preview_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "session"
        indexes = [
            models.Index(fields=["user", "id"], name="session_by_user"),
            models.Index(
                fields=["preview_until"], name="session_previewing", condition=models.Q(preview_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


class SecondFactor(models.Model):
    """Somebody's authenticator app (TOTP, RFC 6238). Without `confirmed_at` it was begun only, and asks for nothing."""

    scope = Scope(organization="user__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    secret = SealedField("second-factor", help_text="sealed")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    # The time step of the last code that was taken: neither it nor an earlier one is taken again.
    last_step = models.BigIntegerField(default=0)
    recovery = ArrayField(models.CharField(max_length=64), default=list, help_text="SHA-256 of each code that is left")

    class Meta:
        verbose_name = "second factor"

    def __str__(self) -> str:
        return f"{self.user_id}"


class AccessToken(models.Model):
    """A long-lived secret for programs: it acts as its user, within the rights and VDCs it was made for."""

    scope = Scope(organization="user__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=63, validators=[dns_label])
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the secret, in hex")
    rights = ArrayField(models.CharField(max_length=40), null=True, blank=True, help_text="null: all that the user has")
    # [[organization, VDC], …] by id (VDCs stand above; which organization is theirs never changes). Null: everywhere.
    places = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_address = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = "access token"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                name="access_token_name_of_user",
                violation_error_message="There is an access token of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PasswordReset(models.Model):
    """That somebody asked for a new password by mail; once a worker has found out whose, a link good for once.

    Without a user nobody has looked yet: the request itself does the same whether or not there is such an account.
    """

    scope = Scope(organization="user__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    asked_for = models.CharField(max_length=254, help_text="user name or e-mail address, as given")
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="password_resets")
    digest = models.CharField(max_length=64, unique=True, null=True, help_text="SHA-256 of the link's secret, in hex")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "password reset"
        indexes = [
            models.Index(fields=["id"], name="reset_not_looked_at", condition=models.Q(user__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class SigningKey(models.Model):
    """A key that access tokens are signed with, or were. The newest one signs; all that have not ended verify."""

    scope = Scope()

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kid = models.CharField(max_length=43, unique=True, editable=False, help_text="its RFC 7638 thumbprint")
    # Empty: the key is the one in OVIM_JWT_KEY, which is not kept here.
    private = SealedField("signing-key", default=b"")
    public = models.TextField(help_text="PEM")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="from then on nothing it signed is good")

    class Meta:
        verbose_name = "signing key"

    def __str__(self) -> str:
        return self.kid


class FailedSignIns(models.Model):
    """Failed attempts to sign in, counted per account and per address since the window began."""

    key = models.CharField(max_length=255, primary_key=True)
    failures = models.IntegerField(default=0)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = verbose_name_plural = "failed sign-ins"

    def __str__(self) -> str:
        return f"{self.key}: {self.failures}"


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


class Invitation(models.Model):
    """An e-mail address asked to join an organization with a role there; whoever has its link accepts, once.

    The role is one that the inviter may give, now and still when it is accepted.
    """

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=RoleName.choices, blank=True, help_text="empty: see `as_sent`")
    # One of the organization's own, and what it gave when the link was sent: only that is accepted. Null: it is gone.
    custom = models.ForeignKey(Role, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    as_sent = models.JSONField(null=True, blank=True)
    vdc_id = models.UUIDField(null=True, blank=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    inviter_name = models.CharField(max_length=150)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the link's secret")
    mail_id = models.UUIDField(null=True, blank=True, help_text="the last mail with the link")
    generation = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = "invitation"
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                "role",
                "custom",
                "vdc_id",
                nulls_distinct=False,
                # Two whose roles are gone are not the same: nobody can accept either.
                condition=models.Q(withdrawn_at__isnull=True, accepted_at__isnull=True)
                & (~models.Q(role="") | models.Q(custom__isnull=False)),
                name="invited_once",
                violation_error_message="This address is invited to this role already: send that invitation again.",
            ),
            models.CheckConstraint(
                name="invited_to_one",
                condition=models.Q(role="", as_sent__isnull=False)
                | ~models.Q(role="") & models.Q(custom__isnull=True, as_sent__isnull=True),
                violation_error_message="An invitation is to a built-in role, or to one of the organization.",
            ),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="invitation_by_organization")]

    def __str__(self) -> str:
        return self.email

    @property
    def role_name(self) -> str:
        return str(self.as_sent["name"]) if self.as_sent else self.role

    @property
    def role_label(self) -> str:
        """The role as people call it, in a sentence."""
        if self.as_sent:
            return str(self.as_sent["display_name"] or self.as_sent["name"])
        return str(RoleName(self.role).label.lower())

    @property
    def state(self) -> str:
        if self.accepted_at is not None:
            return "accepted"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "expired" if self.expires_at <= timezone.now() else "open"
