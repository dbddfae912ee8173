"""The lists of organizations, users and what was done."""

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.shortcuts import resolve_url

from clusters.models import Phase, Placement
from core import access
from core.actor import Actor
from core.listing.cells import NOTHING, bdi
from core.listing.spec import Column, Empty, Filter, Listing, ReadyView, Row, Sort, Step, choices, contains
from core.models import AuditEntry, Outcome
from core.rights import Right
from core.ui.amounts import age
from core.ui.phases import chip, phase_mark
from tenancy import actions
from tenancy.models import Organization, User
from tenancy.words import deed

ME = "me"


def _organizations() -> QuerySet[Organization]:
    placed = Placement.objects.filter(owner_kind="organization", owner_id=OuterRef("pk")).order_by("pk")
    phase = Coalesce(Subquery(placed.values("phase")[:1]), Value(str(Phase.PENDING)))
    return Organization.objects.annotate(phase=phase)


def _organization_state(row: Row) -> str:
    if row["deletion_due_at"] is not None and row["deletion_requested_at"] is None:
        return chip("warn", "To be deleted", "delete")
    if not row["enabled"]:
        return chip("warn", "Disabled", "paused")
    return phase_mark(row["phase"], deleting=row["deletion_requested_at"] is not None)


ORGANIZATIONS = Listing(
    name="organization",
    title="Organizations",
    noun="organization",
    section="organizations",
    url="organization-list",
    detail="organization-detail",
    right=Right.ORGANIZATION_VIEW,
    rows=_organizations,
    organization_path="pk",
    fields=(
        "name",
        "display_name",
        "description",
        "enabled",
        "phase",
        "deletion_due_at",
        "deletion_requested_at",
        "created_at",
    ),
    columns=(
        Column("name", "Name", lambda row: str(row["name"]), "w-name", sort="name"),
        Column("title", "Title", lambda row: str(row["display_name"]), "second"),
        Column("state", "State", _organization_state, "lead w-12"),
        Column("about", "About", lambda row: str(row["description"]), "why mid"),
        Column("created", "Created", lambda row: age(row["created_at"]), "number w-7", sort="created"),
    ),
    sorts=(Sort("name", "name"), Sort("created", newest_first=True)),
    search=contains("name", "display_name"),
    filters=(choices("enabled", "State", [("", "Any"), ("True", "Enabled"), ("False", "Disabled")]),),
    actions=actions.ORGANIZATION,
    steps=(
        Step("create_vdc", "Create VDC", "add", lambda pk: f"{resolve_url('vdc-new')}?org={pk}"),
        Step("edit", "Settings", "settings", lambda pk: resolve_url("organization-edit", pk)),
        Step("enable", "Enable…", "ok", lambda pk: resolve_url("organization-enable", pk)),
        Step("undo_deletion", "Undo the deletion…", "refresh", lambda pk: resolve_url("organization-undo", pk)),
        Step("disable", "Disable…", "paused", lambda pk: resolve_url("organization-disable", pk), danger=True),
        Step("delete", "Delete…", "delete", lambda pk: resolve_url("organization-delete", pk), danger=True),
    ),
    menu="organization-menu",
    create=("organization-new", "Create organization", Right.ORGANIZATION_CREATE),
    empty=Empty(
        "No organization yet",
        "A tenant: people, a quota, and VDCs that draw from it.",
        "Whoever gave you your account can make you part of one.",
    ),
)


def _users() -> QuerySet[User]:
    return User.objects.all()


def _people(actor: Actor, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Service accounts have a page of their own, at their organization."""
    return access.visible(actor, rows, Right.USER_VIEW).filter(is_service=False)


USERS = Listing(
    name="user",
    title="People",
    noun="person",
    section="users",
    url="user-list",
    detail="user-detail",
    right=Right.USER_VIEW,
    reach=_people,
    rows=_users,
    organization_path="organization_id",
    fields=("username", "full_name", "email", "is_active", "organization__name", "created_at"),
    columns=(
        Column("name", "User name", lambda row: str(row["username"]), "w-name", sort="name"),
        Column("state", "State", lambda row: _account(row["is_active"]), "lead w-9"),
        Column("full_name", "Name", lambda row: row["full_name"] or NOTHING, "second"),
        Column("email", "E-mail", lambda row: bdi(row["email"] or NOTHING), "mid"),
        Column("organization", "Organization", lambda row: bdi(row["organization__name"] or "the provider"), "w-10"),
        Column("created", "Created", lambda row: age(row["created_at"]), "number w-7", sort="created"),
    ),
    sorts=(Sort("name", "username"), Sort("created", newest_first=True)),
    search=contains("username", "full_name", "email"),
    search_label="Name or e-mail",
    filters=(choices("state", "State", [("", "Any"), ("True", "Active"), ("False", "Disabled")], "is_active"),),
    label=lambda row: str(row["username"]),
    actions=actions.USER,
    steps=(
        Step("edit", "Edit", "settings", lambda pk: resolve_url("user-edit", pk)),
        Step("reset_password", "Reset password…", "refresh", lambda pk: resolve_url("user-password", pk)),
        Step("enable", "Enable…", "ok", lambda pk: resolve_url("user-enable-page", pk)),
        Step("disable", "Disable…", "paused", lambda pk: resolve_url("user-disable-page", pk), danger=True),
    ),
    menu="user-menu",
    create=("user-new", "Create person", Right.USER_EDIT),
    empty=Empty(
        "Nobody yet", "An account for somebody, with a role next.", "People appear here when they are given an account."
    ),
)


def _account(active: bool) -> str:
    return chip("ok", "Active", "ok") if active else chip("warn", "Disabled", "paused")


def _entries() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.all()


def entries_seen(actor: Actor, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """All of it for who may see the audit log of a place; for everybody what he did himself."""
    return access.visible(actor, rows, Right.SELF) | access.visible(actor, rows, Right.AUDIT_VIEW)


def _outcome(row: Row) -> str:
    tones = {Outcome.DONE: ("quiet", "Done", "ok"), Outcome.REFUSED: ("warn", "Refused", "warning")}
    return chip(*tones.get(row["outcome"], ("bad", "Failed", "failed")))


def _kinds(actor: Actor, given: object) -> list[tuple[str, str]]:
    kinds = (
        ("virtualmachine", "Virtual machines"),
        ("vdc", "VDCs"),
        ("organization", "Organizations"),
        ("user", "People"),
    )
    return [("", "Any"), *kinds, ("rolebinding", "Roles"), ("session", "Sign-ins")]


AUDIT = Listing(
    name="entry",
    title="Activity",
    noun="entry",
    section="audit",
    url="audit-list",
    detail="audit-detail",
    right=Right.SELF,
    reach=entries_seen,
    rows=_entries,
    organization_path="organization_id",
    fields=(
        "at",
        "actor_name",
        "action",
        "object_kind",
        "object_name",
        "outcome",
        "reason",
        "address",
        "before",
        "after",
    ),
    columns=(
        Column("what", "What", lambda row: deed(row["action"], row["after"]), "w-name"),
        Column("outcome", "Outcome", _outcome, "lead w-7"),
        Column("object", "On", lambda row: bdi(row["object_name"] or NOTHING), "second"),
        Column("who", "Who", lambda row: bdi(row["actor_name"] or NOTHING), "w-10"),
        Column("why", "Why", lambda row: str(row["reason"]), "why mid"),
        Column("from", "From", lambda row: bdi(row["address"] or NOTHING), "w-9", optional=True),
        Column("at", "When", lambda row: age(row["at"]), "number w-7", sort="at"),
    ),
    sorts=(Sort("at", newest_first=True),),
    search=contains("object_name", "actor_name", "action"),
    search_label="Who, what or on what",
    filters=(
        Filter("kind", "On", _kinds, lambda value, actor: Q(object_kind=value)),
        choices("outcome", "Outcome", [("", "Any"), *Outcome.choices]),
        Filter(
            "by",
            "By",
            lambda actor, given: [("", "Anybody"), (ME, "Me")],
            lambda value, actor: Q(actor_id=actor.user_id),
        ),
    ),
    views=(ReadyView("Mine", {"by": ME}), ReadyView("Refused", {"outcome": Outcome.REFUSED})),
    label=lambda row: str(row["action"]),
    exports=("audit-export", (("csv", "Export as CSV"), ("jsonl", "Export as JSON lines"))),
    empty=Empty("Nothing in this range", "", "What you and others do appears here."),
)
