"""Somebody who rewrites what is ours again and again: answered twice at once, then with growing pauses (review A20).

Two controllers that each insist would otherwise write for ever, as fast as the API server lets them. Only what is forced
unasked waits: power goes through at once, since what runs unclaimed overshoots a quota, and so does an order.
"""

from collections.abc import Mapping
from typing import Any

from clusters import fence, sql
from clusters.apply import MANAGER, Held
from clusters.errors import Fenced
from clusters.models import Reconciled
from clusters.queue import Lease

AT_ONCE = 2  # rewrites in a row that are answered without a pause
FORGIVEN_SECONDS = 600.0  # without a rewrite this long, it begins anew
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 300.0

PAUSE = """
SELECT extract(epoch FROM rewritten_at
  + least(%(longest)s::float8, %(first)s::float8 * power(2, least(rewrites - %(at_once)s::int, 10))) * interval '1 second'
  - clock_timestamp())::float8
FROM clusters_inventoryitem WHERE id = %(pk)s::bigint AND rewrites >= %(at_once)s::int
  AND rewritten_at > clock_timestamp() - %(forgiven)s::float8 * interval '1 second'
"""
NOTE = """, done AS (
  UPDATE clusters_inventoryitem i SET rewritten_at = clock_timestamp(), rewrites = CASE
    WHEN i.rewritten_at > clock_timestamp() - %(forgiven)s::float8 * interval '1 second'
    THEN least(i.rewrites + 1, 100) ELSE 1 END
  FROM held WHERE i.id = %(pk)s::bigint RETURNING 1)
SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM done)
"""


def pause(held: Held) -> float:
    """Seconds until it may be written over again; 0: at once."""
    found = sql.run(
        PAUSE,
        {
            "pk": held.pk,
            "longest": LONGEST_PAUSE,
            "first": FIRST_PAUSE,
            "at_once": AT_ONCE,
            "forgiven": FORGIVEN_SECONDS,
        },
        prepare=False,
    )
    return max(float(found[0][0]), 0.0) if found else 0.0


def note(row: Reconciled, held: Held, lease: Lease) -> None:
    """It has been written over once more."""
    params = {"pk": held.pk, "forgiven": FORGIVEN_SECONDS}
    if not fence.stroke(row._meta.db_table, [row.pk], [lease.token], NOTE, params)[0][0]:
        raise Fenced


def latest(live: Mapping[str, Any]) -> str:
    """Who wrote it last, we ourselves and writers of status aside."""
    entries = [
        entry
        for entry in live["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and entry["manager"] != MANAGER
    ]
    last = max(entries, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(last["manager"]) if last else "somebody"
