"""The audit log, kept views and answered requests in the admin."""

from django.contrib import admin

from core.backoffice.base import Admin, points
from core.models import AnsweredRequest, AuditEntry, SavedView


@admin.register(AuditEntry)
class AuditEntryAdmin(Admin):
    """Append-only: there is no verb on what has happened."""

    list_display = ("at", "actor_name", "action", points("object_id", "object"), "outcome", "address")
    list_filter = ("outcome",)
    heavy = ("before", "after")
    pointers = {"object_id": "object_kind"}
    find_by_id = ("id", "object_id", "actor_id", "organization_id")
    search_help_text = "The id of an object, of a person, of an organization or of the entry itself."


@admin.register(AnsweredRequest)
class AnsweredRequestAdmin(Admin):
    """What was answered may hold what only its caller may see: it is not shown."""

    list_display = ("answered_at", "route", points("user_id", "person"), "status")
    secret = ("body", "headers", "body_hash")
    find_by_id = ()
    find_by_name = ("digest",)
    search_help_text = "How the digest begins."


@admin.register(SavedView)
class SavedViewAdmin(Admin):
    list_display = ("name", "listing", points("owner_id", "person"), "query", "created_at")
    pointers = {"owner_id": "=user"}
    find_by_id = ("id", "owner_id")
    search_help_text = "Its id, or that of the person."
