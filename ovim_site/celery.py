"""The Celery application: workers that drain the queue, and a beat that wakes them.

Celery retries a lost broker with pauses of up to 30 s that no setting reaches; work must catch up within ten seconds
of Redis' return (Promise 3), so both connection steps are subclassed to pause for two seconds at most.
"""

import logging
import os
import sys
import time
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Scheduler
from celery.signals import task_prerun, worker_process_init
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from celery.worker.state import maybe_shutdown
from django.conf import settings
from django.db import close_old_connections

from core import broker, tenants
from ovim_site import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")

tenants.work_for_all()

RETRY = {"interval_start": 0.2, "interval_step": 0.4, "interval_max": 2.0}
log = logging.getLogger(__name__)


class QuickConsumer(Consumer):
    """A worker's consumer that looks for its broker again every two seconds at least.

    Workers that were told to serve other queues (`-Q images`) take no cluster's, neither at start nor when announced.
    """

    def add_task_queue(self, queue: str, *args: Any, **options: Any) -> None:
        if broker.CONTROL in self.app.amqp.queues.consume_from:
            super().add_task_queue(queue, *args, **options)

    def ensure_connected(self, conn: Any) -> Any:
        def lost(error: Exception, pause: float) -> None:
            log.warning("the broker can't be reached (%s); trying again in %.1f s", error, pause)

        return conn.ensure_connection(lost, None, callback=maybe_shutdown, **RETRY)


class QuickScheduler(Scheduler):
    """Beat's scheduler: the schedule is static, so nothing is kept in a file."""

    def _ensure_connected(self) -> Any:
        def lost(error: Exception, pause: float) -> None:
            log.warning("beat: the broker can't be reached (%s); trying again in %.1f s", error, pause)

        return self.connection.ensure_connection(lost, None, **RETRY)


@task_prerun.connect
def _renew_connection(sender: Any, **_: Any) -> None:
    """As before a request: one that is old, or that the server has ended, is opened anew."""
    if not sender.request.is_eager:  # that runs in its caller's transaction
        close_old_connections()


@worker_process_init.connect
def _settle(**_: Any) -> None:
    """Each child of the pool, once it has loaded everything."""
    memory.settle()


class ClusterQueues(bootsteps.StartStopStep):
    """Consume the queue of every cluster there is; `wake` announces those that come later."""

    requires = (Tasks,)

    def start(self, consumer: Any) -> None:
        from clusters.wakeup import queue_name  # noqa: PLC0415  # the app registry is loaded only now

        if broker.CONTROL in consumer.app.amqp.queues.consume_from:
            for pk in _clusters():
                consumer.add_task_queue(queue_name(pk))


def _clusters() -> list[Any]:
    """Waits for the database: this runs at each new connection to the broker, too, and both may have been restarted."""
    from django.db import OperationalError, connection  # noqa: PLC0415

    from clusters.models import Cluster  # noqa: PLC0415

    while True:
        try:
            return list(Cluster.objects.values_list("id", flat=True))
        except OperationalError as error:
            log.warning("the database can't be reached (%s); trying again in %.0f s", error, RETRY["interval_max"])
            time.sleep(RETRY["interval_max"])
            maybe_shutdown()
        finally:
            connection.close()  # the pool forks children from this process: they must not inherit a connection


app = Celery("ovim", set_as_current=True)
app.conf.update(
    broker_url=settings.OVIM_REDIS_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "visibility_timeout": 300,
    },
    task_default_queue=broker.CONTROL,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    worker_consumer="ovim_site.celery:QuickConsumer",
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_scheduler="ovim_site.celery:QuickScheduler",
    beat_max_loop_interval=1,
    beat_schedule={
        "wake": {"task": "clusters.tasks.wake", "schedule": 1.0, "options": {"expires": 2}},
        "sweep": {"task": "clusters.tasks.sweep", "schedule": 60.0, "options": {"expires": 60}},
        "look": {"task": "clusters.tasks.look_into_all", "schedule": 300.0, "options": {"expires": 60}},
        "audit": {"task": "clusters.tasks.audit", "schedule": 300.0, "options": {"expires": 300}},
        "compare": {"task": "vdcs.tasks.compare_access", "schedule": 60.0, "options": {"expires": 60}},
        "forget": {"task": "core.tasks.sweep", "schedule": 600.0, "options": {"expires": 600}},
        "seal": {"task": "core.tasks.seal", "schedule": 5.0, "options": {"expires": 5}},
        "expire": {"task": "core.tasks.expire", "schedule": 3600.0, "options": {"expires": 3600}},
        "tidy": {"task": "tenancy.tasks.tidy", "schedule": 60.0, "options": {"expires": 60}},
        "tenants": {"task": "tenancy.tasks.delete_due", "schedule": 30.0, "options": {"expires": 30}},
        "probe": {"task": "catalogs.tasks.probe", "schedule": 5.0, "options": {"expires": 5, "queue": broker.OUTSIDE}},
    },
    timezone="UTC",
    CELERY_DB_REUSE_MAX=sys.maxsize,  # or each task opens a connection of its own, which costs more than most tasks
)
if settings.OVIM_AUDIT_STREAM:  # it waits for somebody else's server, as those do that look at images
    app.conf.beat_schedule["tell"] = {
        "task": "core.tasks.tell", "schedule": 3.0, "options": {"expires": 3, "queue": broker.OUTSIDE},
    }  # fmt: skip
if settings.OVIM_MAIL_URL:  # as above; who puts something there tells a worker at once: this finds what was not told
    app.conf.beat_schedule |= {
        "resets": {"task": "tenancy.tasks.send_resets", "schedule": 15.0, "options": {"expires": 15}},
        "post": {"task": "core.tasks.post", "schedule": 15.0, "options": {"expires": 15, "queue": broker.OUTSIDE}},
    }
app.steps["consumer"].add(ClusterQueues)
app.autodiscover_tasks(["clusters", "catalogs", "tenancy", "vdcs", "core"])
