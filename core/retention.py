"""How long audit entries are kept. Removing is the database owner's: the application's role can't.

A chain is shortened from its beginning, batch by batch, each in one transaction: what goes is verified first, so that
nothing that was tampered with goes unnoticed, and a checkpoint says what the chain begins after from then on.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from core import audit, sealing
from core.actor import Actor, system_actor
from core.errors import Invalid
from core.models import AuditCheckpoint, AuditEntry, AuditRetention, AuditSeal
from core.outlet import stream

OWNER = "owner"
LEAST_DAYS, MOST_DAYS = 30, 36_500
log = logging.getLogger(__name__)


class Tampered(Exception):
    """The entries to be removed are not as they were sealed: nothing of this chain is removed any more."""


def possible() -> bool:
    """Whether this process was given the owner's address for real. Workers may go without; then it is the command's."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('core_auditentry', 'DELETE')")
        return bool(cursor.fetchone()[0])


def policy(chain: UUID) -> dict[str, int | None]:
    """`days`: the chain's own, if any; `kept_days`: what holds."""
    return {"days": _own(chain), "kept_days": days_of(chain)}


def _own(chain: UUID) -> int | None:
    return AuditRetention.objects.filter(chain=chain).values_list("days", flat=True).first()


def days_of(chain: UUID) -> int:
    """The policy of a chain, in days; 0: for ever. Never below LEAST_DAYS: policies are the application's to write."""
    own = _own(chain)
    days: int = settings.OVIM_AUDIT_RETENTION_DAYS if own is None else own
    return max(days, LEAST_DAYS) if days else 0


@transaction.atomic
def keep(*, actor: Actor, chain: UUID, days: int | None) -> None:
    """Set the policy of a chain: days, 0 for ever, None: as the installation has it."""
    if days and not LEAST_DAYS <= days <= MOST_DAYS:
        raise Invalid.field("days", "range", f"days must be 0 (for ever) or from {LEAST_DAYS} to {MOST_DAYS}.")
    before = _own(chain)
    if days is None:
        AuditRetention.objects.filter(chain=chain).delete()
    else:
        AuditRetention.objects.update_or_create(chain=chain, defaults={"days": days})
    _tell(actor, "audit.keep", chain, before={"days": before}, after={"days": days})


def expire_all() -> dict[UUID, int]:
    """Remove what is too old from every chain; how many entries of which. A chain that is broken is left, and logged."""
    if not settings.OVIM_AUDIT_RETENTION_DAYS and not AuditRetention.objects.filter(days__gt=0).exists():
        return {}  # looking for the chains reads an index of all entries
    found = {}
    for chain in sealing.chains():
        days = days_of(chain)
        try:
            found[chain] = expire(chain, timezone.now() - timedelta(days=days)) if days else 0
        except Tampered as error:
            log.error("audit retention leaves chain %s alone: %s", chain, error)
    return {chain: count for chain, count in found.items() if count}


def expire(chain: UUID, before: datetime) -> int:
    """Remove the sealed entries at the beginning of a chain that are older; how many. Tampered: they are not as sealed."""
    total = 0
    while count := _expire_batch(chain, before):
        total += count
    if total:
        with transaction.atomic():
            _tell(system_actor("retention"), "audit.expire", chain, after={"removed": total, "before": f"{before}"})
    return total


@transaction.atomic(using=OWNER)
def _expire_batch(chain: UUID, before: datetime) -> int:
    sealing.lock(OWNER)
    start = sealing.beginning(chain, OWNER)
    number, previous = (start.number, start.digest) if start else (0, "")
    seals = list(AuditSeal.objects.using(OWNER).filter(chain=chain).order_by("number")[: sealing.BATCH])
    entries = AuditEntry.objects.using(OWNER).filter(pk__in=[seal.entry_id for seal in seals])
    by_id = {entry["id"]: entry for entry in entries.values(*sealing.FIELDS[sealing.VERSION])}
    sent = stream.sent_to()
    going = []
    for seal in seals:
        entry = by_id.get(seal.entry_id)
        broken = sealing.checked(chain, number + 1, previous, seal, entry)
        if broken is not None:
            raise Tampered(broken.what)
        if entry is None or entry["at"] >= before or (sent is not None and seal.pk > sent):
            break  # what the receiver outside has yet to be told stays
        number, previous = seal.number, seal.digest
        going.append(seal.entry_id)
    if not going:
        return 0
    AuditCheckpoint.objects.using(OWNER).create(
        chain=chain, number=number, digest=previous, removed=len(going), before=before
    )
    AuditSeal.objects.using(OWNER).filter(chain=chain, number__lte=number).delete()
    AuditEntry.objects.using(OWNER).filter(pk__in=going).delete()
    return len(going)


def _tell(actor: Actor, action: str, chain: UUID, **values: dict[str, object]) -> None:
    organization_id = None if chain == sealing.PROVIDER else chain
    audit.record(actor, action, None, organization_id=organization_id, **values)
