"""The second line (ADR 23). A machine is of its VDC's organization by key, and whoever owns one that is seen is seen."""

from django.db import migrations

from core import policies

KEYS = """
ALTER TABLE vms_virtualmachine ADD CONSTRAINT vm_in_organization
  FOREIGN KEY (vdc_id, organization_id) REFERENCES vdcs_vdc (id, organization_id) DEFERRABLE INITIALLY DEFERRED;
"""
# OFFSET keeps it a look-up by owner: else the planner may read all machines of an organization for one name.
OWNS = "EXISTS (SELECT FROM vms_virtualmachine m WHERE m.owner_id = tenancy_user.id OFFSET 0)"
DROP = "ALTER TABLE vms_virtualmachine DROP CONSTRAINT vm_in_organization;"


class Migration(migrations.Migration):
    dependencies = [("vms", "0006_adoption"), ("vdcs", "0007_second_line")]
    operations = [
        migrations.RunSQL(KEYS, DROP),
        policies.secure(
            {
                "vms_virtualmachine": policies.by("organization_id"),
                "vms_disk": "EXISTS (SELECT FROM vdcs_vdc v WHERE v.id = vdc_id)",
            }
        ),
        policies.also_seen("owner", "tenancy_user", OWNS),
    ]
