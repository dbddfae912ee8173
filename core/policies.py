"""Row-level security as migrations write it: for each table, which rows a tenant's requests see and may write.

Two policies a table: `tenant` for the application's login, `whole` for the role that sees everything. `MINE` is evaluated
once a statement, not once a row.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from core.database.bounds import whole_role

MINE = "ANY ((SELECT core_organizations())::uuid[])"
ME = "(SELECT core_person())"
# A rule for what is seen, or one for that and another one for what may be written.
Rule = str | tuple[str, str]


def by(column: str) -> str:
    """Rows of one's organizations, by this column."""
    return f"{column} = {MINE}"


def login_role() -> str:
    return str(settings.DATABASES["default"]["USER"])


def roles(connection: Any) -> tuple[str, str]:
    """The login of the application and the role that sees everything, quoted."""
    login = login_role()
    return connection.ops.quote_name(login), connection.ops.quote_name(whole_role(login))


def secure(rules: Mapping[str, Rule]) -> migrations.RunPython:
    """Turn row-level security on for these tables."""

    def on(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        login, whole = roles(editor.connection)
        for table, rule in rules.items():
            seen, written = (rule, rule) if isinstance(rule, str) else rule
            editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            editor.execute(f"CREATE POLICY tenant ON {table} TO {login} USING ({seen}) WITH CHECK ({written})")
            editor.execute(f"CREATE POLICY whole ON {table} TO {whole} USING (true) WITH CHECK (true)")

    def off(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        for table in rules:
            editor.execute(f"DROP POLICY tenant ON {table}")
            editor.execute(f"DROP POLICY whole ON {table}")
            editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

    return migrations.RunPython(on, off)


def also_seen(name: str, table: str, where: str) -> migrations.RunPython:
    """One more reason to see rows of a table, from an app above the table's own."""

    def on(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        login, _ = roles(editor.connection)
        editor.execute(f"CREATE POLICY {name} ON {table} FOR SELECT TO {login} USING ({where})")

    def off(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        editor.execute(f"DROP POLICY {name} ON {table}")

    return migrations.RunPython(on, off)
