"""The row of a sign-in that a command asks for. Imported by `tenancy.models`, so it names its models by their labels."""

from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7


class DeviceSignIn(models.Model):
    """A command asks to be signed in, and somebody is to confirm it in a browser (RFC 8628, `services.device_sign_ins`).

    Until that is done nobody knows whose it is. Both codes are kept as digests: the command's, and the short one.
    """

    scope = Scope(organization="user__organization_id", owner="user_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    device_digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text="SHA-256 of what it polls with"
    )
    user_digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text="keyed digest of the short code"
    )
    host = models.CharField(max_length=64, help_text="the machine, as the command calls it")
    user_agent = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    pause = models.PositiveSmallIntegerField(default=5, help_text="seconds that it has to leave between two questions")
    asked_at = models.DateTimeField(null=True, blank=True)
    user = models.ForeignKey("tenancy.User", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    # The browser's session in which it was confirmed: it must live until the command has its own.
    confirmed_in = models.ForeignKey(
        "tenancy.Session", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    denied_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "sign-in of a device"
        verbose_name_plural = "sign-ins of devices"
        indexes = [models.Index(fields=["expires_at"], name="device_sign_in_by_end")]

    def __str__(self) -> str:
        return f"ovim on {self.host}"
