"""Pages of tenancy: signing in and out."""

import time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core.actor import Actor
from core.enforce import needs, public
from core.errors import Throttled, Unauthenticated
from core.mail import outbox
from core.rights import Right
from core.ui.filling import actor_of
from core.ui.ways import target
from tenancy import links
from tenancy.forms import CodeForm, SignInForm
from tenancy.middleware import COOKIE_KEY
from tenancy.models import Session
from tenancy.services import previews, sessions

PENDING = "second"  # in the signed cookie, between the two steps
PATIENCE = 300.0  # seconds from the password to the code


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form; on success on to where the person was going, if that is here."""
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            session = sessions.sign_in(**_from(request), **form.cleaned_data)
        except sessions.SecondFactorNeeded as needed:
            request.session[PENDING] = [str(needed.user.pk), sessions.proof_of(needed.user), time.time() + PATIENCE]
            return HttpResponseRedirect(f"{reverse('sign-in-code')}?{urlencode({'next': target(request)})}")
        except (Unauthenticated, Throttled) as refusal:
            form.add_error(None, refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
        else:
            return signed_in(request, session)
    page = {"form": form, "next": target(request), "sends_mail": outbox.possible()}
    return render(request, "tenancy/sign_in.html", page, status=status)


@public
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second step: a code. Who takes too long, or comes without the first, begins anew."""
    user_id, proof, until = request.session.get(PENDING) or ("", "", 0)
    if until < time.time():
        return HttpResponseRedirect(reverse("sign-in"))
    form = CodeForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            session = sessions.sign_in_by_code(
                **_from(request), user_id=UUID(user_id), proof=proof, code=form.cleaned_data["code"]
            )
        except (Unauthenticated, Throttled) as refusal:
            form.add_error(None, refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
        else:
            return signed_in(request, session)
    return render(request, "tenancy/sign_in.html", {"form": form, "next": target(request), "step": 2}, status=status)


def _from(request: HttpRequest) -> dict[str, Any]:
    """From where somebody signs in, and with what."""
    address, request_id = getattr(request, "address", ""), getattr(request, "request_id", "")
    return {
        "visitor": Actor(user_id=None, name="", address=address, request_id=request_id),
        "lifetime": sessions.BROWSER_LIFETIME,
        "user_agent": request.headers.get("User-Agent", ""),
    }


def signed_in(request: HttpRequest, session: Session) -> HttpResponse:
    """The cookie of this session, and on to where the person was going. A link that he came by goes with him."""
    link = request.session.get(links.SESSION_KEY)
    request.session.flush()
    request.session[COOKIE_KEY] = str(session.pk)
    if link is not None:
        request.session[links.SESSION_KEY] = link
    rotate_token(request)
    return HttpResponseRedirect(target(request))


@needs(Right.SELF)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session's row, so that a copy of the cookie is worth nothing."""
    sessions.sign_out(actor=previews.end(actor=actor_of(request)))
    request.session.flush()
    return HttpResponseRedirect(reverse("sign-in"))


sign_out.ends_preview = True  # type: ignore[attr-defined]  # read by core.enforce
