"""Catalogs, what is in them, and the images that items start from."""

from django.db import models
from django.db.models.functions import Now

from catalogs.magic import Verdict
from core.access import Scope
from core.ids import uuid7
from core.names import dns_label
from tenancy.models import Organization


class SourceType(models.TextChoices):
    LOCAL = "local"


class Catalog(models.Model):
    """A collection of items from one source. Without an organization it is the provider's, seen by all."""

    scope = Scope(organization="organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="catalogs"
    )
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    description = models.CharField(max_length=1000, blank=True)
    source_type = models.CharField(max_length=16, choices=SourceType.choices, default=SourceType.LOCAL)
    source_url = models.CharField(max_length=1024, blank=True)
    enabled = models.BooleanField(default=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    sync_errors = models.JSONField(
        default=list, blank=True, help_text="what the last sync could not read: file, line, message"
    )
    generation = models.BigIntegerField(default=1)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "catalog"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                nulls_distinct=False,
                name="catalog_name_in_organization",
                violation_error_message="There is a catalog of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """Bytes a disk can start from: where they are and how large a disk they need."""

    scope = Scope(organization="catalog__organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    catalog = models.ForeignKey(Catalog, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=63, validators=[dns_label])
    url = models.CharField(max_length=1024)
    checksum = models.CharField(max_length=160, blank=True)
    min_disk_gib = models.PositiveIntegerField()

    class Meta:
        verbose_name = "image"
        constraints = [models.UniqueConstraint(fields=["catalog", "name"], name="image_name_in_catalog")]

    def __str__(self) -> str:
        return self.name


class ImageProbe(models.Model):
    """OVIM's own look at the image that a disk is filled from: asked for when the disk is made, then judged once.

    It belongs to that one filling, not to the address: bytes may change, and what an old disk was filled with does not.
    Without a verdict it is due at `due_at`; claimed, that is when its lease ends.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    disk_id = models.UUIDField(unique=True)
    owner_kind = models.CharField(max_length=40, help_text="the row that is reconciled again by a verdict")
    owner_id = models.UUIDField()
    url = models.CharField(max_length=1024)
    verdict = models.CharField(max_length=16, blank=True, choices=[(item.value, item.value) for item in Verdict])
    message = models.CharField(max_length=2000, blank=True)
    attempts = models.IntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "look at an image"
        verbose_name_plural = "looks at images"
        indexes = [
            models.Index(fields=["attempts", "due_at"], name="probe_due", condition=models.Q(verdict="")),
        ]

    def __str__(self) -> str:
        return self.url


class ItemType(models.TextChoices):
    VM_TEMPLATE = "vm-template"
    APPLICATION_STACK = "application-stack"


class CatalogItem(models.Model):
    """Something to start from: an image with the size it is usually given."""

    scope = Scope(organization="catalog__organization_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    catalog = models.ForeignKey(Catalog, on_delete=models.CASCADE, related_name="items")
    type = models.CharField(max_length=20, choices=ItemType.choices, default=ItemType.VM_TEMPLATE)
    name = models.CharField(max_length=63, validators=[dns_label])
    display_name = models.CharField(max_length=255)
    description = models.CharField(max_length=1000, blank=True)
    version = models.CharField(max_length=40, blank=True)
    os_family = models.CharField(max_length=40, blank=True)
    tags = models.JSONField(default=list, blank=True)
    image = models.ForeignKey(Image, on_delete=models.PROTECT, null=True, related_name="items")
    cpu = models.PositiveIntegerField(default=1)
    memory_mib = models.PositiveIntegerField(default=1024)
    disk_gib = models.PositiveIntegerField(default=10)
    user_data = models.TextField(blank=True)

    class Meta:
        verbose_name = "catalog item"
        constraints = [models.UniqueConstraint(fields=["catalog", "name"], name="item_name_in_catalog")]
        indexes = [models.Index(fields=["display_name", "id"], name="item_by_display_name")]

    def __str__(self) -> str:
        return self.name
