"""What stands between a sign-in and its end, and what signs for it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from core.sealed import SealedField
from tenancy.models.people import User


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
