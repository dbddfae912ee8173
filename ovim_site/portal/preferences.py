"""How somebody likes the portal: theme, density, keys, zone. In cookies, which the server reads: nothing flashes."""

from collections.abc import Mapping, Sequence

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from core.enforce import needs, public
from core.listing.cells import options_html
from core.rights import Right
from core.ui.ways import target
from ovim_site.portal import zones

# name → what it may be; the first is what nobody chose, and is no cookie.
CHOICES: Mapping[str, Sequence[str]] = {
    "theme": ("auto", "light", "dark"),
    "density": ("normal", "compact", "roomy"),
    "keys": ("on", "off"),
}
YEAR = 365 * 86400


def preferences(request: HttpRequest) -> dict[str, str]:
    found = {}
    for name, known in CHOICES.items():
        value = request.COOKIES.get(name, "")
        found[name] = value if value in known else known[0]
    return found | {"browser_zone": zones.told(request)}


@public
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Also on the sign-in page, so for everybody; another value than those there are changes nothing."""
    answer = HttpResponseRedirect(target(request))
    for name, known in CHOICES.items():
        value = request.POST.get(name, "")
        if value == known[0]:
            answer.delete_cookie(name, samesite="Lax")
        elif value in known:
            _keep(request, answer, name, value)
    if request.POST.get(zones.CHOSEN) == "":
        answer.delete_cookie(zones.CHOSEN, samesite="Lax")
    elif zones.is_known(request.POST.get(zones.CHOSEN, "")):
        _keep(request, answer, zones.CHOSEN, request.POST[zones.CHOSEN])
    return answer


def _keep(request: HttpRequest, answer: HttpResponse, name: str, value: str) -> None:
    answer.set_cookie(name, value, max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=True)


@needs(Right.SELF)
@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    own = zones.told(request)
    offered = [("", f"The browser’s: {own}" if own else "The browser’s"), *((name, name) for name in zones.known())]
    page = {"section": "settings", "zones": options_html(offered, zones.chosen(request))}
    return render(request, "portal/settings.html", page)
