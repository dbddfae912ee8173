"""Is the cluster there? Asked every few seconds, work or no work, so that a lost cluster is known to be lost.

The thread that asks knows no database; the watcher's writer tells the cluster's row what it has heard.
"""

import copy
import logging
import threading
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from clusters import connections, wakeup
from clusters.client import Client
from clusters.errors import KubeError
from clusters.models import WorkItem

log = logging.getLogger(__name__)

PULSE_SECONDS = 5.0
TIMEOUT = (3.0, 5.0)
MISSES = 2  # in a row, before a cluster counts as lost: one may be a connection that just ended


@dataclass(frozen=True)
class Beat:
    """One answer, or why there was none."""

    error: KubeError | None = None

    @property
    def lost(self) -> bool:
        """Nothing answers, or not to us. Anything else that it answers is an answer."""
        return self.error is not None and (self.error.status in (0, 401) or self.error.unhealthy)


class Pulse(threading.Thread):
    """Asks for ever; `take` hands out the latest beat once."""

    def __init__(self, client: Client, name: str, stopping: threading.Event) -> None:
        super().__init__(name=f"pulse {name}", daemon=True)
        self.client = copy.copy(client)  # the same connections, less patience
        self.client.timeout = TIMEOUT
        self.stopping = stopping
        self._latest: Beat | None = None

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.client.raw("GET", "/version")
                self._latest = Beat()
            except KubeError as error:
                self._latest = Beat(error)
            self.stopping.wait(PULSE_SECONDS)

    def take(self) -> Beat | None:
        beat, self._latest = self._latest, None
        return beat


class Chart:
    """What the beats of one cluster come to in its row. Used by the watcher's writer alone."""

    def __init__(self, cluster_id: UUID) -> None:
        self.cluster_id = cluster_id
        self.missed = 0

    def note(self, beat: Beat) -> None:
        if beat.lost and beat.error is not None:
            self.missed += 1
            if self.missed >= MISSES:
                connections.failing(self.cluster_id, _told(beat.error))
            return
        self.missed = 0
        if _seen(self.cluster_id):
            _have_it_proven(self.cluster_id)


def _told(error: KubeError) -> KubeError:
    if error.status != 401:
        return error
    return KubeError(401, error.reason, "The cluster refuses OVIM's credential: it has expired or was revoked.")


def _seen(cluster_id: UUID) -> bool:
    """It answers. Whether its circuit is open all the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_cluster SET seen_at = clock_timestamp() WHERE id = %s RETURNING failing_since IS NOT NULL",
            [cluster_id],
        )
        row = cursor.fetchone()
        return bool(row and row[0])


def _have_it_proven(cluster_id: UUID) -> None:
    """A circuit is closed by work that succeeds: let some be due now, however far it has backed off.

    Where no work waits there is nothing to protect the cluster from: the circuit is closed at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_workitem SET due_at = least(due_at, clock_timestamp()) WHERE id = ("
            "SELECT id FROM clusters_workitem WHERE cluster_id = %s AND due_at IS NOT NULL AND lease_token IS NULL "
            "ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)",
            [cluster_id],
        )
        waits = bool(cursor.rowcount)
    if waits:
        wakeup.send(cluster_id)
    elif not WorkItem.objects.filter(cluster_id=cluster_id, due_at__isnull=False).exists():
        log.info("the cluster %s answers again", cluster_id)
        connections.healthy(cluster_id)
