"""Tokens that a provider signed: whether they are good, and what they say.

OpenID Connect Core 1.0 §3.1.3.7 for id tokens, Back-Channel Logout 1.0 §2.6 for logout tokens. Only asymmetric algorithms:
never `none`, never a secret that we know, too.
"""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

import jwt
from django.utils.crypto import constant_time_compare

from tenancy.oidc import discovery
from tenancy.oidc.discovery import Metadata

FAMILIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
LONGEST = 64 * 1024
LEEWAY_SECONDS = 60
OLDEST_SECONDS = 600  # a token for this very sign-in was made a moment ago
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
SAID = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for somebody else",
    jwt.InvalidIssuerError: "it is from another issuer",
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.MissingRequiredClaimError: "something that it must say is missing",
}


class BadToken(Exception):
    """Why a token is no good, as the end of a sentence. Nothing of the token is in it."""


def _payload(text: Any, metadata: Metadata, client_id: str, required: list[str]) -> dict[str, Any]:
    """What is signed, once signature, issuer, audience and times have been found good."""
    if not isinstance(text, str) or not text or len(text) > LONGEST:
        raise BadToken("there is none, or it is too large")
    try:
        header = jwt.get_unverified_header(text)
    except jwt.InvalidTokenError:
        raise BadToken("it is malformed") from None
    key = _key(header, metadata)
    try:
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=[header["alg"]],
            audience=client_id,
            issuer=metadata.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": required},
        )
    except jwt.InvalidTokenError as error:
        why = next((said for kind, said in SAID.items() if isinstance(error, kind)), "it is malformed")
        raise BadToken(why) from None
    except (OverflowError, TypeError, ValueError):  # times that are no times
        raise BadToken("it is malformed") from None
    _check_party(claims, client_id)
    return claims


def _key(header: Mapping[str, Any], metadata: Metadata) -> jwt.PyJWK:
    alg, kid = header.get("alg"), header.get("kid")
    family = FAMILIES.get(alg) if isinstance(alg, str) else None
    if family is None:
        raise BadToken("it is signed by an algorithm that is not taken")
    if kid is not None and not isinstance(kid, str):
        raise BadToken("it is malformed")
    fitting = [
        key
        for key in discovery.keys_for(metadata, kid)
        if key.get("kty") == family and key.get("use", "sig") == "sig" and key.get("alg", alg) == alg
    ]
    if len(fitting) != 1:
        raise BadToken("it names no key that the provider has now")
    try:
        return jwt.PyJWK(dict(fitting[0]), algorithm=alg)
    except jwt.PyJWTError:
        raise BadToken("the provider’s key can’t be read") from None


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    audience, party = claims.get("aud"), claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise BadToken("it is for several parties and does not say which one asked for it")
    if party is not None and party != client_id:
        raise BadToken("somebody else asked for it")


def id_token(text: Any, metadata: Metadata, client_id: str, *, nonce: str, access_token: str) -> dict[str, Any]:
    """The claims of a good id token, or BadToken."""
    claims = _payload(text, metadata, client_id, ["iss", "sub", "aud", "exp", "iat"])
    subject(claims)
    if not constant_time_compare(str(claims.get("nonce")), nonce):
        raise BadToken("it is not the answer to this sign-in")
    if time.time() - float(claims["iat"]) > OLDEST_SECONDS:
        raise BadToken("it is too old")
    if "at_hash" in claims and claims["at_hash"] != _half_hash(access_token, str(text)):
        raise BadToken("it belongs to another access token")
    return claims


def subject(claims: Mapping[str, Any]) -> str:
    found = claims.get("sub")
    if not isinstance(found, str) or not 0 < len(found) <= 255 or not found.isprintable():
        raise BadToken("it does not say who it is about")
    return found


def _half_hash(access_token: str, text: str) -> str:
    alg = jwt.get_unverified_header(text)["alg"]
    size = "512" if alg == "EdDSA" else alg[2:]
    digest = hashlib.new(f"sha{size}", access_token.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def logout_token(text: Any, metadata: Metadata, client_id: str) -> dict[str, Any]:
    """The claims of a good logout token, or BadToken. That it comes once only, the caller sees to."""
    claims = _payload(text, metadata, client_id, ["iss", "aud", "iat", "jti"])
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise BadToken("it is no logout token")
    if "nonce" in claims:
        raise BadToken("it is an id token")
    if not isinstance(claims["jti"], str) or time.time() - float(claims["iat"]) > OLDEST_SECONDS:
        raise BadToken("it is too old, or has no name of its own")
    if not isinstance(claims.get("sid", ""), str) or not isinstance(claims.get("sub", ""), str):
        raise BadToken("it is malformed")
    if not claims.get("sid") and not claims.get("sub"):
        raise BadToken("it says neither whose sessions end nor which one")
    return claims
