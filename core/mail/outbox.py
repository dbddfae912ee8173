"""The outbox: a mail is a row, put there in the transaction of its cause and sent by a worker, at least once.

0. It is sent at once if the wake-up reaches a worker; every few seconds what is due is looked for.
1. Whoever comes takes one that is due, for LEASE seconds, by a short transaction. None stays open while it is sent.
2. What was taken by the server is noted, and its text erased: links in it are secrets. Killed in between, the next one
   sends it again, under the same Message-ID.
3. What was not is sent again after pauses that grow to MOST_PAUSE, until it is of no use any more (`good_until`). An
   address that the server refuses for good is given up at once.
"""

import logging
import random
import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core import broker, sealed
from core.errors import Unavailable
from core.mail import target, transport
from core.models import Mail

PURPOSE: Final = "mail"
LEASE = timedelta(seconds=120)  # longer than one server can keep one message waiting, step by step
ROUND_SECONDS = 20.0  # then the worker's thread goes back
MOST_PAUSE = 900.0
KEPT = timedelta(days=30)  # what was sent, or given up: without its text
LATE = "it was of no use any more"
log = logging.getLogger(__name__)


def possible() -> bool:
    """Whether this installation sends mail at all."""
    return target.configured() is not None


def put(
    *, kind: str, recipient: str, subject: str, text: str, good_until: datetime, organization_id: UUID | None = None
) -> Mail:
    """Inside the transaction of its cause. Unavailable where no mail is sent: nothing is put where nobody looks."""
    if not possible():
        raise Unavailable("This installation sends no mail (OVIM_MAIL_URL is not set).")
    mail = Mail.objects.create(
        kind=kind,
        recipient=recipient,
        subject=subject,
        body=sealed.seal(text, PURPOSE),
        good_until=good_until,
        organization_id=organization_id,
    )
    broker.after_commit("core.tasks.post", broker.OUTSIDE)
    return mail


def post() -> int:
    """Send what is due; how many were taken."""
    where = target.configured()
    if where is None:
        return 0
    started, sent = time.monotonic(), 0
    while time.monotonic() - started < ROUND_SECONDS and (mail := _claim()) is not None:
        sent += _sent(where, mail)
    return sent


@transaction.atomic
def _claim() -> Mail | None:
    now = timezone.now()
    due = Mail.objects.filter(sent_at=None, given_up_at=None, next_at__lte=now)
    mail = due.select_for_update(skip_locked=True).order_by("next_at", "id").first()
    if mail is not None:
        mail.attempts, mail.next_at = mail.attempts + 1, now + LEASE
        mail.save(update_fields=["attempts", "next_at"])
    return mail


def _sent(where: target.Target, mail: Mail) -> bool:
    """The row as it was claimed: who was slower than his lease notes nothing over somebody else's attempt."""
    mine = Mail.objects.filter(pk=mail.pk, attempts=mail.attempts, sent_at=None)
    if mail.good_until <= timezone.now():
        mine.update(given_up_at=timezone.now(), error=LATE, body=b"")
        return False
    try:
        transport.send(where, mail, sealed.unseal(bytes(mail.body), PURPOSE, what="A mail"))
    except transport.Unsent as error:
        _failed(mail, str(error), permanent=error.permanent)
        return False
    except Unavailable as error:  # sealed under another key
        _failed(mail, str(error), permanent=True)
        return False
    mine.update(sent_at=timezone.now(), error="", body=b"")
    return True


def _failed(mail: Mail, why: str, *, permanent: bool) -> None:
    mine = Mail.objects.filter(pk=mail.pk, attempts=mail.attempts, sent_at=None)
    if permanent:
        log.warning("mail %s is given up: %s", mail.pk, why)
        mine.update(given_up_at=timezone.now(), error=why[:255], body=b"")
        return
    pause = min(MOST_PAUSE, 2.0 ** min(mail.attempts, 12)) * random.uniform(0.8, 1.2)  # noqa: S311
    log.warning("mail %s was not sent (%s); trying again in %.0f s", mail.pk, why, pause)
    mine.update(error=why[:255], next_at=timezone.now() + timedelta(seconds=pause))


def withdraw(pk: UUID) -> None:
    """It says what is no longer true: it is not sent, if that can still be helped."""
    Mail.objects.filter(pk=pk, sent_at=None, given_up_at=None).update(
        given_up_at=timezone.now(), error="withdrawn", body=b"", attempts=F("attempts") + 1
    )


def sweep() -> int:
    """Forget what was sent or given up long ago."""
    ended = Mail.objects.exclude(sent_at=None, given_up_at=None)
    return ended.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
