"""Pages for who is not signed in and comes by a link: a new password by mail."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core.actor import Actor
from core.enforce import public
from core.errors import DomainError, Ended, Invalid, NotFound, Throttled, Unavailable
from tenancy import links
from tenancy.forms import ForgottenForm, NewPasswordForm
from tenancy.services import resets

FORM = ["GET", "HEAD", "POST"]
_STATUS = {Throttled: 429, Unavailable: 503, Ended: 410, NotFound: 404}
ASKED = (
    "If there is such an account and it has an e-mail address, a mail with a link is on its way. "
    "The link is good for 30 minutes."
)


def visitor_of(request: HttpRequest) -> Actor:
    address, request_id = getattr(request, "address", ""), getattr(request, "request_id", "")
    return Actor(user_id=None, name="", address=address, request_id=request_id)


def status_of(refusal: DomainError) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(refusal, kind)), 422)


@public
@never_cache
@require_http_methods(FORM)
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a mail with a link. What comes back is the same for every account there is or is not."""
    form = ForgottenForm(request.POST or None)
    status, told = 200, ""
    if request.method == "POST" and form.is_valid():
        try:
            resets.ask_counted(visitor=visitor_of(request), account=form.cleaned_data["account"])
            told = ASKED
        except (Throttled, Unavailable) as refusal:
            form.add_error(None, refusal.message)
            status = status_of(refusal)
    return render(request, "tenancy/forgotten.html", {"form": form, "told": told}, status=status)


@public
@never_cache
@sensitive_post_parameters("new_password", "again")
@require_http_methods(FORM)
def reset(request: HttpRequest) -> HttpResponse:
    """Choose the password. Only sending the form uses the link: programs that look at mail open links, too."""
    token = links.taken(request, resets.PAGE)
    if isinstance(token, HttpResponseRedirect):
        return token
    form = NewPasswordForm(request.POST or None)
    status, ended, name = 200, "", ""
    try:
        name = resets.check(token=token).user.username  # type: ignore[union-attr]  # what has a digest has a user
        if request.method == "POST" and form.is_valid():
            resets.use(visitor=visitor_of(request), token=token, password=form.cleaned_data["new_password"])
            links.forget(request)
            messages.success(request, "Your password is set, and all sessions have ended: sign in with it.")
            return HttpResponseRedirect(reverse("sign-in"))
    except Invalid as refusal:
        form.add_error("new_password", refusal.message)
        status = 422
    except (Ended, NotFound) as refusal:
        ended, status = refusal.message, status_of(refusal)
    page = {"form": form, "ended": ended, "name": name}
    return render(request, "tenancy/reset.html", page, status=status)
