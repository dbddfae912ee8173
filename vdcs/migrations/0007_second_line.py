"""The second line (ADR 23). A quota scope of a VDC is of the VDC's organization, by key: no copy can drift."""

from django.db import migrations

from core import policies

KEYS = """
CREATE UNIQUE INDEX vdc_with_organization ON vdcs_vdc (id, organization_id);
ALTER TABLE vdcs_quotascope ADD CONSTRAINT quota_in_organization
  FOREIGN KEY (vdc_id, organization_id) REFERENCES vdcs_vdc (id, organization_id) DEFERRABLE INITIALLY DEFERRED;
"""
DROP = """
ALTER TABLE vdcs_quotascope DROP CONSTRAINT quota_in_organization;
DROP INDEX vdc_with_organization;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("vdcs", "0006_access_of_what_is_there"),
        ("core", "0008_second_line"),
        ("tenancy", "0012_second_line"),
    ]
    operations = [
        migrations.RunSQL(KEYS, DROP),
        policies.secure(
            {
                "vdcs_vdc": policies.by("organization_id"),
                "vdcs_namespaceaccess": policies.by("organization_id"),
                "vdcs_quotascope": policies.by("organization_id"),
                "vdcs_quotaclaim": "EXISTS (SELECT FROM vdcs_quotascope s WHERE s.id = scope_id)",
            }
        ),
    ]
