"""What Celery runs: thin."""

import logging

from celery import shared_task

from vdcs import access

log = logging.getLogger(__name__)


@shared_task(name="vdcs.tasks.compare_access")
def compare_access() -> int:
    """Every minute: some namespaces' role bindings are compared with what people may do."""
    found = access.request_stale()
    if found:
        log.warning("people's access in %s namespaces was not what it should be, and nobody had told", found)
    return found
