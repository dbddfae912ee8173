"""Pages of tenancy: signing in and out."""

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
from core.rights import Right
from core.ui.ways import target
from tenancy.forms import SignInForm
from tenancy.middleware import COOKIE_KEY
from tenancy.services import sessions


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form; on success on to where the person was going, if that is here."""
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        visitor = Actor(
            user_id=None,
            name="",
            address=getattr(request, "address", ""),
            request_id=getattr(request, "request_id", ""),
        )
        try:
            session = sessions.sign_in(
                visitor=visitor,
                lifetime=sessions.BROWSER_LIFETIME,
                user_agent=request.headers.get("User-Agent", ""),
                **form.cleaned_data,
            )
        except (Unauthenticated, Throttled) as refusal:
            form.add_error(None, refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
        else:
            request.session.flush()
            request.session[COOKIE_KEY] = str(session.pk)
            rotate_token(request)
            return HttpResponseRedirect(target(request))
    return render(request, "tenancy/sign_in.html", {"form": form, "next": target(request)}, status=status)


@needs(Right.SELF)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session's row, so that a copy of the cookie is worth nothing."""
    sessions.sign_out(actor=request.actor)  # type: ignore[attr-defined]  # set by SignedIn
    request.session.flush()
    return HttpResponseRedirect(reverse("sign-in"))
