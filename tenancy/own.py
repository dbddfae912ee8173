"""Pages of one's own account: sessions and the second factor."""

import io
from datetime import timedelta
from uuid import UUID

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.enforce import needs
from core.errors import Conflict, DomainError, Invalid, Throttled
from core.rights import Right
from core.ui.filling import FORM, actor_of
from tenancy import selectors
from tenancy.forms import CodeForm
from tenancy.services import second_factor, sessions

WAYS = {sessions.Way.BROWSER: "a browser", sessions.Way.API: "a program"}


@needs(Right.ACCOUNT)
@require_safe
def session_list(request: HttpRequest) -> HttpResponse:
    page = {
        "section": "settings",
        "sessions": selectors.own_sessions(actor_of(request)),
        "unused": [(words, _in_words(after)) for way, words in WAYS.items() if (after := way.idle_after) is not None],
    }
    return render(request, "tenancy/sessions.html", page)


def _in_words(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hour{'' if minutes == 60 else 's'}"


@needs(Right.ACCOUNT)
@require_POST
def session_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    sessions.end_own(actor=actor_of(request), session_id=pk)
    messages.success(request, "The session is ended.")
    return HttpResponseRedirect(reverse("session-list"))


@needs(Right.ACCOUNT)
@require_POST
def session_end_others(request: HttpRequest) -> HttpResponse:
    ended = sessions.end_others(actor=actor_of(request))
    messages.success(request, f"{ended} other session{'' if ended == 1 else 's'} ended.")
    return HttpResponseRedirect(reverse("session-list"))


@needs(Right.ACCOUNT)
@sensitive_post_parameters("code")
@require_http_methods(FORM)
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """How it stands; a QR code once it is begun; then the recovery codes, this once."""
    form, told, status = CodeForm(request.POST if "code" in request.POST else None), [], 200
    try:
        if request.method == "POST" and (request.POST.get("do") == "begin" or form.is_valid()):
            told = _carry_out(request, str(request.POST.get("do")), form)
            if not told:
                return HttpResponseRedirect(reverse("second-factor"))
    except (Conflict, Invalid, Throttled) as refusal:
        form = form if form.is_bound else CodeForm({"code": ""})
        form.full_clean()
        form.add_error(None, refusal.message)
        status = _status(refusal)
    return _shown(request, form, told, status)


def _carry_out(request: HttpRequest, verb: str, form: CodeForm) -> list[str]:
    """The recovery codes, where there are new ones."""
    actor = actor_of(request)
    if verb == "begin":
        second_factor.begin(actor=actor)
        return []
    code = form.cleaned_data["code"]
    if verb == "confirm":
        return second_factor.confirm(actor=actor, code=code)
    second_factor.prove(actor=actor, code=code)
    if verb == "renew":
        return second_factor.renew_recovery(actor=actor)
    if verb == "remove":
        second_factor.remove(actor=actor)
        messages.success(request, "You sign in by password alone from now on.")
    return []


def _status(refusal: DomainError) -> int:
    return 429 if isinstance(refusal, Throttled) else 409 if isinstance(refusal, Conflict) else 422


def _shown(request: HttpRequest, form: CodeForm, told: list[str], status: int) -> HttpResponse:
    actor = actor_of(request)
    standing = selectors.own_second_factor(actor)
    secret = None if standing["enabled"] else second_factor.begun(actor)
    page = {
        "section": "settings",
        "standing": standing,
        "secret": secret,
        "qr": _qr(second_factor.uri(actor, secret)) if secret else "",
        "recovery": told,
        "form": form,
        "must": actor.must_enrol,
    }
    answer = render(request, "tenancy/second_factor.html", page, status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _qr(text: str) -> str:
    """As SVG in the page: no image to be fetched, no style in it."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out, kind="svg", scale=5, border=4, xmldecl=False, svgclass="qr", lineclass=None, light="#fff", dark="#000"
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308  # made by us; the text is in its modules only
