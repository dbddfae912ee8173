"""What is there already gets its rows of people's access, and they take over the role bindings that others have written."""

from django.db import migrations

MAKE = """
INSERT INTO vdcs_namespaceaccess (id, generation, observed_generation, phase, conditions, suspended_because, created_at,
  updated_at, organization_id, cluster_id, vdc_id, deletion_requested_at, people)
SELECT gen_random_uuid(), 1, 0, 'Pending', '[]', '', clock_timestamp(), clock_timestamp(), v.organization_id, v.cluster_id,
  v.id, v.deletion_requested_at, '{}'
FROM vdcs_vdc v WHERE NOT EXISTS (SELECT FROM vdcs_namespaceaccess a WHERE a.vdc_id = v.id);
INSERT INTO vdcs_namespaceaccess (id, generation, observed_generation, phase, conditions, suspended_because, created_at,
  updated_at, organization_id, cluster_id, placement_id, deletion_requested_at, people)
SELECT gen_random_uuid(), 1, 0, 'Pending', '[]', '', clock_timestamp(), clock_timestamp(), p.owner_id, p.cluster_id, p.id,
  p.deletion_requested_at, '{}'
FROM clusters_placement p
WHERE p.owner_kind = 'organization' AND NOT EXISTS (SELECT FROM vdcs_namespaceaccess a WHERE a.placement_id = p.id);
"""
# From now on these are written by the new rows' reconcilers alone. Tombstones stay whose they were.
TAKE_OVER = """
UPDATE clusters_inventoryitem i
SET owner_kind = 'namespace-access', owner_id = a.id, data_of_kind = 'namespace-access', data_of_id = a.id
FROM vdcs_namespaceaccess a
WHERE i.kind = 'RoleBinding' AND i.tombstoned_at IS NULL
  AND ((i.owner_kind = 'vdc' AND i.owner_id = a.vdc_id)
    OR (i.owner_kind = 'placed-organization' AND i.owner_id = a.placement_id));
"""


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0009_tenant_access"),
        ("vdcs", "0005_namespaceaccess"),
    ]
    operations = [
        migrations.RunSQL(MAKE, migrations.RunSQL.noop),
        migrations.RunSQL(TAKE_OVER, migrations.RunSQL.noop),
    ]
