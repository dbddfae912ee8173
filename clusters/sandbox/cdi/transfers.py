"""Running transfers: one thread each, as a real cluster has one pod each. A silent host holds up nobody else."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from clusters.sandbox.cdi.download import Download, Failure

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

log = logging.getLogger(__name__)
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


def run(cluster: Cluster, transfer: Transfer, over: Callable[[], None]) -> None:
    """Carries the download out in a thread of its own; `over` is called in the cluster's loop."""
    download = transfer.download
    if download is None:
        return

    def work() -> None:
        try:
            download.run()
            transfer.done = True
        except Failure as failure:
            transfer.failure = failure
        except Exception as error:  # whatever it was is this import's failure
            log.exception("import of %s", download.url)
            transfer.failure = Failure(f"Unable to process data: {error}")
        cluster.from_thread(over)

    threading.Thread(target=work, daemon=True, name=f"import {download.url[:60]}").start()
