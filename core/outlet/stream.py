"""Telling a receiver outside of every sealed entry, at least once and in the order of their seals.

1. Whoever comes first takes the cursor's row for LEASE seconds by one conditional UPDATE. No transaction stays open.
2. It sends batches and moves the cursor after each that was taken. Killed in between, the next one sends that batch again.
3. What was not taken is sent again after pauses that grow to MOST_PAUSE. Nothing else ever waits for it.
"""

import logging
import random
import time
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from core.models import AuditEntry, AuditSeal, AuditStream
from core.outlet import syslog, webhook
from core.outlet.target import Target, Undelivered, configured
from core.told import FIELDS, told

BATCH = 200
LEASE = 60.0
ROUND_SECONDS = 20.0  # then the worker's thread goes back; with one more send this stays below the lease
MOST_PAUSE = 300.0
log = logging.getLogger(__name__)


def deliver() -> int:
    """Send what has been sealed since; how many entries were taken. 0 also while another process is at it, or a pause."""
    target = configured()
    if target is None:
        return 0
    row, _ = AuditStream.objects.get_or_create(target=target.key)
    if not _lease(row):
        return 0
    started, total = time.monotonic(), 0
    row.refresh_from_db()
    while time.monotonic() - started < ROUND_SECONDS:
        sent_to, entries = _batch(row.sent_to, max(BATCH >> row.failures, 1))  # what is too large fits some time
        if entries:
            try:
                _send(target, entries)
            except Undelivered as error:
                _failed(row, str(error))
                return total
        if sent_to == row.sent_to:
            break
        row.sent_to, row.failures, total = sent_to, 0, total + len(entries)
        _taken(row)
    AuditStream.objects.filter(pk=row.pk).update(next_at=timezone.now())
    return total


def sent_to() -> int | None:
    """The last seal that the receiver has; None: there is no receiver."""
    target = configured()
    if target is None:
        return None
    return AuditStream.objects.filter(pk=target.key).values_list("sent_to", flat=True).first() or 0


def _lease(row: AuditStream) -> bool:
    now = timezone.now()
    free = AuditStream.objects.filter(pk=row.pk, next_at__lte=now)
    return free.update(next_at=now + timedelta(seconds=LEASE)) == 1


def _batch(after: int, size: int) -> tuple[int, list[dict[str, Any]]]:
    """The next entries by seal, and the last seal of them. One whose entry is gone is passed over."""
    seals = list(AuditSeal.objects.filter(pk__gt=after).order_by("pk")[:size])
    ids = [seal.entry_id for seal in seals]
    entries = {entry["id"]: entry for entry in AuditEntry.objects.filter(pk__in=ids).values(*FIELDS)}
    found = [told(entries[seal.entry_id], seal.number, seal.digest) for seal in seals if seal.entry_id in entries]
    return (seals[-1].pk if seals else after), found


def _send(target: Target, entries: list[dict[str, Any]]) -> None:
    (webhook.send if target.scheme == "https" else syslog.send)(target, entries)


def _taken(row: AuditStream) -> None:
    now = timezone.now()
    lease = now + timedelta(seconds=LEASE)
    AuditStream.objects.filter(pk=row.pk, sent_to__lt=row.sent_to).update(
        sent_to=row.sent_to, sent_at=now, next_at=lease, failures=0, error=""
    )


def _failed(row: AuditStream, why: str) -> None:
    pause = min(MOST_PAUSE, 2.0 ** min(row.failures, 10)) * random.uniform(0.8, 1.2)  # noqa: S311
    log.warning("the audit stream was not delivered (%s); trying again in %.0f s", why, pause)
    AuditStream.objects.filter(pk=row.pk).update(
        failures=F("failures") + 1, error=why[:255], next_at=timezone.now() + timedelta(seconds=pause)
    )
