"""Saving and removing a view of a list."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalogs.listings import ITEMS
from clusters.listings import CLUSTERS
from core.enforce import needs
from core.errors import Conflict, Invalid
from core.listing import saved
from core.rights import Right
from tenancy.listings import AUDIT, ORGANIZATIONS, USERS
from vdcs.listings import VDCS
from vms.listings import VMS

LISTS = {listing.name: listing for listing in (VMS, VDCS, ORGANIZATIONS, ITEMS, USERS, CLUSTERS, AUDIT)}


@needs(Right.SELF)
@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Back to the list as it was, now with a tab of that name."""
    listing = LISTS.get(request.POST.get("listing", ""))
    if listing is None:
        raise Invalid.field("listing", "choice", f"A list is one of {', '.join(sorted(LISTS))}.")
    query = request.POST.get("query", "")
    try:
        view = saved.save(
            actor=request.actor,  # type: ignore[attr-defined]  # set by SignedIn
            listing=listing.name,
            name=request.POST.get("name", ""),
            query=query,
        )
    except (Invalid, Conflict) as refusal:
        messages.error(request, refusal.message)
        return HttpResponseRedirect(f"{reverse(listing.url)}?{saved.clean(query)}")
    messages.success(request, f"The view “{view.name}” is kept.")
    return HttpResponseRedirect(f"{reverse(listing.url)}?{view.query}")


@needs(Right.SELF)
@require_POST
def remove_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    view = saved.remove(actor=request.actor, pk=str(pk))  # type: ignore[attr-defined]  # set by SignedIn
    messages.success(request, f"The view “{view.name}” is gone.")
    listing = LISTS.get(view.listing)
    return HttpResponseRedirect(reverse(listing.url) if listing else "/")
