"""An organization's logo: taken only if its bytes are a picture, kept in the database, seen by everybody."""

import hashlib

from django.db import transaction

from core import access, audit, rows
from core.actor import Actor
from core.rights import Right
from core.rows import Generations
from tenancy import branding
from tenancy.models import Organization, OrganizationLogo
from tenancy.services.organizations import require_staying


@transaction.atomic
def set_logo(
    *, actor: Actor, organization: Organization, data: bytes | None, generations: Generations = None
) -> Organization:
    """Another picture, or None: no picture."""
    access.require(actor, Right.ORGANIZATION_EDIT, organization)
    picture = None if data is None else branding.picture(data)
    organization = rows.lock(organization, generations)
    require_staying(organization)
    before = OrganizationLogo.objects.filter(organization=organization).values_list("digest", flat=True).first()
    digest = None if data is None else hashlib.sha256(data).hexdigest()
    if before == digest:
        return organization
    if data is None or picture is None:
        OrganizationLogo.objects.filter(organization=organization).delete()
    else:
        values = {
            "media_type": picture.media_type,
            "data": data,
            "digest": digest,
            "width": picture.width,
            "height": picture.height,
        }
        OrganizationLogo.objects.update_or_create(organization=organization, defaults=values)
    organization.generation += 1
    organization.save(update_fields=["generation"])
    audit.record(
        actor,
        "organization.logo",
        organization,
        organization_id=organization.pk,
        before={"sha256": before},
        after={"sha256": digest},
    )
    return organization
