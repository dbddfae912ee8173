"""Periodic jobs of tenancy: thin."""

from celery import shared_task

from tenancy.services import bindings, lifecycle, previews, resets


@shared_task
def tidy() -> None:
    """Remove roles that have ended, and say of previews that they did. They had no effect any more."""
    bindings.expire_all()
    previews.expire_all()


@shared_task
def send_resets() -> None:
    """Mails with links for those who asked for a new password."""
    resets.send_asked()
    resets.sweep()


@shared_task
def delete_due() -> None:
    """Organizations whose time to be undone is over."""
    lifecycle.delete_due()
