"""“What would this person get?”: a sign-in with claims that an admin pastes, carried out and rolled back."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.actor import Actor
from core.errors import DomainError, Invalid
from core.trial import trial
from tenancy.oidc import claims
from tenancy.oidc.claims import Proven
from tenancy.oidc.rows import GroupRule, IdentityProvider
from tenancy.services import arrivals, identity_providers, provider_roles, sessions
from tenancy.services.provider_roles import Place

LONGEST = 64 * 1024
NOBODY = "(nobody that is known)"


@dataclass
class Preview:
    """What would come of it. `refusal`: why the person would not get in; then nothing would change either."""

    username: str = ""
    new: bool = False
    refusal: str = ""
    notes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    rules: list[tuple[GroupRule, bool]] = field(default_factory=list)
    made: list[Place] = field(default_factory=list)
    removed: list[Place] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    second_factor: bool = False


def preview(*, actor: Actor, provider: IdentityProvider, pasted: str) -> Preview:
    """`pasted`: claims as JSON, or a token, of which only the payload is read: nothing proves that it is real."""
    identity_providers.require(actor, provider.organization)
    said = read(pasted)
    rules = provider_roles.rules_of(provider)
    told = provider_roles.told_by(provider, rules, said)
    found = Preview(
        groups=told[provider.groups_claim],
        rules=[(rule, provider_roles.holds(provider, rule, told)) for rule in rules],
        second_factor=claims.second_factor_given(said, provider.multi_factor),
    )
    if said.get("iss") not in (None, provider.issuer):
        found.notes.append("The token is from another issuer: at sign-in it would be refused.")
    subject = said.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        found.notes.append("There is no subject (sub) in it: shown is what somebody new would get.")
        subject = NOBODY
    proven = Proven(provider.issuer, subject, claims=said, second_factor=found.second_factor)
    visitor = Actor(user_id=None, name="", address=actor.address, request_id=actor.request_id)
    try:
        with trial():
            arrival = arrivals.arrive(
                visitor=visitor, provider=provider, proven=proven, way=sessions.Way.BROWSER, user_agent=""
            )
    except DomainError as refusal:
        found.refusal = refusal.message
        return found
    found.username, found.new = arrival.user.username, arrival.new
    found.made, found.removed, found.kept = arrival.changes.made, arrival.changes.removed, arrival.changes.kept
    return found


def read(pasted: str) -> dict[str, Any]:
    """The claims, or Invalid. Nothing of what was pasted is in the message."""
    text = pasted.strip()
    if len(text) > LONGEST:
        raise Invalid.field("pasted", "max_length", f"At most {LONGEST} characters.")
    try:
        if not text.startswith("{"):
            part = text.split(".")[1]
            text = urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
        found = orjson.loads(text)
    except (IndexError, ValueError):
        raise Invalid.field("pasted", "claims", "Paste a token, or its claims as a JSON object.") from None
    if not isinstance(found, dict):
        raise Invalid.field("pasted", "claims", "Paste a token, or its claims as a JSON object.")
    return found
