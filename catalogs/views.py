"""What can I start from?"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from catalogs.listings import ITEMS
from catalogs.models import CatalogItem
from core import access
from core.actor import Actor
from core.enforce import needs
from core.listing.answer import answer
from core.rights import Right


@needs(Right.CATALOG_VIEW)
@require_GET
def catalog(request: HttpRequest) -> HttpResponse:
    return answer(request, ITEMS)


@needs(Right.CATALOG_VIEW)
@require_GET
def item(request: HttpRequest, pk: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    rows = CatalogItem.objects.select_related("catalog__organization", "image")
    found = access.get(actor, rows, pk, Right.CATALOG_VIEW)
    page = {
        "section": "catalog",
        "item": found,
        "may_create": found.image_id and found.catalog.enabled and actor.holds(Right.VM_CREATE),
    }
    return render(request, "catalogs/item.html", page)
