"""A page with a form: tried while somebody types, done once however often it is sent, refused where it is wrong.

Every form of the portal that is not about a VM goes through `fill`, so that they all behave alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.crypto import salted_hmac

from core import access, replays
from core.actor import Actor
from core.errors import Conflict, DomainError, Invalid, QuotaExceeded, Stale, Throttled
from core.models import AuditEntry, Outcome
from core.rights import Right
from core.rows import Generations
from core.trial import trial

FORM = ["GET", "HEAD", "POST"]  # what a form's page answers to
REFUSALS = (Conflict, Invalid, QuotaExceeded, Stale, Throttled)  # shown at the form; others have a page of their own


@dataclass(frozen=True)
class Section:
    """A card of the form. `css`: `three` puts three fields in a row."""

    title: str
    fields: Sequence[str]
    hint: str = ""
    css: str = ""


class Form(forms.Form):
    """`key` is made with the page: what is sent twice is done once. `generation`: of the row as the person saw it."""

    key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    generation = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    layout: Sequence[Section] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("key", str(uuid4()))

    def sections(self) -> list[tuple[Section, list[BoundField]]]:
        found = [(part, [self[name] for name in part.fields if name in self.fields]) for part in self.layout]
        return [(part, fields) for part, fields in found if fields]

    def generations(self) -> Generations:
        """What If-Match is to the API."""
        seen = self.cleaned_data["generation"]
        return None if seen is None else frozenset({seen})

    def given(self, *names: str) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}

    def place_of(self, path: str) -> str:
        """The form's field for a field as services name it."""
        return path.partition("[")[0].partition(".")[0]


@dataclass
class Page:
    """What stands around a form. `live`: it is tried with each change; `more`: for its template."""

    title: str
    section: str
    crumbs: Sequence[tuple[str, str]]  # label, address
    submit: str
    back: str
    intro: str = ""
    danger: bool = False
    live: bool = True
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """Where a deed leads. `response` instead: an answer with something that is shown once."""

    where: str
    message: str
    response: HttpResponse | None = None


@dataclass(frozen=True)
class Clash:
    """Somebody else was faster: who, when, and what there is now where the form says something else."""

    who: str
    at: Any
    now: Sequence[tuple[str, Any]]


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: of a GET, nothing."""
    return request.POST if request.method == "POST" else None


def actor_of(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    return actor


def fill(
    request: HttpRequest,
    page: Page,
    form: Form,
    act: Callable[[], Done],
    *,
    row: Model | None = None,
    before: Callable[[], None] | None = None,
    plan: Callable[[], Mapping[str, Any]] | None = None,
) -> HttpResponse:
    """GET: the form. POST: `act`, then on to where it says. With HX-Request it is only tried, and the plan comes back.

    `row`: what is edited, to tell who was faster. `before`: outside the transaction. `plan`: more for the template,
    asked last.
    """
    planning = page.live and bool(request.headers.get("HX-Request"))
    refusal: DomainError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            if planning:
                _try(act)
            else:
                if before is not None:
                    before()
                return once(request, form, act)
        except REFUSALS as error:
            refusal = error
            _place(form, error)
    told: dict[str, Any] = {
        "clash": _clash(actor_of(request), form, row) if isinstance(refusal, Stale) and row else None
    }
    told |= plan() if plan is not None else {}
    return _shown(request, page, form, refusal, planning=planning, **told)


def _try(act: Callable[[], Done]) -> None:
    with trial():
        act()


def once(request: HttpRequest, form: Form, act: Callable[[], Done]) -> HttpResponse:
    """Do it, unless this very form was sent before: then only go where that led. Kept like the API's answers."""
    actor, token = actor_of(request), form.cleaned_data["key"] or str(uuid4())
    assert actor.user_id is not None, "whoever has a cookie is a user"
    body_hash = salted_hmac("ovim.form", request.POST.urlencode(), algorithm="sha256").hexdigest()
    route, key = f"POST {request.path}", f"form:{token}:{body_hash}"
    with transaction.atomic():
        digest = replays.digest_of(actor.user_id, route, key)
        replays.lock(digest)
        known = replays.find(digest)
        if known is None:
            done = act()
            replays.store(
                actor.user_id, route, key, body_hash=body_hash, status=302, headers={"Location": done.where}, body=b""
            )
    if known is not None:
        messages.info(request, "That was done already: the form had been sent before.")
        return HttpResponseRedirect(known.headers["Location"])
    if done.response is not None:
        return done.response
    messages.success(request, done.message)
    return HttpResponseRedirect(done.where)


def _place(form: Form, refusal: DomainError) -> None:
    """A refusal that names a field is shown at that field."""
    for error in refusal.errors:
        name = form.place_of(error.field)
        form.add_error(name if name in form.fields else None, error.message)


def _clash(actor: Actor, form: Form, row: Model) -> Clash:
    entries = AuditEntry.objects.filter(
        object_kind=row._meta.model_name or "", object_id=row.pk, outcome=Outcome.DONE
    ).order_by("-pk")
    latest = access.visible(actor, entries, Right.AUDIT_VIEW).first()
    now = [
        (str(item.label), item.initial)
        for item in form.visible_fields()
        if item.name in form.initial and (item.initial or "") != (item.value() or "")
    ]
    # Sent again, it is meant: the person has read what there is now.
    form.data = dict(form.data.items()) | {"generation": str(form.initial["generation"])}
    return Clash(latest.actor_name if latest else "Somebody", latest.at if latest else None, now)


def _status(form: Form, refusal: DomainError | None) -> int:
    if isinstance(refusal, Stale | Throttled):
        return 412 if isinstance(refusal, Stale) else 429
    return 409 if isinstance(refusal, Conflict) else 422


def _shown(
    request: HttpRequest, page: Page, form: Form, refusal: DomainError | None, *, planning: bool, **told: Any
) -> HttpResponse:
    context = {
        "page": page,
        "section": page.section,
        "form": form,
        # While somebody types, a field he has not come to yet is not wrong; errors of what he typed are.
        "errors": [item for item in form.visible_fields() if item.errors and (item.value() or not planning)],
        "refusal": refusal if refusal and not refusal.errors and not told.get("clash") else None,
        "fits": form.is_bound and not form.errors and refusal is None,
        "planning": planning,
        **page.more,
        **told,
    }
    bad = form.is_bound and not context["fits"] and not planning
    answer = render(
        request, "form.html#plan" if planning else "form.html", context, status=_status(form, refusal) if bad else 200
    )
    patch_vary_headers(answer, ["HX-Request"])
    answer["Cache-Control"] = "no-store"  # each page has a key of its own
    return answer
