"""One's own identities: which providers lead into the account, and how one is linked or taken away."""

import time
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.enforce import needs
from core.errors import Conflict
from core.rights import Right
from core.ui.filling import FORM, actor_of
from tenancy.models import User
from tenancy.oidc import onward, realms
from tenancy.oidc.rows import Identity, IdentityProvider
from tenancy.oidc.views import FOUND, LINKING
from tenancy.services import arrivals


@needs(Right.ACCOUNT)
@never_cache
@require_safe
def identity_list(request: HttpRequest) -> HttpResponse:
    return _shown(request)


def _shown(request: HttpRequest, refusal: str = "") -> HttpResponse:
    user = User.objects.get(pk=actor_of(request).account_id)
    rows = Identity.objects.filter(user=user).select_related("provider__organization").order_by("pk")
    page = {
        "section": "settings",
        "identities": rows,
        "providers": realms.linkable(user)[: realms.MOST],
        "has_password": user.has_usable_password(),
        "refusal": refusal,
    }
    return render(request, "tenancy/identities.html", page, status=409 if refusal else 200)


@needs(Right.ACCOUNT)
@require_POST
def identity_link(request: HttpRequest, slug: str) -> HttpResponse:
    """Off to the provider, marked as a link that was asked for here: an address alone can't begin one."""
    provider = realms.by_slug(slug)
    request.session[LINKING] = [slug, str(actor_of(request).user_id)]
    address = reverse("oidc-start", args=[slug])
    return onward.away(request, address, f"Link an identity of {provider.display_name}", provider)


@needs(Right.ACCOUNT)
@never_cache
@require_http_methods(FORM)
def identity_confirm(request: HttpRequest) -> HttpResponse:
    """Which identity the provider gave. Nothing is linked before the person says that it is his."""
    pk, issuer, subject, name, until = request.session.get(FOUND) or ("", "", "", "", 0)
    provider = realms.by_id(pk) if pk and until > time.time() else None
    if provider is None:
        return HttpResponseRedirect(reverse("identity-list"))
    if request.method == "POST":
        request.session.pop(FOUND)
        return _link(request, provider, issuer, subject)
    page = {"section": "settings", "provider": provider, "subject": subject, "name": name}
    return render(request, "tenancy/identity_confirm.html", page)


def _link(request: HttpRequest, provider: IdentityProvider, issuer: str, subject: str) -> HttpResponse:
    try:
        arrivals.link(actor=actor_of(request), provider=provider, issuer=issuer, subject=subject)
    except Conflict as refusal:
        return _shown(request, refusal.message)
    messages.success(request, f"You can sign in with {provider.display_name} now.")
    return HttpResponseRedirect(reverse("identity-list"))


@needs(Right.ACCOUNT)
@require_POST
def identity_remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        arrivals.unlink(actor=actor_of(request), identity_id=pk)
    except Conflict as refusal:
        return _shown(request, refusal.message)
    messages.success(request, "The identity is removed.")
    return HttpResponseRedirect(reverse("identity-list"))
