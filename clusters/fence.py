"""Proof that a lease is still ours, in front of every write: to the cluster (`renew`), to our own rows (`stroke`).

A round of many rows is fenced by one statement; each row answers for its own lease (ENGINE §1, Fencing).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from clusters import sql

LEASE_SECONDS = 60
# A write that is sent later than this after the last statement that proved its lease is renewed for anew: a worker that
# was stopped in between must find out before it writes. Far shorter than the lease, longer than most batches take.
PROVEN_SECONDS = 2.0
# How long a renewal is good enough for what is sent: a proof that only looks doesn't prolong the lease.
RENEWED_SECONDS = 15.0

# A renewal that a crash of the database undoes only ends the lease sooner: its commit need not wait for the disk.
RENEW = f"""
WITH {sql.QUICK},
mine AS MATERIALIZED (
  SELECT w.id FROM clusters_workitem w, quick WHERE w.lease_token = ANY(%s::uuid[])
  ORDER BY w.kind, w.object_id FOR UPDATE OF w)
UPDATE clusters_workitem w SET leased_until = clock_timestamp() + %s::float8 * interval '1 second' FROM mine
WHERE w.id = mine.id AND w.leased_until > clock_timestamp() RETURNING w.lease_token
"""  # noqa: S608  # a constant
# Owners' rows locked, then the work items, if their leases are still ours: `held` has a row for each that is. Both are
# sorted and complete before what follows begins, so the order of locks is that of ENGINE §1.
HELD = """
WITH own AS MATERIALIZED (
  SELECT id, generation, observed_generation FROM {table} WHERE id = ANY(%(owners)s::uuid[])
  ORDER BY id FOR NO KEY UPDATE),
held AS MATERIALIZED (
  SELECT w.id, w.object_id, w.requested_seq, w.attempts FROM own JOIN clusters_workitem w ON w.object_id = own.id
  WHERE w.lease_token = ANY(%(leases)s::uuid[]) AND w.leased_until > clock_timestamp()
  ORDER BY w.object_id FOR UPDATE OF w)
"""


def renew(tokens: Collection[UUID]) -> set[UUID]:
    """Prolong these leases; those that are still ours."""
    return {token for (token,) in sql.run(RENEW, [sorted(tokens), LEASE_SECONDS])}


def stroke(
    table: str,
    owners: Sequence[UUID],
    leases: Sequence[UUID],
    statement: str,
    params: Mapping[str, Any],
    *,
    prepare: bool = True,
) -> list[sql.Row]:
    """Lock rows of one table, prove their leases and write, as one statement, which may use `own` and `held`."""
    held = HELD.format(table=connection.ops.quote_name(table))
    return sql.run(held + statement, {"owners": list(owners), "leases": list(leases), **params}, prepare=prepare)
