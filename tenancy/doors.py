"""Pages for who comes by a link, mostly not signed in: a new password by mail, and an invitation."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core.enforce import needs, public
from core.errors import Conflict, DomainError, Ended, Invalid, NotFound, Throttled
from core.rights import Right
from core.ui.filling import actor_of
from core.ui.ways import target
from tenancy import brands, links
from tenancy.entering import enter, visitor_of
from tenancy.forms import AcceptForm, ForgottenForm, NewPasswordForm
from tenancy.models import Invitation
from tenancy.selectors import actor_of_user
from tenancy.services import invitations, resets, sessions

FORM = ["GET", "HEAD", "POST"]
_STATUS = {Conflict: 409, Throttled: 429, Ended: 410, NotFound: 404}
ASKED = (
    "If there is such an account and it has an e-mail address, a mail with a link is on its way. "
    "The link is good for 30 minutes."
)


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
        except (Conflict, Throttled) as refusal:
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


@public
@never_cache
@sensitive_post_parameters("new_password", "again")
@require_http_methods(FORM)
def invitation(request: HttpRequest) -> HttpResponse:
    """What it says, and the form for a new account; who is signed in joins with his (`join`)."""
    token = links.taken(request, invitations.PAGE)
    if isinstance(token, HttpResponseRedirect):
        return token
    form = AcceptForm(request.POST or None)
    status, found, ended = 200, None, ""
    try:
        found = invitations.look(token=token)
        if request.method == "POST" and form.is_valid():
            return _accepted(request, token, form)
    except (Invalid, Conflict) as refusal:
        _place(form, refusal)
        status = status_of(refusal)
    except (Ended, NotFound) as refusal:
        ended, status = refusal.message, status_of(refusal)
    return _invitation_page(request, found, form, ended, status)


def _accepted(request: HttpRequest, token: str, form: AcceptForm) -> HttpResponse:
    """The account is made, and its person signed in: he has just chosen the password."""
    given, visitor = form.cleaned_data, visitor_of(request)
    user = invitations.accept_new(
        visitor=visitor,
        token=token,
        username=given["username"],
        full_name=given["full_name"],
        password=given["new_password"],
    )
    links.forget(request)
    actor = actor_of_user(user.pk, address=visitor.address, request_id=visitor.request_id)
    if actor is None:  # disabled between the two statements
        return HttpResponseRedirect(reverse("sign-in"))
    session = sessions.begin(
        actor=actor,
        user=user,
        way=sessions.Way.BROWSER,
        user_agent=request.headers.get("User-Agent", ""),
    )
    return enter(request, session, target(request))


def _place(form: AcceptForm, refusal: DomainError) -> None:
    names = {"password": "new_password"}
    for error in refusal.errors:
        name = names.get(error.field, error.field)
        form.add_error(name if name in form.fields else None, error.message)
    if not refusal.errors:
        form.add_error(None, refusal.message)


def _invitation_page(
    request: HttpRequest, found: Invitation | None, form: AcceptForm, ended: str, status: int
) -> HttpResponse:
    page = {
        "form": form,
        "ended": ended,
        "invitation": found,
        "vdc_name": invitations.vdc_name(found) if found else None,
        "me": getattr(request, "actor", None),
        "brand": brands.brand_named(found.organization.name) if found else None,
    }
    return render(request, "tenancy/invitation.html", page, status=status)


@needs(Right.ACCOUNT)
@require_POST
def join(request: HttpRequest) -> HttpResponse:
    """Accept with the account that one is signed in with."""
    token = links.taken(request, invitations.PAGE)
    try:
        found = invitations.look(token=str(token))
        invitations.accept_as(actor=actor_of(request), token=str(token))
    except (Conflict, Ended, NotFound) as refusal:
        return _invitation_page(request, None, AcceptForm(), refusal.message, status_of(refusal))
    links.forget(request)
    messages.success(
        request, f"You belong to {found.organization.display_name} now. Switch between organizations at the left."
    )
    return HttpResponseRedirect(f"/?org={found.organization_id}")
