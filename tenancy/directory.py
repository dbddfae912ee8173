"""Pages of organizations, people and what was done: lists and details. Their forms are a page each, beside these."""

from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from core import access
from core.actor import Actor
from core.enforce import needs
from core.errors import BadParameter, NotFound
from core.ids import uuids_in
from core.listing.answer import answer
from core.listing.page import POSITION, Page
from core.models import AuditEntry, AuditSeal
from core.rights import Right
from tenancy import bound, export
from tenancy.listings import AUDIT, ORGANIZATIONS, USERS, entries_seen
from tenancy.models import Organization, RoleBinding, User
from tenancy.services import codes, exports

SHOWN = 50


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor


@needs(Right.ORGANIZATION_VIEW)
@require_GET
def organization_list(request: HttpRequest) -> HttpResponse:
    return answer(request, ORGANIZATIONS)


@needs(Right.USER_VIEW)
@require_GET
def user_list(request: HttpRequest) -> HttpResponse:
    return answer(request, USERS)


@needs(Right.USER_VIEW)
@require_GET
def user_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor = _actor(request)
    person = access.get(actor, User.objects.select_related("organization"), pk, Right.USER_VIEW)
    held = Q(user=person) | Q(group__memberships__user=person)
    about = entries_seen(actor, AuditEntry.objects.filter(actor_id=person.pk))
    page = {
        "section": "users",
        "person": person,
        "identities": person.identities.select_related("provider").order_by("pk")[:SHOWN],
        "bindings": bound.told(actor, RoleBinding.objects.filter(held).order_by("pk"), SHOWN),
        "timeline": list(about.order_by("-pk")[:20]),
        "has_second_factor": codes.is_asked_of(person),
        "may_edit": access.allows(actor, Right.USER_EDIT, person),
    }
    return render(request, "tenancy/user.html", page)


@needs(Right.SELF)
@require_GET
def audit_list(request: HttpRequest) -> HttpResponse:
    return answer(request, AUDIT)


@needs(Right.SELF)
@require_GET
def audit_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the list finds, all of it, as a file."""
    page = Page(request, AUDIT)
    kind = request.GET.get("format", "csv")
    if kind not in export.FORMATS:
        raise BadParameter.field("format", "choice", f"format must be one of {', '.join(sorted(export.FORMATS))}.")
    filters = {name: value for name, value in page.given.items() if name not in ("format", "cols", "sort", *POSITION)}
    place = uuids_in(filters.get("org", ""), 1)
    seen = access.visible(page.actor, Organization.objects.filter(pk__in=place), Right.ORGANIZATION_VIEW).first()
    exports.begin_export(
        actor=page.actor, organization_id=None if seen is None else seen.pk, kind=kind, filters=filters
    )
    return export.answer(page.narrowed, kind)


@needs(Right.SELF)
@require_GET
def audit_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    entry = entries_seen(_actor(request), AuditEntry.objects.filter(pk=pk)).first()
    if entry is None:
        raise NotFound("No such audit entry.")
    names = sorted({*(entry.before or {}), *(entry.after or {})})
    changes = [(name, (entry.before or {}).get(name), (entry.after or {}).get(name)) for name in names]
    seal = AuditSeal.objects.filter(entry_id=entry.pk).first()
    page = {"section": "audit", "entry": entry, "changes": changes, "seal": seal}
    return render(request, "tenancy/entry.html", page)
