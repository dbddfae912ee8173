"""mozilla-django-oidc, once per provider (ADR 21).

It reads every setting through `get_settings`; ours answers from the provider's row and what the provider publishes. What
goes over the network, and what a token must prove, is ours: `door`, `tokens`.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from core import sealed
from tenancy.oidc import claims, discovery, door, tokens
from tenancy.oidc.claims import Proven
from tenancy.oidc.discovery import Metadata
from tenancy.oidc.door import ProviderTrouble
from tenancy.oidc.rows import IdentityProvider
from tenancy.oidc.tokens import BadToken

PURPOSE = "identity-provider"


class Refused(Exception):
    """The provider, or what it sent, does not let the person in. The message is for him."""


@dataclass(frozen=True)
class RelyingParty:
    """OVIM towards one provider."""

    provider: IdentityProvider
    metadata: Metadata

    @classmethod
    def towards(cls, provider: IdentityProvider) -> "RelyingParty":
        """With what the provider publishes; ProviderTrouble if it does not."""
        return cls(provider, discovery.of(provider.issuer))

    @property
    def redirect_uri(self) -> str:
        return callback_of(self.provider)

    def secret(self) -> str:
        data = bytes(self.provider.client_secret)
        return sealed.unseal(data, PURPOSE, what=f"The client secret of {self.provider}") if data else ""

    def setting(self, name: str, *default: Any) -> Any:
        """What the library asks for. What is not in the table has the library's own default."""
        row, told = self.provider, self.metadata
        known = {
            "OIDC_OP_AUTHORIZATION_ENDPOINT": told.authorization_endpoint,
            "OIDC_OP_TOKEN_ENDPOINT": told.token_endpoint,
            "OIDC_OP_USER_ENDPOINT": told.userinfo_endpoint,
            "OIDC_OP_JWKS_ENDPOINT": told.jwks_uri,
            "OIDC_RP_CLIENT_ID": row.client_id,
            "OIDC_RP_CLIENT_SECRET": "",  # unsealed where it is sent
            "OIDC_RP_SCOPES": row.scopes,
            "OIDC_RP_SIGN_ALGO": "RS256",  # the library wants one; `tokens` has the list that counts
            "OIDC_USE_PKCE": True,
            "OIDC_USE_NONCE": True,
            # The library takes an address without arguments; the real one, with the provider in it, is put over it.
            "OIDC_AUTHENTICATION_CALLBACK_URL": "sign-in",
        }
        if name in known:
            return known[name]
        if default:
            return default[0]
        raise ImproperlyConfigured(f"mozilla-django-oidc asks for {name}")


def callback_of(provider: IdentityProvider) -> str:
    """A redirect address for each provider: an answer of one can't be passed off as another's (RFC 9700 §4.4)."""
    return settings.OVIM_PUBLIC_URL + reverse("oidc-callback", args=[provider.slug])


class Departure(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library has no types
    """Sends the browser to the provider, with state, nonce and PKCE, and remembers them."""

    relying: RelyingParty

    def get_settings(self, name: str, *default: Any) -> Any:
        return self.relying.setting(name, *default)

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        extra = {"redirect_uri": self.relying.redirect_uri}
        hint = request.GET.get("hint", "")
        return extra | ({"login_hint": hint[:254]} if hint else {})


class Exchange(OIDCAuthenticationBackend):  # type: ignore[misc]  # the library has no types
    """Trades the code for tokens and reads them. `authenticate` answers a Proven, or raises Refused or ProviderTrouble."""

    def __init__(self, relying: RelyingParty) -> None:
        self.relying = relying
        super().__init__()

    def get_settings(self, name: str, *default: Any) -> Any:
        return self.relying.setting(name, *default)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """As the library's, through our door, and with the secret as the provider takes it."""
        form = {**payload, "redirect_uri": self.relying.redirect_uri}
        form.pop("client_secret")
        headers, secret = {}, self.relying.secret()
        if secret and self.relying.metadata.by_post:
            form["client_secret"] = secret
        elif secret:
            pair = f"{quote_plus(self.relying.provider.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = door.post(self.relying.metadata.token_endpoint, form, headers)
        if answer.status != 200:
            raise Refused(_refusal(answer))
        told = answer.json()
        found = told.get("access_token")
        self.access_token = told["access_token"] = found if isinstance(found, str) else ""
        return told

    def verify_token(self, token: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return tokens.id_token(
                token,
                self.relying.metadata,
                self.relying.provider.client_id,
                nonce=kwargs["nonce"],
                access_token=self.access_token,
            )
        except BadToken as error:
            raise Refused(f"What the provider sent is no good: {error}.") from None

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Nothing of them goes into the cookie."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Proven:
        """Not a user yet: who it is. `tenancy.services.arrivals` knows what becomes of that."""
        sid = payload.get("sid")
        return Proven(
            issuer=self.relying.metadata.issuer,
            subject=payload["sub"],
            sid=sid if isinstance(sid, str) and len(sid) <= 255 and sid.isprintable() else "",
            id_token=id_token,
            claims=payload | self.get_userinfo(access_token, id_token, payload),
            second_factor=claims.second_factor_given(payload, self.relying.provider.multi_factor),
        )

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """More about the same subject; what an id token says of itself stays."""
        address = self.relying.metadata.userinfo_endpoint
        if not address or not access_token:
            return {}
        answer = door.get(address, {"Authorization": f"Bearer {access_token}"})
        if answer.status != 200:
            raise ProviderTrouble(f"The provider answers {answer.status} when asked who you are.")
        if answer.kind != "application/json":
            raise ProviderTrouble("The provider says who you are in a form that OVIM does not read.")
        told = answer.json()
        if told.get("sub") != payload["sub"]:
            raise Refused("What the provider sent is no good: it tells about somebody else.")
        kept = ("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "amr", "acr", "sid", "at_hash")
        return {name: value for name, value in told.items() if name not in kept}


def _refusal(answer: door.Answer) -> str:
    try:
        code = answer.json().get("error")
    except ProviderTrouble:
        code = None
    if code == "invalid_grant":
        return "The provider does not take this sign-in: it was used before, or took too long. Begin anew."
    if code == "invalid_client":
        return "The provider does not know OVIM: its client id or secret is wrong. An admin can mend that."
    return f"The provider refused the sign-in ({answer.status})."
