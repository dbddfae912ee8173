"""A list as an answer: the page, with HX-Request its table, with `?ids=` only those rows."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from core.listing.page import Page
from core.listing.spec import Listing


def answer(request: HttpRequest, listing: Listing, **more: Any) -> HttpResponse:
    page = Page(request, listing)
    if "ids" in request.GET:
        return render(request, "list.html#rows", {"page": page})
    template = "list.html#table" if request.headers.get("HX-Request") else "list.html"
    found = render(request, template, {"page": page, "section": listing.section, **more})
    patch_vary_headers(found, ["HX-Request"])
    return found
