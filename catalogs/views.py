"""What can I start from?"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from catalogs.models import CatalogItem
from core import access
from core.actor import Actor
from core.enforce import needs
from core.rights import Right

MOST = 200


@needs(Right.CATALOG_VIEW)
@require_GET
def catalog(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by SignedIn
    items = CatalogItem.objects.filter(catalog__enabled=True).select_related("catalog", "catalog__organization")
    page = {
        "section": "catalog",
        "items": list(access.visible(actor, items.order_by("display_name", "pk"), Right.CATALOG_VIEW)[:MOST]),
        "may_create": actor.holds(Right.VM_CREATE),
    }
    return render(request, "catalogs/list.html", page)
