"""Telling an organization that the provider's people look at what is its own. See `core.support`."""

from uuid import UUID

from django.db import connection, transaction

from core import audit, sql
from core.actor import Actor
from tenancy.models import Organization

MOST = 10_000
_FIRST = """
INSERT INTO core_supportaccess (session_id, organization_id) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id
"""
# What this process knows to be told: most requests of a session come after its first. Keys by age, the oldest go.
_told: dict[tuple[UUID | None, UUID], None] = {}


def tell(actor: Actor, organization_id: UUID | None, vdc_id: UUID | None) -> None:
    """An entry, unless this session's is there. Whoever belongs to the organization does not come from outside.

    Inside a transaction it waits for the commit, so that no lock is held for it; what is rolled back showed nothing, or is
    audited as refused.
    """
    if organization_id is None:
        organization_id = Organization.objects.filter(vdcs=vdc_id).values_list("pk", flat=True).first()
    if organization_id is None or organization_id in actor.organizations:
        return
    key = actor.session_id, organization_id
    if key not in _told:
        transaction.on_commit(lambda: _tell(actor.in_person(), *key), robust=connection.in_atomic_block)


@transaction.atomic
def _tell(actor: Actor, session_id: UUID | None, organization_id: UUID) -> None:
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        return
    if sql.run(_FIRST, [session_id, organization_id]):
        audit.record(actor, "support.begin", organization, organization_id=organization_id)
    transaction.on_commit(lambda: _remember(session_id, organization_id))


def _remember(session_id: UUID | None, organization_id: UUID) -> None:
    _told[session_id, organization_id] = None
    while len(_told) > MOST:
        _told.pop(next(iter(_told)), None)
