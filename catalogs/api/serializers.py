"""Shapes of catalogs and their items."""

from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from rest_framework import serializers

from catalogs.actions import CATALOG, ITEM
from catalogs.models import CatalogItem
from core.api.fields import AllowedActions, Flag, Id, Moment, Shape, Text, Whole
from core.rights import Right

_items = (
    CatalogItem.objects.filter(catalog=OuterRef("pk")).order_by().values("catalog").annotate(n=Count("pk")).values("n")
)


class CatalogOut(Shape):
    sql = {"item_count": Coalesce(Subquery(_items, output_field=IntegerField()), 0)}
    id = Id()
    organization = Id(source="organization_id", allow_null=True, help_text="null: the provider's, seen by all")
    name = Text()
    display_name = Text()
    description = Text()
    source_type = Text()
    enabled = Flag()
    item_count = Whole(source="items.count")
    synced_at = Moment(allow_null=True)
    sync_errors = serializers.JSONField(help_text="what the last sync could not read: file, line, message")
    generation = Whole()
    created_at = Moment()
    allowed_actions = AllowedActions(CATALOG, Right.CATALOG_VIEW)


class CatalogItemOut(Shape):
    id = Id()
    catalog = Id(source="catalog_id")
    catalog_name = Text(source="catalog.name")
    organization = Id(source="catalog.organization_id", allow_null=True)
    type = Text()
    name = Text()
    display_name = Text()
    description = Text()
    version = Text()
    os_family = Text()
    tags = serializers.ListField(child=Text())
    cpu = Whole()
    memory_mib = Whole()
    disk_gib = Whole()
    min_disk_gib = Whole(source="image.min_disk_gib", allow_null=True)
    image_url = Text(source="image.url", allow_null=True)
    allowed_actions = AllowedActions(ITEM, Right.CATALOG_VIEW)
