"""A second pair of eyes: sums over the VMs themselves against the limits, in one snapshot, all the time.

It does not read the ledger: a ledger that forgot a claim would agree with itself.
"""

import threading
from collections.abc import Sequence

import psycopg

PAUSE_SECONDS = 0.05
# Every row counts until it is gone: what is being deleted still runs. Running is what was told to run.
USE = """
WITH vms AS (
  SELECT v.vdc_id, count(*) AS vms, sum(cpu) AS cpu, sum(memory_mib) AS memory_mib,
    count(*) FILTER (WHERE power_state = 'on') AS running_vms,
    coalesce(sum(cpu) FILTER (WHERE power_state = 'on'), 0) AS cpu_on,
    coalesce(sum(memory_mib) FILTER (WHERE power_state = 'on'), 0) AS memory_mib_on
  FROM vms_virtualmachine v GROUP BY 1),
disks AS (SELECT vdc_id, sum(size_gib) AS disk_gib FROM vms_disk GROUP BY 1),
use AS (
  SELECT d.id AS vdc_id, d.organization_id, r.name, r.used FROM vdcs_vdc d
    LEFT JOIN vms ON vms.vdc_id = d.id LEFT JOIN disks ON disks.vdc_id = d.id,
    LATERAL (VALUES
      ('vms', coalesce(vms.vms, 0)), ('running_vms', coalesce(vms.running_vms, 0)),
      ('disk_gib', coalesce(disks.disk_gib, 0)),
      ('cpu', coalesce(CASE d.enforcement WHEN 'active' THEN vms.cpu_on ELSE vms.cpu END, 0)),
      ('memory_mib', coalesce(CASE d.enforcement WHEN 'active' THEN vms.memory_mib_on ELSE vms.memory_mib END, 0))
    ) AS r(name, used))
SELECT 'VDC ' || d.name || ' of ' || o.name, u.name, u.used, (q.limits ->> u.name)::bigint
FROM use u JOIN vdcs_vdc d ON d.id = u.vdc_id JOIN tenancy_organization o ON o.id = d.organization_id
  JOIN vdcs_quotascope q ON q.vdc_id = d.id WHERE q.limits ? u.name AND u.used > (q.limits ->> u.name)::bigint
UNION ALL
SELECT 'organization ' || o.name, u.name, sum(u.used), (q.limits ->> u.name)::bigint
FROM use u JOIN tenancy_organization o ON o.id = u.organization_id
  JOIN vdcs_quotascope q ON q.organization_id = o.id AND q.vdc_id IS NULL AND q.mode = 'elastic'
WHERE q.limits ? u.name GROUP BY o.name, u.name, q.limits HAVING sum(u.used) > (q.limits ->> u.name)::bigint
UNION ALL
SELECT 'reserved of organization ' || o.name, l.key, sum((q.limits ->> l.key)::bigint), l.value::bigint
FROM vdcs_quotascope a JOIN tenancy_organization o ON o.id = a.organization_id
  JOIN LATERAL jsonb_each_text(a.limits) l ON true
  JOIN vdcs_quotascope q ON q.organization_id = a.organization_id AND q.vdc_id IS NOT NULL
WHERE a.vdc_id IS NULL AND a.mode = 'reservation'
GROUP BY o.name, l.key, l.value HAVING sum((q.limits ->> l.key)::bigint) > l.value::bigint
"""


def overshoots(connection: "psycopg.Connection[tuple[object, ...]]") -> list[str]:
    """Every limit that is exceeded now."""
    rows: Sequence[tuple[object, ...]] = connection.execute(USE).fetchall()
    return [f"{where}: {used} {name} are used, the limit is {limit}" for where, name, used, limit in rows]


class QuotaWatch(threading.Thread):
    """Looks twenty times a second until it is stopped. `found`: each overshoot once; `looks`: how often it looked."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True, name="quota watch")
        self.url = url
        self.stopping = threading.Event()
        self.found: dict[str, None] = {}
        self.looks = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as connection:
                    while not self.stopping.wait(PAUSE_SECONDS):
                        self.found |= dict.fromkeys(overshoots(connection))
                        self.looks += 1
            except psycopg.OperationalError:
                self.stopping.wait(0.2)  # it is being restarted
