"""Under /api/v1/."""

from catalogs.api import views
from core.api.routes import resource

urlpatterns = [
    *resource("catalogs", views.CatalogViewSet, "catalog"),
    *resource("catalog-items", views.CatalogItemViewSet, "catalog-item"),
]
