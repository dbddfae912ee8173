"""The floor of the VM list: the same rows as one `json_agg`, through the same web server, without Django or sign-in.

The columns are those of the list, joined as plainly as SQL can. `?organization=`, `?owner=` and `?after=` choose the rows.
"""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import psycopg

PAGE = """
SELECT json_agg(r)::text FROM (
  SELECT v.id, v.organization_id AS organization, v.vdc_id AS vdc, d.name AS vdc_name, v.owner_id AS owner,
    u.username AS owner_name, v.name, v.display_name, v.description, v.catalog_item_id AS catalog_item, v.cpu,
    v.memory_mib, (SELECT sum(k.size_gib) FROM vms_disk k WHERE k.vm_id = v.id) AS disk_gib, v.power_state, v.phase,
    v.conditions, v.ip_addresses, v.node, v.guest_os, v.progress, v.generation, v.observed_generation, v.created_at,
    v.updated_at, v.deletion_requested_at
  FROM vms_virtualmachine v JOIN vdcs_vdc d ON d.id = v.vdc_id LEFT JOIN tenancy_user u ON u.id = v.owner_id
  WHERE {where} ORDER BY v.id LIMIT %(limit)s) r
"""
_local = threading.local()


def _connection() -> "psycopg.Connection[Any]":
    if not hasattr(_local, "connection"):
        whole = "-c role=ovim_app_whole"  # the role that sees all rows: nothing of the second line is in the floor
        _local.connection = psycopg.connect(os.environ["OVIM_DATABASE_URL"], autocommit=True, options=whole)
    connection: psycopg.Connection[Any] = _local.connection
    return connection


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = b""
    if environ["PATH_INFO"] == "/vms":
        given = dict(parse_qsl(environ["QUERY_STRING"]))
        conditions = {"organization": "v.organization_id = %(organization)s", "owner": "v.owner_id = %(owner)s"}
        conditions["after"] = "v.id > %(after)s"
        where = " AND ".join(text for name, text in conditions.items() if name in given) or "true"
        (text,) = _connection().execute(PAGE.format(where=where), given).fetchone() or ("",)
        body = text.encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
