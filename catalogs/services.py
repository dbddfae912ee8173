"""Verbs on catalogs: make one, bring it into line with its source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from catalogs.items import Item, ItemError, parse
from catalogs.models import Catalog, CatalogItem, Image, SourceType
from core import access, audit, rows
from core.actor import Actor
from core.errors import Invalid
from core.rights import Right
from tenancy.models import Organization
from tenancy.services.organizations import lock_organization

SUFFIXES = (".yaml", ".yml")


@transaction.atomic
def create_catalog(
    *,
    actor: Actor,
    name: str,
    display_name: str = "",
    description: str = "",
    organization: Organization | None = None,
    source_url: str = "",
) -> Catalog:
    """A catalog of an organization or, without one, the provider's, which everybody sees."""
    if organization is None:
        access.require_system(actor, Right.CATALOG_EDIT)
    else:
        access.require(actor, Right.CATALOG_EDIT, organization)
        organization = lock_organization(organization.pk)
    catalog = Catalog(
        organization=organization,
        name=name,
        display_name=display_name or name,
        description=description,
        source_type=SourceType.LOCAL,
        source_url=source_url,
    )
    rows.save(catalog, new=True)
    audit.record(actor, "catalog.create", catalog, after={"name": name, "source_url": source_url})
    return catalog


def sync_local(
    *, actor: Actor, catalog: Catalog, folder: Path, image_urls: Mapping[str, str] | None = None
) -> list[ItemError]:
    """Bring a catalog into line with a folder of item files. Returns everything that could not be read, by file and line.

    Files are read before the transaction. An item whose file has an error stays as it was; one whose file is gone goes.
    `image_urls` puts other image addresses in place of the files', by item name.
    """
    found, errors, present = _read(folder, image_urls or {})
    with transaction.atomic():
        access.require(actor, Right.CATALOG_EDIT, catalog)
        catalog = rows.lock(catalog)
        for item in found:
            _put(catalog, item)
        if not errors:
            gone = CatalogItem.objects.filter(catalog=catalog).exclude(name__in=present)
            gone.delete()
            Image.objects.filter(catalog=catalog, items=None).delete()
        told = [{"file": error.file, "line": error.line, "message": error.message} for error in errors]
        Catalog.objects.filter(pk=catalog.pk).update(synced_at=Now(), sync_errors=told, generation=F("generation") + 1)
        audit.record(actor, "catalog.sync", catalog, after={"items": len(found), "errors": len(errors)})
    return errors


def _read(folder: Path, image_urls: Mapping[str, str]) -> tuple[list[Item], list[ItemError], set[str]]:
    if not folder.is_dir():
        raise Invalid.field("source_url", "folder", f"There is no folder {folder.name!r} to read a catalog from.")
    items: dict[str, Item] = {}
    errors: list[ItemError] = []
    for file in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        name = str(file.relative_to(folder))
        try:
            item, wrong = parse(file.read_text(), name, settings.OVIM_IMAGE_HOSTS if not image_urls else ())
        except (OSError, UnicodeDecodeError) as error:
            errors.append(ItemError(name, 1, f"can't be read: {error}"))
            continue
        errors += wrong
        if item is not None and item.name in items:
            errors.append(ItemError(name, 1, f"{items[item.name].file} has an item {item.name}, too"))
        elif item is not None:
            items[item.name] = item
    found = [_with_image(item, image_urls.get(item.name)) for item in items.values()]
    return found, errors, set(items)


def _with_image(item: Item, url: str | None) -> Item:
    return item if url is None else Item(**{**vars(item), "image_url": url, "checksum": ""})


def _put(catalog: Catalog, item: Item) -> None:
    """Write what the file says, whatever was there."""
    image, _ = Image.objects.update_or_create(
        catalog=catalog,
        name=item.name,
        defaults={"url": item.image_url, "checksum": item.checksum, "min_disk_gib": item.min_disk_gib},
    )
    values: dict[str, Any] = {
        "display_name": item.display_name,
        "description": item.description,
        "version": item.version,
        "os_family": item.os_family,
        "tags": list(item.tags),
        "image": image,
        "cpu": item.cpu,
        "memory_mib": item.memory_mib,
        "disk_gib": item.disk_gib,
        "user_data": item.user_data,
    }
    CatalogItem.objects.update_or_create(catalog=catalog, name=item.name, defaults=values)
