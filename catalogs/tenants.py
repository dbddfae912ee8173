"""What becomes of an organization's catalogs when it is deleted. Called by tenancy, by the name in settings."""

from uuid import UUID

from django.db import transaction

from catalogs.models import Catalog, CatalogItem
from core import access, audit
from core.actor import Actor
from core.rights import Right


@transaction.atomic
def remove(*, actor: Actor, organization_id: UUID) -> int:
    """They are rows only, so they are gone at once: none is left."""
    for catalog in Catalog.objects.select_for_update().filter(organization_id=organization_id).order_by("pk"):
        access.require(actor, Right.CATALOG_EDIT, catalog)
        audit.record(actor, "catalog.delete", catalog, organization_id=organization_id, before={"name": catalog.name})
        CatalogItem.objects.filter(catalog=catalog).delete()  # items before the images that they start from
        catalog.delete()
    return 0
