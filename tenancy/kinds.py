"""What of tenancy is reconciled: an organization, once on each cluster where it has a place."""

from uuid import UUID

from clusters.kinds import Kind
from clusters.models import Placement
from core.actor import Actor
from core.errors import Conflict


def _parent(placement: Placement) -> tuple[str, UUID] | None:
    return None


def _delete(actor: Actor, placement: Placement) -> None:
    raise Conflict("An organization is deleted by name, by a system admin, never along with something else.")


PLACED_ORGANIZATION = Kind(
    name="placed-organization",
    model="clusters.Placement",
    recipe="tenancy.reconcile.ORGANIZATION",
    parent=_parent,
    delete=_delete,
)
