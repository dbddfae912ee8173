"""The second line (ADR 23): the role that sees everything, what it may do, and the two functions policies ask.

It may do what the application's login may, table by table; a test compares the two.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from core import policies
from core.checks import may_make_roles, missing_role

FUNCTIONS = """
CREATE FUNCTION core_organizations() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('ovim.organizations', true), '')::uuid[]
$$;
CREATE FUNCTION core_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('ovim.person', true), '')::uuid
$$;
"""
DROP = "DROP FUNCTION core_organizations(); DROP FUNCTION core_person();"


def make_role(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    connection: Any = editor.connection
    login, whole = policies.roles(connection)
    with connection.cursor() as cursor:
        said = missing_role(cursor, policies.login_role())
        if said is not None and not may_make_roles(cursor):
            raise RuntimeError(said)
        if said is not None:
            cursor.execute("SELECT to_regrole(%s)", [whole])
            if cursor.fetchone()[0] is None:
                cursor.execute(f"CREATE ROLE {whole} NOLOGIN NOBYPASSRLS")
            cursor.execute(f"GRANT {whole} TO {login} WITH INHERIT FALSE, SET TRUE")
    for sql in (
        f"GRANT USAGE ON SCHEMA public TO {whole}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {whole}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {whole}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {whole}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {whole}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON core_auditentry, core_auditseal, core_supportaccess FROM {whole}",
        f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON core_auditcheckpoint, django_migrations FROM {whole}",
        f"REVOKE UPDATE, TRUNCATE ON core_auditwaiting FROM {whole}",
    ):
        editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("core", "0007_mail")]
    operations = [
        migrations.RunPython(make_role, migrations.RunPython.noop),
        migrations.RunSQL(FUNCTIONS, DROP),
        policies.secure(
            {
                # One's own acts are seen, wherever they were done; they are written as acts in one's organizations, or
                # in none.
                "core_auditentry": (
                    f"{policies.by('organization_id')} OR actor_id = {policies.ME}",
                    f"{policies.by('organization_id')} OR organization_id IS NULL",
                ),
                "core_auditseal": policies.by("chain"),
                "core_auditcheckpoint": policies.by("chain"),
                "core_auditretention": policies.by("chain"),
                "core_supportaccess": policies.by("organization_id"),
                "core_answeredrequest": f"user_id = {policies.ME}",
                "core_mail": policies.by("organization_id"),
                "core_savedview": f"owner_id = {policies.ME}",
            }
        ),
    ]
