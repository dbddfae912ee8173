"""Signing in by an identity provider: there, back, and out when it says so."""

import time
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from core.actor import Actor
from core.enforce import public
from core.errors import DomainError, Throttled, Unavailable
from core.ui.ways import target
from tenancy.entering import ARRIVAL, PATIENCE, PENDING, enter, whence
from tenancy.forms import SignInForm
from tenancy.oidc import onward, realms, tokens
from tenancy.oidc.claims import Proven, text, username_of
from tenancy.oidc.library import Departure, Exchange, Refused, RelyingParty
from tenancy.oidc.rows import IdentityProvider
from tenancy.services import arrivals, departures, sessions, throttle

STATES = "oidc_states"  # the library's name for the sign-ins that this browser has begun
LINKING = "oidc_link"  # for which provider and account a link was asked for, by a form of ours
FOUND = "oidc_found"  # the identity that is to be confirmed
OLDEST_SECONDS = 900.0
LOST = "This sign-in was not begun in this browser, was used before, or took too long: begin anew."
REFUSALS = {
    "access_denied": "The provider did not let you in, or you did not agree.",
    "login_required": "The provider wants you to sign in to it first.",
    "temporarily_unavailable": "The provider is overloaded: try again in a moment.",
    "invalid_scope": "The provider does not know one of the scopes that OVIM asks for. An admin can mend that.",
}


@public
@never_cache
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """From an e-mail address to its provider, from an organization's name to its page."""
    who = request.GET.get("who", "").strip()[:254]
    going = target(request)
    if "@" in who:
        provider = realms.of_address(who)
        if provider is not None:
            query = urlencode({"next": going, "hint": who})
            address = f"{reverse('oidc-start', args=[provider.slug])}?{query}"
            return onward.away(request, address, f"On to {provider.display_name}", provider)
    elif realms.has_own(who.lower()):
        return HttpResponseRedirect(f"{reverse('sign-in-to', args=[who.lower()])}?{urlencode({'next': going})}")
    page = {"form": SignInForm(), "next": going, "providers": realms.offered(""), "lost": who}
    return render(request, "tenancy/sign_in.html", page)


@public
@never_cache
@require_safe
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Off to the provider."""
    provider = realms.by_slug(slug)
    try:
        relying = RelyingParty.towards(provider)
    except Unavailable as trouble:
        return _failed(request, provider, trouble.message, failed=True)
    answer: HttpResponse = Departure(relying=relying).get(request)
    request.session.pop("oidc_login_next", None)
    entry = request.session[STATES][next(reversed(request.session[STATES]))]
    entry |= {"provider": str(provider.pk), "next": target(request)[:512]}
    asked = request.session.pop(LINKING, None)
    actor: Actor | None = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    if actor is not None and asked == [slug, str(actor.user_id)]:
        entry["link"] = str(actor.user_id)
    request.session.modified = True
    return answer


@public
@never_cache
@require_safe
def callback(request: HttpRequest, slug: str) -> HttpResponse:
    """Back from the provider. Whatever is wrong is a page and an audit entry, and nothing has happened."""
    provider = realms.by_slug(slug)
    try:
        entry = _entry(request, provider)
        proven = _proven(request, provider, entry)
        if entry.get("link"):
            return _confirm_link(request, provider, proven, entry["link"])
        arrival = arrivals.arrive(provider=provider, proven=proven, **whence(request))
    except Refused as refusal:
        return _failed(request, provider, str(refusal))
    except DomainError as refusal:
        return _failed(request, provider, refusal.message, failed=isinstance(refusal, Unavailable))
    if arrival.session is not None:
        return enter(request, arrival.session, entry["next"])
    user = arrival.user
    request.session[PENDING] = [str(user.pk), sessions.proof_of(user), time.time() + PATIENCE]
    request.session[ARRIVAL] = str(arrival.row.pk)
    return HttpResponseRedirect(f"{reverse('sign-in-code')}?{urlencode({'next': entry['next']})}")


def _entry(request: HttpRequest, provider: IdentityProvider) -> dict[str, Any]:
    """What this browser was sent off with. It is good once, also where an older cookie comes back."""
    state = request.GET.get("state", "")
    entry = request.session.get(STATES, {}).pop(state, None)
    request.session.modified = True
    if entry is None or entry.get("provider") != str(provider.pk) or time.time() - entry["added_on"] > OLDEST_SECONDS:
        raise Refused(LOST)
    with transaction.atomic():
        if not departures.spend("state", provider, state):
            raise Refused(LOST)
    found: dict[str, Any] = entry
    return found


def _proven(request: HttpRequest, provider: IdentityProvider, entry: dict[str, Any]) -> Proven:
    error = request.GET.get("error")
    if error:
        raise Refused(REFUSALS.get(error, "The provider refused the sign-in."))
    relying = RelyingParty.towards(provider)
    issuer = request.GET.get("iss")
    if (issuer is not None or relying.metadata.names_itself) and issuer != provider.issuer:
        raise Refused("The answer came from another provider than the one that was asked.")
    proven = Exchange(relying).authenticate(request, nonce=entry["nonce"], code_verifier=entry["code_verifier"])
    if not isinstance(proven, Proven):
        raise Refused("The provider’s answer is not complete.")
    return proven


def _confirm_link(request: HttpRequest, provider: IdentityProvider, proven: Proven, user_id: str) -> HttpResponse:
    """No link yet: the person sees first which identity the provider has given."""
    actor: Actor | None = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    if actor is None or str(actor.user_id) != user_id:
        raise Refused(LOST)
    name = text(proven.claims, provider.email_claim) or username_of(proven.claims, (provider.username_claim,))
    request.session[FOUND] = [str(provider.pk), proven.issuer, proven.subject, name[:254], time.time() + PATIENCE]
    return HttpResponseRedirect(reverse("identity-confirm"))


def _failed(request: HttpRequest, provider: IdentityProvider, reason: str, *, failed: bool = False) -> HttpResponse:
    visitor: Actor = whence(request)["visitor"]
    try:
        throttle.failed_by_provider(visitor.address)
    except Throttled as refusal:
        page = {"provider": provider, "reason": refusal.message, "request_id": visitor.request_id}
        return render(request, "tenancy/sign_in_failed.html", page, status=429)
    tried = Actor(
        user_id=None,
        name=f"somebody by {provider.slug}",
        address=visitor.address,
        request_id=visitor.request_id,
        organization_id=provider.organization_id,
    )
    arrivals.note_refusal(tried=tried, provider=provider, action="session.begin", reason=reason, failed=failed)
    page = {"provider": provider, "reason": reason, "request_id": visitor.request_id}
    return render(request, "tenancy/sign_in_failed.html", page, status=503 if failed else 422)


@csrf_exempt
@public
@never_cache
@require_POST
def back_channel_logout(request: HttpRequest, slug: str) -> HttpResponse:
    """The provider says that somebody has signed out there (Back-Channel Logout 1.0): his sessions here end now."""
    provider = realms.by_slug(slug)
    visitor: Actor = whence(request)["visitor"]
    try:
        metadata = RelyingParty.towards(provider).metadata
        told = tokens.logout_token(request.POST.get("logout_token"), metadata, provider.client_id)
        with transaction.atomic():
            if not departures.spend("jti", provider, told["jti"]):
                raise tokens.BadToken("it was used before")
            departures.end_by_provider(visitor=visitor, provider=provider, told=told)
    except tokens.BadToken as error:
        throttle.failed_by_provider(visitor.address)
        reason = f"A logout token is no good: {error}."
        tried = Actor(None, provider.slug, address=visitor.address)
        arrivals.note_refusal(tried=tried, provider=provider, action="session.end", reason=reason)
        return JsonResponse({"error": "invalid_request", "error_description": reason}, status=400)
    except Unavailable as trouble:
        return JsonResponse({"error": "temporarily_unavailable", "error_description": trouble.message}, status=503)
    return HttpResponse(status=200)
