"""What Celery runs for catalogs: thin. On a queue of its own, worked off by workers that reconcile nothing."""

import logging
import time

from celery import shared_task
from django.conf import settings

from catalogs import fetch, probes

log = logging.getLogger(__name__)
PROBE_SECONDS = 30.0  # then the slot goes back; the sweep sends the next


@shared_task(name=probes.TASK)
def probe() -> int:
    """Look at the images that are due, one address after another. Returns how many addresses it looked at."""
    started, looked = time.monotonic(), 0
    while time.monotonic() - started < PROBE_SECONDS and (look := probes.claim()) is not None:
        looked += 1
        try:
            judgement = fetch.look(look.url, settings.OVIM_IMAGE_HOSTS)
        except fetch.Unreachable as error:
            probes.put_off(look, str(error))
        except Exception as error:  # a fault of ours: CDI still decides, and the next image must not suffer
            log.exception("looking at an image failed", extra={"url": look.url})
            probes.put_off(look, f"{type(error).__name__}: {error}")
        else:
            probes.settle(look, judgement)
    return looked
