"""Support access: where the provider's people look into an organization, its audit log says so, once a session.

Called where rows are loaded and places are chosen. What is told, and how, is `settings.OVIM_SUPPORT` (tenancy), so that
core stands below it.
"""

from collections.abc import Callable
from functools import cache
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from core.actor import Actor, Level
from core.ids import uuids_in

Teller = Callable[[Actor, UUID | None, UUID | None], None]


@cache
def _teller() -> Teller:
    teller: Teller = import_string(settings.OVIM_SUPPORT)
    return teller


def concerns(actor: Actor) -> bool:
    """Whether it is somebody in a session of his who sees everything by a role at system level."""
    return actor.session_id is not None and any(grant.level is Level.SYSTEM for grant in actor.grants)


def looked_into(actor: Actor, organization_id: UUID | None) -> None:
    """The actor was given a row of this organization's."""
    if organization_id is not None and concerns(actor):
        _teller()(actor, organization_id, None)


def chose(actor: Actor, organization: str | None, vdc: str | None) -> None:
    """The actor asked for what is in this organization or VDC; what is no id means nothing."""
    if (organization or vdc) and concerns(actor):
        for pk in uuids_in(organization or "", 1):
            _teller()(actor, pk, None)
        for pk in uuids_in(vdc or "", 1):
            _teller()(actor, None, pk)
