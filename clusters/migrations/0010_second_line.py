"""The second line (ADR 23) on the rows that carry a tenant. Inventory and cache have none: they are the engine's."""

from django.db import migrations

from core import policies


class Migration(migrations.Migration):
    dependencies = [("clusters", "0009_tenant_access"), ("core", "0008_second_line")]
    operations = [
        policies.secure(
            {
                "clusters_placement": policies.by("tenant_id"),
                "clusters_workitem": policies.by("tenant"),
                "clusters_happening": policies.by("organization_id"),
            }
        ),
    ]
