"""Catalogs and what is in them, to look at."""

from catalogs.api import serializers
from catalogs.models import Catalog, CatalogItem
from core.api.base import ApiViewSet
from core.rights import Right


class CatalogViewSet(ApiViewSet):
    queryset = Catalog.objects.all()
    read_right = Right.CATALOG_VIEW
    rights = {"list": Right.CATALOG_VIEW, "retrieve": Right.CATALOG_VIEW}
    out = serializers.CatalogOut
    filters = {"organization": "organization_id", "name": "name", "enabled": "enabled"}
    search = ("name", "display_name")


class CatalogItemViewSet(ApiViewSet):
    queryset = CatalogItem.objects.select_related("catalog", "image")
    read_right = Right.CATALOG_VIEW
    rights = {"list": Right.CATALOG_VIEW, "retrieve": Right.CATALOG_VIEW}
    out = serializers.CatalogItemOut
    versioned = False
    filters = {
        "catalog": "catalog_id",
        "organization": "catalog__organization_id",
        "type": "type",
        "name": "name",
    }
    search = ("name", "display_name", "description")
