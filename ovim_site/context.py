"""What every page's frame needs: who is here, where, how he likes it, and which ways the navigation may show."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from core.actor import Actor, Level
from ovim_site.portal import place, ways
from ovim_site.portal.preferences import preferences


def shell(request: HttpRequest) -> dict[str, Any]:
    """Costs no query until the name of the place is shown."""
    actor: Actor | None = getattr(request, "actor", None)
    found: dict[str, Any] = {"actor": actor, "live_url": settings.OVIM_LIVE_URL, "look": preferences(request)}
    found["zone"] = timezone.get_current_timezone_name()
    if actor is not None:
        where = place.chosen(request)
        found["navigation"] = _grouped(ways.open_to(actor))
        found["place"] = SimpleLazyObject(lambda: place.named(actor, where))
        found["place_query"] = f"?{urlencode(where)}" if where else ""
        # The provider's people inside a tenant are told so; a page of one thing says whose it is by `inside`.
        if any(grant.level is Level.SYSTEM for grant in actor.grants):
            found["acting"] = {"chosen": bool(where), "leave": place.without(request)}
    return found


def _grouped(open_ways: list[ways.Way]) -> tuple[tuple[str, tuple[ways.Way, ...]], ...]:
    groups: dict[str, list[ways.Way]] = {}
    for way in open_ways:
        groups.setdefault(way.group, []).append(way)
    return tuple((name, tuple(entries)) for name, entries in groups.items())
