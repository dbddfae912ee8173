"""Real workers, beat and watcher as processes of their own, on the database and broker of the tests."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ovim_site.supervisor.site import IMAGES

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def process(*command: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process group of its own; whatever state it is in, it is gone afterwards."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def worker(log: Path, **environment: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return process(
        "-m", "celery", "-A", "ovim_site.celery", "worker", "--pool", "prefork", "--concurrency", "1",
        "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO", log=log, **environment,
    )  # fmt: skip


def images(log: Path, **environment: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """The worker that looks at images, as the supervisor starts it."""
    return process("-m", "celery", "-A", "ovim_site.celery", *IMAGES, log=log, **environment)


def beat(log: Path, **environment: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return process("-m", "celery", "-A", "ovim_site.celery", "beat", "-l", "INFO", log=log, **environment)


def watcher(log: Path, **environment: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return process("manage.py", "watch", log=log, **environment)
