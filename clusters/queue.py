"""The queue: work items in PostgreSQL, claimed in batches with a lease. Celery only carries wake-ups (ENGINE §1).

All times are the database's `clock_timestamp()`, so that clocks of workers don't matter.
"""

import math
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction

from clusters import fence, kinds, sql, wakeup
from clusters.errors import Fenced
from clusters.models import Reconciled, WorkItem
from core import trial

# A batch goes through its steps together, so that what its rows ask of the database is one statement; by two halves in
# turns (`rounds`). Small enough that a second worker finds work, too.
BATCH = 40


@dataclass(frozen=True)
class Key:
    """A work item by the row it is about, with what the claim needs to know of that row."""

    kind: str
    object_id: UUID
    cluster_id: UUID
    tenant_id: UUID


@dataclass(frozen=True)
class Lease:
    """A claimed work item. Whoever holds it proves so before every write (`fence`)."""

    kind: str
    object_id: UUID
    cluster_id: UUID
    seen: int
    attempts: int
    token: UUID
    renewed_at: float = field(default=-math.inf, compare=False)  # this process's monotonic clock, at its claim

    def renew(self) -> None:
        """Before a write to the cluster: prolong the lease, or raise Fenced if it is no longer ours."""
        if not fence.renew([self.token]):
            raise Fenced


def key_of(row: Reconciled) -> Key:
    return Key(kinds.of(row).name, row.pk, row.cluster_pk(), row.tenant_pk())


def request(row: Reconciled, *, bump: bool = False) -> None:
    """Ask for a row to be reconciled. `bump` raises its generation too: the intent has changed."""
    if bump:
        table = connection.ops.quote_name(row._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET generation = generation + 1, updated_at = now() WHERE id = %s "  # noqa: S608
                "RETURNING generation",
                [row.pk],
            )
            row.generation = cursor.fetchone()[0]
    request_keys([key_of(row)])


def request_all(rows: Iterable[Reconciled]) -> None:
    request_keys([key_of(row) for row in rows])


def request_keys(keys: Sequence[Key], *, hint: bool = False) -> None:
    """Upsert work items, sorted so that two transactions can't deadlock, and wake workers after commit.

    `hint`: a watch event. It pulls nothing forward that is failing and backs off; the watcher coalesces its events
    and wakes the workers once per batch.
    """
    ordered = sorted(set(keys), key=lambda key: (key.kind, str(key.object_id)))
    if not ordered:
        return
    trial.requested(ordered)
    due = (
        "CASE WHEN w.attempts > 0 THEN coalesce(w.due_at, excluded.due_at) "
        "ELSE least(coalesce(w.due_at, excluded.due_at), excluded.due_at) END"
        if hint
        else "least(coalesce(w.due_at, excluded.due_at), excluded.due_at)"
    )
    attempts = "w.attempts" if hint else "0"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clusters_workitem AS w (kind, object_id, cluster_id, tenant, requested_seq, due_at, attempts, "  # noqa: S608
            "parked_on_kind, last_error) "
            "SELECT kind, object_id, cluster_id, tenant, 1, clock_timestamp(), 0, '', '' "
            "FROM unnest(%s::text[], %s::uuid[], %s::uuid[], %s::uuid[]) AS r(kind, object_id, cluster_id, tenant) "
            "ON CONFLICT (kind, object_id) DO UPDATE SET requested_seq = w.requested_seq + 1, "
            f"due_at = {due}, attempts = {attempts}, parked_on_kind = '', parked_on_id = NULL",
            [
                [key.kind for key in ordered],
                [key.object_id for key in ordered],
                [key.cluster_id for key in ordered],
                [key.tenant_id for key in ordered],
            ],
        )
    clusters = {key.cluster_id for key in ordered}
    transaction.on_commit(lambda: [wakeup.send(cluster_id) for cluster_id in clusters], robust=True)


CLAIM = """
WITH RECURSIVE tenants AS (  -- a loose index scan: one step a tenant, however many items each has
  (SELECT tenant FROM clusters_workitem WHERE cluster_id = %(cluster)s AND due_at <= statement_timestamp()
   ORDER BY tenant LIMIT 1)
  UNION ALL
  SELECT (SELECT w.tenant FROM clusters_workitem w WHERE w.cluster_id = %(cluster)s AND w.tenant > t.tenant
          AND w.due_at <= statement_timestamp() ORDER BY w.tenant LIMIT 1)
  FROM tenants t WHERE t.tenant IS NOT NULL
), busy AS (
  SELECT tenant, count(*) AS running FROM clusters_workitem
  WHERE lease_token IS NOT NULL AND leased_until > statement_timestamp() AND cluster_id = %(cluster)s GROUP BY tenant
), due AS (
  SELECT w.id, w.due_at, w.place + coalesce(b.running, 0) AS place
  FROM tenants t CROSS JOIN LATERAL (
    SELECT id, due_at, row_number() OVER (ORDER BY due_at, id) AS place FROM (
      SELECT id, due_at FROM clusters_workitem
      WHERE cluster_id = %(cluster)s AND tenant = t.tenant AND due_at <= statement_timestamp()
        AND (leased_until IS NULL OR leased_until <= statement_timestamp())
      ORDER BY due_at LIMIT 2 * %(limit)s) first
  ) w LEFT JOIN busy b ON b.tenant = t.tenant
), picked AS (
  SELECT w.id FROM clusters_workitem w JOIN due ON due.id = w.id
  WHERE w.due_at <= statement_timestamp() AND (w.leased_until IS NULL OR w.leased_until <= statement_timestamp())
  ORDER BY due.place, due.due_at LIMIT %(limit)s
  FOR UPDATE OF w SKIP LOCKED
)
UPDATE clusters_workitem w SET lease_token = gen_random_uuid(),
  leased_until = clock_timestamp() + %(lease)s * interval '1 second'
FROM picked WHERE w.id = picked.id
RETURNING w.kind, w.object_id, w.cluster_id, w.requested_seq, w.attempts, w.lease_token
"""
PROBE = """
UPDATE clusters_cluster SET probe_at = clock_timestamp() + interval '10 seconds'
WHERE id = %s AND failing_since IS NOT NULL AND (probe_at IS NULL OR probe_at <= clock_timestamp())
"""


def claim(cluster_id: UUID, *, limit: int = BATCH) -> list[Lease]:
    """Claim due items of one cluster, each under a lease of its own, taking turns between tenants.

    A tenant's place in the turn counts what it has running, so that it holds about half of the slots at most while
    another waits. While the cluster's circuit is open nothing is claimed, but for one probe every 10 s.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT failing_since IS NOT NULL FROM clusters_cluster WHERE id = %s", [cluster_id])
        row = cursor.fetchone()
        if row is None:
            return []
        if row[0]:
            cursor.execute(PROBE, [cluster_id])
            if cursor.rowcount == 0:
                return []
            limit = 1
        before = time.monotonic()
        cursor.execute(CLAIM, {"cluster": cluster_id, "limit": limit, "lease": fence.LEASE_SECONDS})
        return [Lease(*each) for each in ((*row, before) for row in cursor.fetchall())]


def give_back(leases: Sequence[Lease]) -> None:
    """Let others have what was claimed and not started."""
    if not leases:
        return
    mine = WorkItem.objects.filter(lease_token__in=[lease.token for lease in leases])
    with transaction.atomic():
        locked = mine.order_by("kind", "object_id").select_for_update().values_list("pk", flat=True)
        WorkItem.objects.filter(pk__in=list(locked)).update(lease_token=None, leased_until=None)


def complete(lease: Lease) -> bool:
    """Done: the item goes, unless it was requested again meanwhile; then it is due now. False: it stays."""
    if sql.run(
        "DELETE FROM clusters_workitem WHERE lease_token = %s::uuid AND requested_seq = %s::bigint RETURNING 1",
        [lease.token, lease.seen],
    ):
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_workitem SET lease_token = NULL, leased_until = NULL, attempts = 0, "
            "due_at = least(coalesce(due_at, clock_timestamp()), clock_timestamp()) WHERE lease_token = %s",
            [lease.token],
        )
    return False


def again(lease: Lease, seconds: float, *, failed: bool, error: str = "") -> None:
    """Keep the item for later. `failed` counts an attempt.

    Requested meanwhile: due now. A request by a person has set `attempts` to 0; after a failure only such a request
    cuts the back-off short, a watch event does not.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_workitem SET lease_token = NULL, leased_until = NULL, last_error = %(error)s, "
            "attempts = CASE WHEN %(failed)s THEN attempts + 1 ELSE 0 END, "
            "due_at = clock_timestamp() + interval '1 second' * CASE "
            "  WHEN requested_seq <> %(seen)s AND (attempts = 0 OR NOT %(failed)s) THEN 0 ELSE %(seconds)s END "
            "WHERE lease_token = %(token)s",
            {"error": error[:2000], "failed": failed, "seen": lease.seen, "seconds": seconds, "token": lease.token},
        )


def unpark(parent: tuple[str, UUID]) -> int:
    """Wake what waits for this parent, in a transaction of its own. What is locked now, the sweep will find."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH parked AS (SELECT id FROM clusters_workitem WHERE parked_on_kind = %s AND parked_on_id = %s "
            "ORDER BY kind, object_id FOR UPDATE SKIP LOCKED) "
            "UPDATE clusters_workitem w SET parked_on_kind = '', parked_on_id = NULL, due_at = clock_timestamp(), "
            "requested_seq = requested_seq + 1 FROM parked WHERE w.id = parked.id RETURNING w.cluster_id",
            [parent[0], parent[1]],
        )
        clusters = {row[0] for row in cursor.fetchall()}
        count = int(cursor.rowcount)
    for cluster_id in clusters:
        wakeup.send(cluster_id)
    return count


def backoff(attempts: int, token: uuid.UUID) -> float:
    """Seconds until the next try: 0.5, 1, 2 … 300, with jitter taken from the token so that a herd spreads."""
    spread = 0.75 + (token.int % 1000) / 2000
    return float(min(0.5 * 2 ** min(attempts, 10), 300) * spread)
