"""Pages of tenancy: signing in and out."""

import time
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core import tenants
from core.enforce import needs, public
from core.errors import Throttled, Unauthenticated
from core.mail import outbox
from core.rights import Right
from core.ui.filling import actor_of
from core.ui.ways import target
from tenancy import brands
from tenancy.entering import ARRIVAL, PATIENCE, PENDING, enter, whence
from tenancy.forms import CodeForm, SignInForm
from tenancy.oidc import onward, realms
from tenancy.services import arrivals, previews, sessions


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, organization: str = "") -> HttpResponse:
    """The form, and the providers of everybody or of an organization; then on to where the person was going."""
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            session = sessions.sign_in(**whence(request), **form.cleaned_data)
        except sessions.SecondFactorNeeded as needed:
            request.session.pop(ARRIVAL, None)
            request.session[PENDING] = [str(needed.user.pk), sessions.proof_of(needed.user), time.time() + PATIENCE]
            return HttpResponseRedirect(f"{reverse('sign-in-code')}?{urlencode({'next': target(request)})}")
        except (Unauthenticated, Throttled) as refusal:
            form.add_error(None, refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
        else:
            return enter(request, session, target(request))
    page = {
        "form": form,
        "next": target(request),
        "sends_mail": outbox.possible(),
        "providers": realms.offered(organization),
        "brand": brands.brand_named(organization) if organization else None,
    }
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
                **whence(request), user_id=UUID(user_id), proof=proof, code=form.cleaned_data["code"]
            )
            arrivals.complete(arrival=request.session.get(ARRIVAL), session=session)
        except (Unauthenticated, Throttled) as refusal:
            form.add_error(None, refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
        else:
            return enter(request, session, target(request))
    return render(request, "tenancy/sign_in.html", {"form": form, "next": target(request), "step": 2}, status=status)


@needs(Right.SELF)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session's row, so that a copy of the cookie is worth nothing; then the provider's, if it came from one."""
    me = previews.end(actor=actor_of(request))
    tenants.enter(me)  # in a preview, the bounds were those of the person seen
    sessions.sign_out(actor=me)
    request.session.flush()
    return onward.out(request, me) or HttpResponseRedirect(reverse("sign-in"))


sign_out.ends_preview = True  # type: ignore[attr-defined]  # read by core.enforce
