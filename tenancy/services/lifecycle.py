"""An organization switched off and on, and deleted with all that is in it after a time in which that can be undone.

Disabling, one chooses what becomes of what runs: it goes on, or is stopped. Enabling starts nothing: what was stopped
with the organization stays so until somebody starts it. Both are the provider's alone.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from clusters import placements
from core import access, audit, rows
from core.actor import Actor, system_actor
from core.errors import Conflict, DomainError, Invalid
from core.rights import Right
from core.rows import Generations
from tenancy.models import Organization
from tenancy.services import admins, reach
from tenancy.services.organizations import KIND, delete_organization, require_staying

KEEP, STOP = "keep", "stop"
FATES: Final = (KEEP, STOP)
DELETER = "deletion of organizations"
log = logging.getLogger(__name__)


@transaction.atomic
def disable(
    *, actor: Actor, organization: Organization, vms: str = KEEP, generations: Generations = None
) -> Organization:
    """Nobody signs in to it any more, and sessions have no effect in it from the next request on.

    Whoever has roles elsewhere keeps these. `vms`: whether what runs is kept running or stopped.
    """
    access.require_system(actor, Right.ORGANIZATION_EDIT)
    stopped = _stop(actor, organization, vms)  # its quota's locks first, as everybody takes them
    organization = rows.lock(organization, generations)
    require_staying(organization)
    if not organization.enabled:
        raise Conflict(f"{organization} is disabled already.")
    organization.enabled = False
    _write(organization, "enabled")
    audit.record(
        actor,
        "organization.disable",
        organization,
        organization_id=organization.pk,
        after={"vms": vms, "stopped": stopped},
    )
    return organization


@transaction.atomic
def enable(*, actor: Actor, organization: Organization, generations: Generations = None) -> Organization:
    """Its people are in again, with the roles they had. Nothing is started."""
    access.require_system(actor, Right.ORGANIZATION_EDIT)
    organization = rows.lock(organization, generations)
    require_staying(organization)
    if organization.enabled:
        raise Conflict(f"{organization} is enabled already.")
    organization.enabled = True
    _write(organization, "enabled")
    audit.record(actor, "organization.enable", organization, organization_id=organization.pk)
    return organization


@transaction.atomic
def schedule_deletion(
    *, actor: Actor, organization: Organization, confirm: str, generations: Generations = None
) -> Organization:
    """It goes with its VDCs, machines and catalogs, once OVIM_DELETION_GRACE_DAYS are over; until then it is disabled.

    `confirm`: its name, typed. All that runs in it is stopped now.
    """
    access.require_system(actor, Right.ORGANIZATION_DELETE)
    if confirm != organization.name:
        raise Invalid.field("confirm", "confirm", f"Type the organization's name, {organization.name}, to confirm.")
    admins.require_others(organization)  # now, when it can still be told to somebody
    stopped = _stop(actor, organization, STOP)
    organization = rows.lock(organization, generations)
    require_staying(organization)
    organization.deletion_due_at = timezone.now() + timedelta(days=settings.OVIM_DELETION_GRACE_DAYS)
    organization.enabled_before_deletion, organization.enabled = organization.enabled, False
    _write(organization, "deletion_due_at", "enabled_before_deletion", "enabled")
    audit.record(
        actor,
        "organization.schedule_deletion",
        organization,
        organization_id=organization.pk,
        after={"due_at": organization.deletion_due_at.isoformat(timespec="seconds"), "stopped": stopped},
    )
    return organization


@transaction.atomic
def undo_deletion(*, actor: Actor, organization: Organization, generations: Generations = None) -> Organization:
    """It stays, enabled if it was so before. What was stopped stays stopped."""
    access.require_system(actor, Right.ORGANIZATION_DELETE)
    organization = rows.lock(organization, generations)
    due = organization.deletion_due_at
    if organization.deletion_requested_at is not None or (due is not None and due <= timezone.now()):
        raise Conflict(f"The deletion of {organization} has begun: it can't be undone any more.")
    if due is None:
        raise Conflict(f"{organization} is not to be deleted: there is nothing to undo.")
    organization.deletion_due_at, organization.enabled = None, organization.enabled_before_deletion
    _write(organization, "deletion_due_at", "enabled")
    audit.record(actor, "organization.undo_deletion", organization, organization_id=organization.pk)
    return organization


def _write(organization: Organization, *fields: str) -> None:
    organization.generation += 1
    organization.save(update_fields=[*fields, "generation"])
    placements.bump(KIND, organization.pk)
    reach.changed_of_people_of(organization)


def _stop(actor: Actor, organization: Organization, vms: str) -> int:
    if vms not in FATES:
        raise Invalid.field("vms", "choice", f"vms must be one of {', '.join(FATES)}.")
    if vms == KEEP:
        return 0
    stop: Callable[..., int] = import_string(settings.OVIM_TENANT_STOP)
    return stop(actor=actor, organization_id=organization.pk)


def delete_due() -> int:
    """Let go on what is due: each time as far as it goes, from whatever state it is in. How many are under way."""
    due = Organization.objects.filter(deletion_due_at__lte=timezone.now(), deletion_requested_at=None)
    found = list(due.order_by("pk").values_list("pk", flat=True))
    for pk in found:
        try:
            _delete_next(pk)
        except DomainError as refusal:
            log.warning("the deletion of organization %s waits: %s", pk, refusal.message)
    return len(found)


def _delete_next(pk: UUID) -> None:
    if not _is_due(pk):
        return
    actor = system_actor(DELETER)
    for name in settings.OVIM_TENANT_PARTS:
        remove: Callable[..., int] = import_string(name)
        if remove(actor=actor, organization_id=pk):
            return  # the rest next time: what holds others goes after them
    delete_organization(actor=actor, organization=Organization.objects.get(pk=pk))


@transaction.atomic
def _is_due(pk: UUID) -> bool:
    """Under its lock: whoever undoes it at this moment has done so, or comes too late."""
    row = Organization.objects.select_for_update(no_key=True).filter(pk=pk).first()
    return row is not None and row.deletion_due_at is not None and row.deletion_due_at <= timezone.now()
