"""The admin's lists at a size where a scan would be felt: each search goes through an index, no list counts its table."""

import hashlib
import time
import uuid

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from clusters.models import InventoryItem, ObservedObject, WorkItem
from core.models import AuditEntry
from tests.admin.scene import one_of_everything, signed_in
from vms.models import VirtualMachine

pytestmark = pytest.mark.slow
MANY = 30_000
SECONDS = 5  # two hundred times what it takes where nothing else runs


def multiply(model, **changed: str) -> None:
    """Many copies of the one row there is, with these columns as SQL expressions of the copy's number `n`."""
    quote = connection.ops.quote_name
    columns = [
        field.column for field in model._meta.concrete_fields if field.column in changed or not field.primary_key
    ]
    values = ", ".join(changed.get(column, f"t.{quote(column)}") for column in columns)
    table = quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(map(quote, columns))}) "
            f"SELECT {values} FROM (SELECT * FROM {table} LIMIT 1) t, generate_series(1, {MANY}) n"
        )


def fill() -> None:
    """A VM, work item, inventory item, observed object and audit entry for each number, of the same made-up id."""
    made = "md5('vm' || n)::uuid"
    multiply(VirtualMachine, id=made, name="'many-' || n")
    multiply(WorkItem, object_id=made)
    place = {
        "kind": "'VirtualMachine'",
        "group": "'kubevirt.io'",
        "namespace": "'space-' || n % 100",
        "name": "'many-' || n",
    }
    multiply(InventoryItem, owner_id=made, data_of_id=made, claim_token="gen_random_uuid()", **place)
    multiply(ObservedObject, uid="md5('uid' || n)::uuid", body="'{}'", **place)
    multiply(AuditEntry, id="gen_random_uuid()", object_id=made)
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


TABLES = {
    "vms/virtualmachine": "vms_virtualmachine",
    "clusters/workitem": "clusters_workitem",
    "clusters/inventoryitem": "clusters_inventoryitem",
    "clusters/observedobject": "clusters_observedobject",
    "core/auditentry": "core_auditentry",
}
SEARCHES = [
    ("vms/virtualmachine", "many-2999"),
    ("vms/virtualmachine", "{id}"),
    ("clusters/workitem", "{id}"),
    ("clusters/inventoryitem", "{id}"),
    ("clusters/inventoryitem", "space-99/many-2999"),
    ("clusters/observedobject", "space-99/many-2999"),
    ("clusters/observedobject", "{uid}"),
    ("core/auditentry", "{id}"),
]


def test_lists_of_many_rows_are_served_from_indexes(live_db):
    one_of_everything()
    fill()
    known = {"id": md5_uuid("vm2999"), "uid": md5_uuid("uid2999")}
    root = signed_in("root")
    for page, table in TABLES.items():
        assert scans(root, f"/admin/{page}/", table) == []
        deep = root.get(f"/admin/{page}/?p=2")
        assert deep.status_code == 200
        assert "more than 5000" in " ".join(deep.text.split())
    for page, term in SEARCHES:
        address = f"/admin/{page}/?q={term.format(**known)}"
        assert scans(root, address, TABLES[page]) == [], address
        listed = root.get(address).text
        assert "many-2999" in listed or f">{known['id']}<" in listed, address


def md5_uuid(text: str) -> uuid.UUID:
    return uuid.UUID(hashlib.md5(text.encode()).hexdigest())


def scans(client, address: str, table: str) -> list[str]:
    """Plans of the page's own queries that read the whole table; the page has to be quick, too."""
    began = time.monotonic()
    with CaptureQueriesContext(connection) as caught:
        assert client.get(address).status_code == 200
    seconds = time.monotonic() - began
    found = [] if seconds < SECONDS else [f"{address} took {seconds:.1f} s"]
    for query in caught.captured_queries:
        if f'FROM "{table}"' not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + query["sql"].replace("%", "%%"), [])
            plan = "\n".join(line for (line,) in cursor.fetchall())
        bounded = (
            "LIMIT 5001" in query["sql"] and "WHERE" not in query["sql"]
        )  # 5,001 rows, in whichever order they lie
        if f"Seq Scan on {table}" in plan and not bounded:
            found.append(plan)
    return found
