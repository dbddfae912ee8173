"""Periodic jobs of tenancy: thin."""

from celery import shared_task

from tenancy.services import bindings, previews


@shared_task
def tidy() -> None:
    """Remove roles that have ended, and say of previews that they did. They had no effect any more."""
    bindings.expire_all()
    previews.expire_all()
