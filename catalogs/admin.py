"""Catalogs, items and images in the admin."""

from django.contrib import admin

from catalogs.models import Catalog, CatalogItem, Image, ImageProbe
from core.backoffice.base import Admin, points


@admin.register(Catalog)
class CatalogAdmin(Admin):
    list_display = ("name", "organization", "source_type", "enabled", "synced_at", "created_at")
    list_filter = ("enabled", "source_type")
    list_select_related = ("organization",)
    find_by_id = ("id", "organization_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the catalog or organization."
    related = ("catalogitem", "image", "auditentry")


@admin.register(CatalogItem)
class CatalogItemAdmin(Admin):
    list_display = ("name", "catalog", "type", "os_family", "image", "cpu", "memory_mib", "disk_gib")
    list_filter = ("type",)
    list_select_related = ("catalog", "image")
    secret = ("user_data",)
    find_by_id = ("id", "catalog_id", "image_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the item, catalog or image."


@admin.register(Image)
class ImageAdmin(Admin):
    list_display = ("name", "catalog", "url", "min_disk_gib")
    list_select_related = ("catalog",)
    find_by_id = ("id", "catalog_id")
    find_by_name = ("name",)
    search_help_text = "How the name begins, or the id of the image or catalog."
    related = ("catalogitem",)


@admin.register(ImageProbe)
class ImageProbeAdmin(Admin):
    list_display = ("id", points("disk_id", "disk"), "url", "verdict", "message", "attempts", "due_at", "judged_at")
    list_filter = ("verdict",)
    find_by_id = ("id", "disk_id")
    search_help_text = "Its id, or that of the disk."
