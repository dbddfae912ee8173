"""Organizations and how they look."""

from django.db import models
from django.db.models.functions import Now

from core.access import Scope
from core.ids import uuid7
from core.names import dns_label


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
