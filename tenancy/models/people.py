"""People and programs, and what they sign in with."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now

from core.access import Scope
from core.ids import uuid7
from core.sealed import SealedField
from tenancy.models.organizations import Organization

username = RegexValidator(
    r"^[a-z0-9]([a-z0-9._@+-]{0,148}[a-z0-9])?\Z",
    "Use 1 to 150 lower-case letters, digits and . _ @ + -, starting and ending with a letter or digit.",
    code="username",
)


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
