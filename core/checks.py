"""What `manage.py check --database=owner` says of the database's roles."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from core.database.bounds import whole_role

_ROLE = """
SELECT w.rolname IS NOT NULL, coalesce(m.set_option AND NOT m.inherit_option, false),
  coalesce(w.rolsuper OR w.rolbypassrls, false) OR coalesce(l.rolsuper OR l.rolbypassrls, false)
FROM (VALUES (%s, %s)) AS names (login, whole)
LEFT JOIN pg_roles l ON l.rolname = names.login
LEFT JOIN pg_roles w ON w.rolname = names.whole
LEFT JOIN LATERAL (
  SELECT bool_or(set_option) AS set_option, bool_or(inherit_option) AS inherit_option
  FROM pg_auth_members WHERE roleid = w.oid AND member = l.oid) m ON true
"""


def missing_role(cursor: Any, login: str) -> str | None:
    """What is wrong with the role that sees everything, and what the database's operator runs. None: nothing is."""
    whole = whole_role(login)
    cursor.execute(_ROLE, [login, whole])
    exists, granted, too_strong = cursor.fetchone()
    if too_strong:
        return (
            f"The database roles {login} and {whole} must be NOSUPERUSER and NOBYPASSRLS: no row is hidden from them."
        )
    if exists and granted:
        return None
    make = "" if exists else f'CREATE ROLE "{whole}" NOLOGIN NOBYPASSRLS; '
    return (
        f"The application's database role {login} needs a second one beside it, {whole}, which migrations may not make "
        f'here. As somebody who may make roles, run: {make}GRANT "{whole}" TO "{login}" WITH INHERIT FALSE, SET TRUE;'
    )


def may_make_roles(cursor: Any) -> bool:
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


@register(Tags.database)
def whole_role_is_there(databases: Sequence[str] | None = None, **_: object) -> list[CheckMessage]:
    """Asked as the owner, so that it can be told before the application can connect. One who makes roles makes it."""
    if not databases:
        return []
    login = connections[DEFAULT_DB_ALIAS].settings_dict["USER"]
    try:
        with connections["owner"].cursor() as cursor:
            said = None if may_make_roles(cursor) else missing_role(cursor, login)
    except DatabaseError as error:
        return [Error(f"The database can't be reached as its owner: {error}", id="ovim.E001")]
    return [] if said is None else [Error(said, id="ovim.E002")]
