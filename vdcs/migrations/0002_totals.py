"""A trigger keeps each quota scope's totals: exact by construction, whatever writes claims (ENGINE §6)."""

from django.db import migrations

# A claim's change is added to its scope's `allocated` and `active`, under the resource's name and, for disks of a
# named class, also under `<resource>/<class>`. Whoever claims holds the scope's row lock already.
TRIGGER = """
CREATE FUNCTION vdcs_add(totals jsonb, resource text, class text, delta bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT totals
    || jsonb_build_object(resource, COALESCE((totals ->> resource)::bigint, 0) + delta)
    || CASE WHEN class = '' THEN '{}'::jsonb ELSE
         jsonb_build_object(resource || '/' || class, COALESCE((totals ->> (resource || '/' || class))::bigint, 0) + delta)
       END
$$;
CREATE FUNCTION vdcs_keep_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    UPDATE vdcs_quotascope SET
      allocated = vdcs_add(allocated, OLD.resource, OLD.storage_class, -OLD.allocated),
      active = vdcs_add(active, OLD.resource, OLD.storage_class, -OLD.active)
    WHERE id = OLD.scope_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    UPDATE vdcs_quotascope SET
      allocated = vdcs_add(allocated, NEW.resource, NEW.storage_class, NEW.allocated),
      active = vdcs_add(active, NEW.resource, NEW.storage_class, NEW.active)
    WHERE id = NEW.scope_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER vdcs_keep_totals AFTER INSERT OR UPDATE OR DELETE ON vdcs_quotaclaim
FOR EACH ROW EXECUTE FUNCTION vdcs_keep_totals();
"""
DROP = """
DROP TRIGGER vdcs_keep_totals ON vdcs_quotaclaim;
DROP FUNCTION vdcs_keep_totals();
DROP FUNCTION vdcs_add(jsonb, text, text, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("vdcs", "0001_initial")]
    operations = [migrations.RunSQL(TRIGGER, DROP)]
