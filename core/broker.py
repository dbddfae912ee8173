"""Telling workers that there is something to do. A hint only: that it gets lost costs seconds, never truth (Promise 3).

The publisher has a connection of its own with short time-outs, so that a broker that hangs delays nobody's request.
"""

import logging
import threading
from functools import cache

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.connection import Connection
from prometheus_client import Counter

log = logging.getLogger(__name__)

CONTROL = "ovim"  # the queue of what is of no cluster: what beat sends goes there, too
OUTSIDE = "images"  # the queue of what waits for other people's servers
LOST = Counter("ovim_wakeups_lost", "Wake-ups that could not be sent; the sweep finds the work")
TIMEOUT_SECONDS = 0.2
EXPIRES_SECONDS = 5
_local = threading.local()


def _connection() -> Connection:
    if getattr(_local, "connection", None) is None:
        _local.connection = Connection(  # type: ignore[no-untyped-call]
            settings.OVIM_REDIS_URL,
            connect_timeout=TIMEOUT_SECONDS,
            transport_options={
                "socket_connect_timeout": TIMEOUT_SECONDS,
                "socket_timeout": TIMEOUT_SECONDS,
                "max_retries": 0,
                "retry_on_timeout": False,
            },
        )
    connection: Connection = _local.connection
    return connection


def after_commit(task: str, queue: str) -> None:
    """Send one task, without arguments, as soon as the transaction at hand is committed."""
    transaction.on_commit(lambda: tell(task, [], queue), robust=True)


def tell(task: str, arguments: list[str], queue: str) -> bool:
    """Send one task by its name. False, logged and counted, if the broker did not take it."""
    try:
        current_app.send_task(
            task,
            args=arguments,
            queue=queue,
            expires=EXPIRES_SECONDS,
            retry=False,
            ignore_result=True,
            connection=_connection(),
        )
    except Exception as error:
        _local.connection = None
        LOST.inc()
        _warn(f"{type(error).__name__}: {error}")
        return False
    return True


@cache
def _warn(error: str) -> None:
    """Once per process and cause: an outage of the broker must not flood the log."""
    log.warning("a wake-up could not be sent (%s); the sweep will find the work", error)
