"""Periodic jobs of core: thin."""

from celery import shared_task

from core import replays


@shared_task
def sweep() -> None:
    """Forget kept answers that are too old."""
    replays.sweep()
