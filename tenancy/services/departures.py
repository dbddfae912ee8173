"""Signing out together with the provider: OVIM tells it (RP-initiated), and it tells OVIM (back-channel)."""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from core import sealed, tenants
from core.actor import Actor, system_actor
from tenancy.oidc.rows import IdentityProvider, ProviderSession, SpentToken
from tenancy.services import sessions
from tenancy.services.arrivals import PURPOSE

REMEMBERED = timedelta(days=1)  # longer than any token of a provider is taken


@dataclass(frozen=True)
class Hint:
    """What the provider needs to end its own session."""

    provider: IdentityProvider
    id_token: str


def hint_of(actor: Actor) -> Hint | None:
    """How the session that the actor came with began; None: by password."""
    if actor.session_id is None:
        return None
    found = (
        ProviderSession.objects.filter(session_id=actor.session_id)
        .select_related("identity__provider__organization")
        .first()
    )
    if found is None:
        return None
    text = sealed.unseal(bytes(found.id_token), PURPOSE, what="The token of a sign-in")
    return Hint(found.identity.provider, text)


def spend(kind: str, provider: IdentityProvider, text: str) -> bool:
    """Whether this comes for the first time. Commits with its transaction."""
    now = timezone.now()
    SpentToken.objects.filter(expires_at__lt=now).delete()
    digest = hashlib.sha256(f"{kind} {provider.pk} {text}".encode()).hexdigest()
    _row, new = SpentToken.objects.get_or_create(digest=digest, defaults={"expires_at": now + REMEMBERED})
    return new


@tenants.everything()
@transaction.atomic
def end_by_provider(*, visitor: Actor, provider: IdentityProvider, told: dict[str, Any]) -> int:
    """End the sessions that a good logout token names: the provider's one, or all of a subject. How many there were."""
    rows = ProviderSession.objects.filter(identity__provider=provider, identity__issuer=provider.issuer)
    if told.get("sid"):
        rows = rows.filter(sid=told["sid"])
    if told.get("sub"):
        rows = rows.filter(identity__subject=told["sub"])
    rows.filter(session=None).delete()  # what waits for a code of OVIM's own is to become no session
    actor = replace(
        system_actor(f"identity provider {provider.slug}"), address=visitor.address, request_id=visitor.request_id
    )
    alive = rows.filter(session__revoked_at=None, session__expires_at__gt=timezone.now())
    found = list(alive.select_related("session__user").order_by("pk"))
    for row in found:
        if row.session is not None:
            sessions.end(actor=actor, session=row.session)
    return len(found)
