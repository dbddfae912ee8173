"""Periodic jobs of tenancy: thin."""

from celery import shared_task

from tenancy.services import bindings


@shared_task
def tidy() -> None:
    """Remove roles that have ended. They had no effect any more."""
    bindings.expire_all()
