"""A list as an answer: the page, with HX-Request its table, with `?ids=` only those rows, with `?peek=` a row's panel."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString

from core.errors import NotFound
from core.ids import uuids_in
from core.listing import matching
from core.listing.cells import options_html
from core.listing.counts import facet
from core.listing.menu import panel
from core.listing.page import Page
from core.listing.spec import Listing
from core.ui.ways import came_from


def answer(request: HttpRequest, listing: Listing, **more: Any) -> HttpResponse:
    page = Page(request, listing)
    if "facet" in request.GET:
        return JsonResponse(facet(request, page, request.GET["facet"]))
    if "counts" in request.GET:  # the same without scripts: every choice, with its numbers
        for item in page.filters:
            item["options"] = _numbered(request, page, item)
    if "ids" in request.GET:
        return render(request, "list.html#rows", {"page": page})
    peek = _peek(request, listing)
    if peek is not None and request.headers.get("HX-Request"):
        found = render(request, "parts/peek.html", {"page": page, "peek": peek, "next": came_from(request)})
        patch_vary_headers(found, ["HX-Request"])
        return found
    template = "list.html#table" if request.headers.get("HX-Request") else "list.html"
    shown = {"page": page, "section": listing.section, "peek": peek, "match": _match(page)}
    found = render(request, template, shown | {"next": request.get_full_path()} | more)
    patch_vary_headers(found, ["HX-Request"])
    return found


def _numbered(request: HttpRequest, page: Page, item: Mapping[str, Any]) -> SafeString:
    numbers = facet(request, page, item["key"])
    options = item["spec"].options(page.actor, page.given)
    told = [(value, f"{label} ({numbers[value]})" if value in numbers else label) for value, label in options]
    return options_html(told, item["value"])


def _match(page: Page) -> dict[str, Any] | None:
    """Choosing all that match, where that is more than the page shows and less than would be too many."""
    if not page.verbs or f"{page.count}" == page.total or not page.rows:
        return None
    most, count = matching.MOST, page.total.replace(",", "")
    few = count.isdecimal() and int(count) <= most
    return {"token": matching.token(page) if few else "", "total": page.total, "most": most}


def _peek(request: HttpRequest, listing: Listing) -> dict[str, Any] | None:
    """The panel that the address asks for. One of a row that is not there: none on the page, 404 alone."""
    ids = uuids_in(request.GET.get("peek", ""), 1)
    if not ids or not listing.detail:
        return None
    try:
        return panel(request, listing, ids[0])
    except NotFound:
        if request.headers.get("HX-Request"):
            raise
        return None
