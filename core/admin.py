"""The audit log, kept views, answered requests and mail in the admin."""

from django.contrib import admin

from core.backoffice.base import Admin, points
from core.models import (
    AnsweredRequest,
    AuditCheckpoint,
    AuditEntry,
    AuditRetention,
    AuditSeal,
    AuditStream,
    AuditWaiting,
    Mail,
    SavedView,
    SupportAccess,
)


@admin.register(AuditEntry)
class AuditEntryAdmin(Admin):
    """Append-only: there is no verb on what has happened."""

    list_display = ("at", "actor_name", "action", points("object_id", "object"), "outcome", "address")
    list_filter = ("outcome",)
    heavy = ("before", "after")
    pointers = {"object_id": "object_kind"}
    find_by_id = ("id", "object_id", "actor_id", "organization_id")
    search_help_text = "The id of an object, of a person, of an organization or of the entry itself."


@admin.register(AuditSeal)
class AuditSealAdmin(Admin):
    list_display = ("sealed_at", points("chain", "organization"), "number", points("entry_id", "entry"), "digest")
    pointers = {"chain": "=organization", "entry_id": "=auditentry"}
    find_by_id = ("chain", "entry_id")
    search_help_text = "The id of an entry, or of the organization whose chain it is."


@admin.register(AuditWaiting)
class AuditWaitingAdmin(Admin):
    list_display = (points("entry_id", "entry"),)
    pointers = {"entry_id": "=auditentry"}
    find_by_id = ("entry_id",)
    search_help_text = "The id of an entry."


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(Admin):
    list_display = ("made_at", points("chain", "organization"), "number", "removed", "before")
    pointers = {"chain": "=organization"}
    find_by_id = ("chain",)
    search_help_text = "The id of the organization whose chain it is."


@admin.register(AuditRetention)
class AuditRetentionAdmin(Admin):
    list_display = (points("chain", "organization"), "days")
    pointers = {"chain": "=organization"}
    find_by_id = ("chain",)
    search_help_text = "The id of the organization whose chain it is."


@admin.register(AuditStream)
class AuditStreamAdmin(Admin):
    list_display = ("target", "sent_to", "sent_at", "failures", "error", "next_at")
    find_by_id = ()
    find_by_name = ("target",)
    search_help_text = "How the digest of the address begins."


@admin.register(SupportAccess)
class SupportAccessAdmin(Admin):
    list_display = ("began_at", points("session_id", "session"), points("organization_id", "organization"))
    pointers = {"session_id": "=session", "organization_id": "=organization"}
    find_by_id = ("session_id",)
    search_help_text = "The id of a session."


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


@admin.register(Mail)
class MailAdmin(Admin):
    """Whether it was sent, never what it says: its links are secrets."""

    list_display = ("created_at", "kind", "recipient", "attempts", "sent_at", "given_up_at", "error")
    list_filter = (("sent_at", admin.EmptyFieldListFilter), ("given_up_at", admin.EmptyFieldListFilter))
    secret = ("body",)
    find_by_id = ("id", "organization_id")
    find_by_name = ("recipient",)
    search_help_text = "How the address begins, or the id of a mail or an organization."
