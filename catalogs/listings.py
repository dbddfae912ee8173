"""The list of what one can start from."""

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html

from catalogs.models import CatalogItem, ItemType
from core.listing.cells import NOTHING, bdi
from core.listing.spec import Column, Empty, Listing, Row, Sort, choices, contains
from core.rights import Right
from core.ui.amounts import gib, mib


def _rows() -> QuerySet[CatalogItem]:
    return CatalogItem.objects.filter(catalog__enabled=True)


def _source(row: Row) -> str:
    owner = row["catalog__organization__name"]
    return bdi(f"{row['catalog__display_name']}, {owner or 'from the provider'}")


def _use(row: Row) -> str:
    """Short on the screen; a screen reader hears of what."""
    if not row["image_id"]:
        return NOTHING
    return format_html(
        '<a class="button" href="{}?catalog_item={}">Create VM<span class="hushed"> from {}</span></a>',
        reverse("vm-new"), row["pk"], row["display_name"],
    )  # fmt: skip


ITEMS = Listing(
    name="item",
    title="Catalog",
    noun="template",
    section="catalog",
    url="catalog",
    detail="catalog-item",
    right=Right.CATALOG_VIEW,
    rows=_rows,
    organization_path="catalog__organization_id",
    fields=(
        "display_name", "name", "version", "type", "os_family", "description", "image_id", "cpu", "memory_mib",
        "disk_gib", "catalog__display_name", "catalog__organization__name",
    ),
    columns=(
        Column("name", "Name", lambda row: str(row["display_name"]), "w-name", sort="name"),
        Column("version", "Version", lambda row: row["version"] or NOTHING, "w-6"),
        Column("about", "About", lambda row: str(row["description"]), "why mid"),
        Column("source", "Catalog", _source, "second w-16"),
        Column("cpu", "vCPU", lambda row: str(row["cpu"]), "number w-4"),
        Column("memory", "Memory", lambda row: bdi(mib(row["memory_mib"])), "number w-6"),
        Column("disk", "Disk", lambda row: bdi(gib(row["disk_gib"])), "number w-6"),
        Column("os", "System", lambda row: row["os_family"] or NOTHING, "w-7", optional=True),
        Column("use", "Start", _use, "lead number w-9", shown=lambda actor: actor.holds(Right.VM_CREATE)),
    ),
    sorts=(Sort("name", "display_name"), Sort("created", newest_first=True)),
    search=contains("display_name", "name", "description"),
    filters=(
        choices(
            "type", "Kind",
            [("", "Any"), (ItemType.VM_TEMPLATE, "VM template"), (ItemType.APPLICATION_STACK, "Application stack")],
        ),
    ),
    label=lambda row: str(row["display_name"]),
    empty=Empty(
        "Nothing is offered yet", "", "An admin of your organization, or your provider, can add a catalog."
    ),
)  # fmt: skip
