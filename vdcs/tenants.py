"""What becomes of an organization's VDCs when it is deleted. Called by tenancy, by the name in settings."""

from uuid import UUID

from core.actor import Actor
from vdcs.models import Vdc
from vdcs.services import delete_vdc


def remove(*, actor: Actor, organization_id: UUID) -> int:
    """Ask for all of them to go, with what is in them; how many are there still. Each goes when its cluster confirms."""
    left = Vdc.objects.filter(organization_id=organization_id)
    for vdc in left.filter(deletion_requested_at=None).order_by("pk"):
        delete_vdc(actor=actor, vdc=vdc, cascade=True)
    return left.count()
