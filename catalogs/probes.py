"""Looking at images on OVIM's own account: what was asked for stands in rows, and a row's verdict reaches its owner.

An HTML page is bytes like any other to CDI: it would become a disk (ADR 5). The rows are worked off by Celery tasks of a
queue of their own, so that a slow image host holds up nobody's reconciling; a lost message costs seconds.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from catalogs.magic import Judgement, Verdict
from catalogs.models import ImageProbe
from clusters import kinds, queue
from core import broker

TASK = "catalogs.tasks.probe"
LEASE_SECONDS = 30  # longer than one look can take
ATTEMPTS = 5
MOST_MESSAGE = 2000
BACKOFF_SECONDS = 2.0  # then 4, 8, 16: within half a minute it is settled, or left to CDI


@dataclass(frozen=True)
class Look:
    """One address to look at, claimed until its lease ends, for all the disks that wait for it."""

    url: str
    ids: tuple[UUID, ...]


def request(*, disk_id: UUID, url: str, owner: tuple[str, UUID]) -> None:
    """Inside the caller's transaction: have the image looked at that this disk is filled from.

    `owner`: the row, by kind and id, that is reconciled again if it turns out to be none. For a disk that is filled
    anew, `forget` first: a look that is under way then finds nothing to write to.
    """
    ImageProbe.objects.create(disk_id=disk_id, url=url, owner_kind=owner[0], owner_id=owner[1])
    broker.after_commit(TASK, broker.OUTSIDE)


def forget(disk_ids: list[UUID]) -> None:
    """The disks are gone."""
    ImageProbe.objects.filter(disk_id__in=disk_ids).delete()


# The one that waits longest, those with fewer attempts first, and whatever waits for the same address.
CLAIM = """
WITH first AS (
  SELECT url FROM catalogs_imageprobe WHERE verdict = '' AND due_at <= clock_timestamp()
  ORDER BY attempts, due_at LIMIT 1 FOR UPDATE SKIP LOCKED
), picked AS (
  SELECT p.id FROM catalogs_imageprobe p JOIN first ON first.url = p.url
  WHERE p.verdict = '' AND p.due_at <= clock_timestamp() ORDER BY p.id LIMIT 1000 FOR UPDATE OF p SKIP LOCKED
)
UPDATE catalogs_imageprobe p SET attempts = p.attempts + 1,
  due_at = clock_timestamp() + %s * interval '1 second'
FROM picked WHERE p.id = picked.id RETURNING p.url, p.id
"""


def claim() -> Look | None:
    """The next address that is due. Whoever dies over it loses it when the lease ends; the attempt is counted."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [LEASE_SECONDS])
        found = cursor.fetchall()
    return Look(found[0][0], tuple(pk for _, pk in found)) if found else None


@transaction.atomic
def settle(look: Look, judgement: Judgement) -> None:
    """Write the verdict; one that holds something up requests the owners in the same transaction.

    Work items before looks: a row that is dropped locks them in that order, too.
    """
    pending = ImageProbe.objects.filter(pk__in=look.ids, verdict="")
    message = judgement.what
    if judgement.verdict is Verdict.NOT_AN_IMAGE:
        message = f"{look.url} answers with {judgement.what}, not with a disk image."
        _request_owners(pending)
    pending.update(verdict=judgement.verdict, message=message[:MOST_MESSAGE], judged_at=Now())


def put_off(look: Look, reason: str) -> None:
    """It could not be reached: later again, with growing pauses; the last time, nobody can say."""
    settled = ImageProbe.objects.filter(pk__in=look.ids, verdict="", attempts__gte=ATTEMPTS)
    settled.update(verdict=Verdict.UNKNOWN, message=reason[:MOST_MESSAGE], judged_at=Now())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE catalogs_imageprobe SET message = %s, "
            "due_at = clock_timestamp() + %s * power(2, attempts - 1) * interval '1 second' "
            "WHERE id = ANY(%s) AND verdict = ''",
            [reason[:MOST_MESSAGE], BACKOFF_SECONDS, list(look.ids)],
        )


def _request_owners(probes: QuerySet[ImageProbe]) -> None:
    by_kind: dict[str, set[UUID]] = {}
    for kind, pk in probes.values_list("owner_kind", "owner_id"):
        by_kind.setdefault(kind, set()).add(pk)
    for kind, ids in by_kind.items():
        queue.request_all(kinds.by_name(kind).rows()._default_manager.filter(pk__in=ids))
