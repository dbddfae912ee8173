"""Exporting the audit log is itself audited, where those can see it whose entries leave."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from core import audit
from core.actor import Actor, Level
from core.rights import Right


@transaction.atomic
def begin_export(*, actor: Actor, organization_id: UUID | None, kind: str, filters: Mapping[str, str]) -> None:
    """Say that the actor takes out what these filters find. `organization_id`: the one that they name, if any.

    Without one it is told to each organization whose log he may see; of the provider's people: to the provider.
    """
    grants = actor.grants_of(Right.AUDIT_VIEW)
    places: set[UUID | None] = {organization_id}
    if organization_id is None and not any(grant.level is Level.SYSTEM for grant in grants):
        places = {grant.organization_id for grant in grants} or {actor.organization_id}
    for place in sorted(places, key=str):
        after = {"format": kind, "filters": dict(filters)}
        audit.record(actor, "audit.export", None, organization_id=place, after=after)
