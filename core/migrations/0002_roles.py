"""The two database roles: the owner migrates; the application reads and writes rows, and can only add to the audit log.

The application's role is made by whoever runs the database (the demo's supervisor, CloudNativePG, a DBA); its name is
that of OVIM_DATABASE_URL.
"""

from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def grant(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    connection: Any = editor.connection
    role = connection.ops.quote_name(settings.DATABASES["default"]["USER"])
    if settings.DATABASES["default"]["USER"] == connection.settings_dict["USER"]:
        raise RuntimeError("Migrations run as the owner: use `manage.py migrate --database=owner`.")
    for sql in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON core_auditentry FROM {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
    ):
        editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    run_before = [("contenttypes", "0001_initial"), ("clusters", "0001_initial")]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
