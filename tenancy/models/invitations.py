"""People who have been asked to come."""

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone

from core.access import Scope
from core.ids import uuid7
from tenancy.models.organizations import Organization
from tenancy.models.people import User
from tenancy.models.roles import Role, RoleName


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
