"""Who makes an API request: a bearer token names a session, the session's row says who it is and what he may."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from core import tenants
from core.actor import Actor
from core.errors import Unauthenticated
from tenancy import selectors
from tenancy.api import tokens
from tenancy.services import access_tokens
from tenancy.services.sessions import ENDED, note_use


class SignedInUser:
    """What DRF wants to see as `request.user`. Everything of ours goes by the Actor, which is `request.auth`."""

    is_authenticated = True

    def __init__(self, actor: Actor) -> None:
        self.pk = self.id = actor.user_id
        self.username = actor.name


class BearerSession(BaseAuthentication):
    """`Authorization: Bearer <access token>`. No header: nobody; a header that is no good: refused."""

    def authenticate(self, request: Request) -> tuple[SignedInUser, Actor] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthenticated("The Authorization header must be: Bearer <access token>.")
        if text.strip().startswith(access_tokens.PREFIX):
            actor = self._by_token(request, text.strip())
            return SignedInUser(actor), actor
        claims = tokens.read(text.strip(), tokens.Kind.ACCESS)
        plain: Any = request._request
        address, request_id = getattr(plain, "address", ""), getattr(plain, "request_id", "")
        found = selectors.seen_in_session(claims.session_id, address=address, request_id=request_id)
        if found is None:
            raise Unauthenticated(ENDED)
        actor, noted = found
        tenants.enter(actor)
        if not noted:
            note_use(claims.session_id)
        return SignedInUser(actor), actor

    def _by_token(self, request: Request, text: str) -> Actor:
        plain: Any = request._request
        address = getattr(plain, "address", "")
        digest = access_tokens.digest_of(text) if len(text) <= access_tokens.LONGEST else ""
        found = selectors.actor_of_token(digest, address=address, request_id=getattr(plain, "request_id", ""))
        if found is None:
            raise Unauthenticated(access_tokens.NO_GOOD)
        actor, noted = found
        tenants.enter(actor)
        if not noted:
            access_tokens.note_use(digest, address)
        return actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names the above."""

    target_class = "tenancy.api.authentication.BearerSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
