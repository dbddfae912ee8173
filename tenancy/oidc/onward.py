"""Leaving for another origin after a form was sent: by a page, since the CSP lets no form lead away from here."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from core.actor import Actor
from core.errors import Unavailable
from tenancy.oidc import discovery
from tenancy.oidc.rows import IdentityProvider
from tenancy.services import departures


def away(request: HttpRequest, address: str, title: str, provider: IdentityProvider) -> HttpResponse:
    """A page that goes on by itself at once, and has a link for who does not wait."""
    page = {"title": title, "address": address, "provider": provider}
    answer = render(request, "tenancy/onward.html", page)
    answer["Refresh"] = f"0; url={address}"
    answer["Cache-Control"] = "no-store"
    return answer


def out(request: HttpRequest, actor: Actor) -> HttpResponse | None:
    """Ends the provider's session, too (RP-Initiated Logout 1.0). None: there is none, or it can't be done from here.

    Whatever is wrong with the provider, one's session here has ended.
    """
    try:
        hint = departures.hint_of(actor)
        if hint is None:
            return None
        end = discovery.of(hint.provider.issuer).end_session_endpoint
    except Unavailable:
        return None
    if not end:
        return None
    query = urlencode(
        {
            "id_token_hint": hint.id_token,
            "post_logout_redirect_uri": signed_out_address(),
            "client_id": hint.provider.client_id,
        }
    )
    return away(request, f"{end}{'&' if '?' in end else '?'}{query}", "You are signed out of OVIM", hint.provider)


def signed_out_address() -> str:
    """Where the provider leads back to; it has to be registered there."""
    return settings.OVIM_PUBLIC_URL + reverse("sign-in")
