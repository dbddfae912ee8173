"""Running transfers: one thread each, as a real cluster has one pod each. A silent host holds up nobody else."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from clusters.sandbox.cdi.download import Download, Failure

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

log = logging.getLogger(__name__)
MOST = 256  # downloads at a time
LONGEST_WAIT = 20  # retries wait at most this many times the first wait


@dataclass
class Transfer:
    """One running import, upload or clone, by the volume's uid; lost on restart, and then begun again."""

    began: float = field(default_factory=time.monotonic)
    download: Download | None = None
    done: bool = False
    failure: Failure | None = None
    retry_at: float = 0.0
    tries: int = 0
    next_report: float = 0.0  # progress is written at most once a tick, however often the key is woken
    expanded: bool = False  # a clone into a larger claim has said that it grows
    held: float | None = None  # the share at which an order stalled it

    def share(self, at_least: float) -> float:
        """Never ahead of the bytes nor of the time a transfer takes at least, and 100 % only at the end."""
        if self.held is not None:
            return self.held
        elapsed = time.monotonic() - self.began
        planned = elapsed / at_least if at_least else 1.0
        real = self.download.share if self.download and not self.done else 1.0
        return min(real, planned, 0.99)


@dataclass
class Upload(Download):
    """Bytes that a client sent, judged as an import's are."""

    source: IO[bytes] | None = None

    kind = "upload"
    needs_scratch = True

    def _fetch(self, spool: IO[bytes], digest: Any) -> None:
        if self.source is not None:
            self.source.seek(0)
            shutil.copyfileobj(self.source, spool)


class Threads:
    """Threads for downloads. A cluster has room for so many importer pods and no more; the rest waits its turn."""

    def __init__(self, cluster: Cluster, most: int = MOST) -> None:
        self.cluster = cluster
        self.most = most
        self.running = 0
        self.waiting: deque[tuple[Transfer, Callable[[], None]]] = deque()

    def run(self, transfer: Transfer, over: Callable[[], None]) -> None:
        """Carries the download out; `over` is called in the cluster's loop when it has ended, well or not."""
        self.waiting.append((transfer, over))
        self._next()

    def _next(self) -> None:
        while self.waiting and self.running < self.most:
            transfer, over = self.waiting.popleft()
            self.running += 1
            threading.Thread(target=self._work, args=(transfer, over), daemon=True, name="import").start()

    def _work(self, transfer: Transfer, over: Callable[[], None]) -> None:
        try:
            if transfer.download is not None and not transfer.download.cancelled:
                transfer.download.run()
            transfer.done = True
        except Failure as failure:
            transfer.failure = failure
        except Exception as error:  # whatever it was is this import's failure
            log.exception("import")
            transfer.failure = Failure(f"Unable to process data: {error}")
        self.cluster.from_thread(lambda: self._ended(over))

    def _ended(self, over: Callable[[], None]) -> None:
        self.running -= 1
        over()
        self._next()
