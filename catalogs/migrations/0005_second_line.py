"""The second line (ADR 23): what belongs to no organization is the provider's, seen by all and written by no tenant."""

from django.db import migrations

from core import policies


def in_catalog(table: str) -> tuple[str, str]:
    seen = f"EXISTS (SELECT FROM catalogs_catalog c WHERE c.id = {table}.catalog_id{{}})"
    return seen.format(""), seen.format(f" AND {policies.by('c.organization_id')}")


class Migration(migrations.Migration):
    dependencies = [("catalogs", "0004_suspension"), ("core", "0008_second_line"), ("tenancy", "0012_second_line")]
    operations = [
        policies.secure(
            {
                "catalogs_catalog": (
                    f"organization_id IS NULL OR {policies.by('organization_id')}",
                    policies.by("organization_id"),
                ),
                "catalogs_image": in_catalog("catalogs_image"),
                "catalogs_catalogitem": in_catalog("catalogs_catalogitem"),
            }
        ),
    ]
