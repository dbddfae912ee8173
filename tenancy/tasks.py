"""Periodic jobs of tenancy: thin."""

from celery import shared_task

from tenancy.services import bindings, device_sign_ins, lifecycle, previews, resets


@shared_task
def tidy() -> None:
    """Remove roles and links that have ended, and say of previews that they did. They had no effect any more."""
    bindings.expire_all()
    resets.sweep()
    device_sign_ins.sweep()
    previews.expire_all()


@shared_task
def send_resets() -> None:
    """Mails with links for those who asked for a new password."""
    resets.send_asked()


@shared_task
def delete_due() -> None:
    """Organizations whose time to be undone is over."""
    lifecycle.delete_due()
