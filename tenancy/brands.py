"""How an organization shows itself: in the portal's frame, and at its doors, where nobody is signed in yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from core import tenants
from core.enforce import public
from core.errors import NotFound
from tenancy.models import Organization, OrganizationLogo

# What a brand is made of, for whoever reads rows by `values`.
FIELDS = ("name", "display_name", "accent_light", "accent_dark", "generation", "logo__digest")
KEPT = "public, max-age=86400"  # addresses change with what is at them


@dataclass(frozen=True)
class Brand:
    """`logo` and `style` are addresses; empty: the portal's own."""

    title: str
    logo: str
    style: str


def brand_of(row: Mapping[str, Any]) -> Brand | None:
    """From FIELDS. None: it has neither a logo nor a colour, so the portal shows its own."""
    if not (row["logo__digest"] or row["accent_light"] or row["accent_dark"]):
        return None
    name = row["name"]
    logo = (
        f"{reverse('brand-logo', args=[name])}?{urlencode({'v': row['logo__digest'][:12]})}"
        if row["logo__digest"]
        else ""
    )
    coloured = row["accent_light"] or row["accent_dark"]
    style = f"{reverse('brand-style', args=[name])}?{urlencode({'v': row['generation']})}" if coloured else ""
    return Brand(row["display_name"], logo, style)


@tenants.everything()
def brand_named(name: str) -> Brand | None:
    """Of the organization of this name; none for one that there is not, alike."""
    row = Organization.objects.filter(name=name, deletion_requested_at=None).values(*FIELDS).first()
    return brand_of(row) if row is not None else None


@public
@require_safe
@tenants.everything()
def logo(request: HttpRequest, name: str) -> HttpResponse:
    """The bytes, as what they were found to be and nothing else: no browser guesses, and nothing in them runs."""
    found = OrganizationLogo.objects.filter(organization__name=name).first()
    if found is None:
        raise NotFound("There is no logo of this name.")
    headers = {
        "Cache-Control": KEPT,
        "Content-Disposition": "inline",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(bytes(found.data), content_type=found.media_type, headers=headers)


@public
@require_safe
@tenants.everything()
def style(request: HttpRequest, name: str) -> HttpResponse:
    """Its colours as a stylesheet of one rule: what stands in the page itself the Content-Security-Policy forbids."""
    row = Organization.objects.filter(name=name).values("accent_light", "accent_dark").first()
    colours = row or {"accent_light": "", "accent_dark": ""}
    light, dark = colours["accent_light"] or "var(--link)", colours["accent_dark"] or "var(--link)"
    text = f":root {{ --brand: light-dark({light}, {dark}); }}\n"
    return HttpResponse(
        text, content_type="text/css", headers={"Cache-Control": KEPT, "X-Content-Type-Options": "nosniff"}
    )
