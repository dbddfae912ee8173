"""`manage.py watch`: keeps the observed cache of every cluster. Several may run; one leads each cluster."""

import logging
import signal
import threading
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from clusters.models import Cluster
from clusters.watch import Watcher
from core.errors import DomainError

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0


class Command(BaseCommand):
    help = "Watch every cluster and keep the observed cache."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        running: dict[UUID, tuple[threading.Thread, Watcher, int]] = {}
        while not stop.is_set():
            try:
                self._start_and_stop(running)
            except DatabaseError as error:  # restarted, say: the watches that it broke are begun anew when it is back
                log.warning("the database can't be reached (%s); trying again in %.0f s", error, LOOK_SECONDS)
                connection.close()
            stop.wait(LOOK_SECONDS)
        for _, watcher, _ in running.values():
            watcher.stopping.set()
        for thread, _, _ in running.values():
            thread.join(timeout=2)

    def _start_and_stop(self, running: dict[UUID, tuple[threading.Thread, Watcher, int]]) -> None:
        """One watcher per cluster; a changed address or credential gets a new one, a thread that ended, too."""
        current = dict(Cluster.objects.values_list("id", "access_generation"))
        connection.close()  # this thread looks seldom: no connection is held for it
        for pk, (thread, watcher, generation) in list(running.items()):
            if current.get(pk) != generation or not thread.is_alive():
                watcher.stopping.set()
                del running[pk]
        for pk, generation in current.items():
            if pk not in running:
                try:
                    watcher = Watcher(pk)
                except (DomainError, OSError, ValueError) as error:  # such as a CA that is none: the others go on
                    self.stderr.write(f"cluster {pk} can't be watched: {error}")
                    continue
                thread = threading.Thread(target=watcher.run, name=f"watcher {pk}", daemon=True)
                thread.start()
                running[pk] = (thread, watcher, generation)
