"""The audit log in the admin."""

from django.contrib import admin

from core.backoffice.base import Admin, points
from core.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(Admin):
    """Append-only: there is no verb on what has happened."""

    list_display = ("at", "actor_name", "action", points("object_id", "object"), "outcome", "address")
    list_filter = ("outcome",)
    heavy = ("before", "after")
    pointers = {"object_id": "object_kind"}
    find_by_id = ("id", "object_id", "actor_id", "organization_id")
    search_help_text = "The id of an object, of a person, of an organization or of the entry itself."
