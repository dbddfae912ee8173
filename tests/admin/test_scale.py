"""The admin's lists at a size where a scan would be felt: each search goes through an index, no list counts its table."""

import time
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.scene import one_of_everything, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
MANY = 30_000
SECONDS = 5  # two hundred times what it takes where nothing else runs

FILL = (
    """INSERT INTO vms_virtualmachine (id, generation, observed_generation, phase, conditions, created_at, updated_at,
      organization_id, vdc_id, owner_id, name, display_name, description, cpu, memory_mib, power_state, power_generation,
      power_applied_generation, user_data, ssh_keys, ip_addresses, node, guest_os, progress)
    SELECT gen_random_uuid(), 1, 1, 'Running', '[]', now(), now(), organization_id, vdc_id, owner_id, 'many-' || n, '',
      '', 1, 1024, 'on', 1, 1, '', '[]', '[]', '', '', '' FROM vms_virtualmachine, generate_series(1, %(many)s) n""",
    """INSERT INTO clusters_workitem (kind, object_id, cluster_id, tenant, requested_seq, due_at, attempts, parked_on_kind,
      last_error)
    SELECT 'vm', v.id, c.id, v.organization_id, 1, now(), 0, '', ''
    FROM vms_virtualmachine v, clusters_cluster c WHERE v.name LIKE 'many-%%'""",
    """INSERT INTO clusters_inventoryitem (owner_kind, owner_id, data_of_kind, data_of_id, cluster_id, "group", kind,
      namespace, name, claim_token, past_tokens, applied_hash, owned_hash)
    SELECT 'vm', v.id, 'vm', v.id, c.id, 'kubevirt.io', 'VirtualMachine', 'space-' || left(v.name, 7), v.name,
      gen_random_uuid(), '{}', '', '' FROM vms_virtualmachine v, clusters_cluster c WHERE v.name LIKE 'many-%%'""",
    """INSERT INTO clusters_observedobject (cluster_id, "group", kind, namespace, name, uid, resource_version, body,
      owned_hash)
    SELECT cluster_id, "group", kind, namespace, name, gen_random_uuid(), 1, '{}', ''
    FROM clusters_inventoryitem WHERE name LIKE 'many-%%'""",
    """INSERT INTO core_auditentry (id, at, actor_name, action, object_kind, object_id, object_name, address, request_id,
      outcome, reason)
    SELECT gen_random_uuid(), now(), 'root', 'vm.create', 'virtualmachine', id, name, '', '', 'done', ''
    FROM vms_virtualmachine WHERE name LIKE 'many-%%'""",
)
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
    ("clusters/inventoryitem", "space-many-29/many-2999"),
    ("clusters/observedobject", "space-many-29/many-2999"),
    ("clusters/observedobject", "{uid}"),
    ("core/auditentry", "{id}"),
]


def test_lists_of_many_rows_are_served_from_indexes():
    one_of_everything()
    with connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, {"many": MANY})
        cursor.execute("SELECT id FROM vms_virtualmachine WHERE name = 'many-2999'")
        known = {"id": cursor.fetchone()[0], "uid": uuid.uuid4()}
    root = signed_in("root")
    for page, table in TABLES.items():
        assert scans(root, f"/admin/{page}/", table) == []
        deep = root.get(f"/admin/{page}/?p=2")
        assert deep.status_code == 200
        assert "more than 5000" in " ".join(deep.text.split())
    for page, term in SEARCHES:
        address = f"/admin/{page}/?q={term.format(**known)}"
        assert scans(root, address, TABLES[page]) == [], address
        if "{uid}" not in term:
            assert "many-2999" in root.get(address).text or str(known["id"]) in root.get(address).text, address


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
