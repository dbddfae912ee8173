"""Periodic jobs of core: thin."""

from celery import shared_task

from core import replays, retention, sealing
from core.mail import outbox
from core.outlet import stream


@shared_task
def sweep() -> None:
    """Forget kept answers, and mail, that are too old."""
    replays.sweep()
    outbox.sweep()


@shared_task
def seal() -> None:
    """Chain the audit entries that were committed since."""
    sealing.seal_all()


@shared_task
def expire() -> None:
    """Remove audit entries that are older than the policy says, if this process may."""
    if retention.possible():
        retention.expire_all()


@shared_task
def tell() -> None:
    """Stream sealed audit entries to the receiver outside, if there is one."""
    stream.deliver()


@shared_task
def post() -> None:
    """Send the mail that is due."""
    outbox.post()
