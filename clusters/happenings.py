"""What happened to rows, for their timelines: told once, counted when it repeats, forgotten in time.

The engine tells nothing in a statement of its own but what is left of a batch in the end: outcomes and writes go with the
statement that records the outcome (`status`), so an outcome and its telling stand or fall together.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from clusters import sql
from clusters.apply import Difference, digest
from clusters.errors import KubeError
from clusters.models import Happening, Phase, Reconciled
from clusters.refs import Ref
from core import audit
from core.ids import uuid7

DAYS = 90
MOST_OF_A_ROW = 500
AT_ONCE = 5000
LONGEST_TEXT = 2000
STEP = 1 / 2048  # of a millisecond, two of what ids tell apart
What = Happening.What


@dataclass(frozen=True)
class Written:
    """A write as it is about to be sent: `verb` is create, update or delete."""

    verb: str
    ref: Ref
    why: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True)
class Told:
    """One thing that happened, of whichever row. `key` None: it is never the same as another.

    `seen`: where in the timeline it stands, if that is not `at`: the cluster's clock counts whole seconds.
    """

    what: str
    code: str
    at: datetime
    said: Mapping[str, Any]
    ok: bool = True
    duration_ms: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)  # what `said` has not
    key: str | None = None
    last_at: datetime | None = None
    seen: datetime | None = None
    count: int = 1


_LOGIN = re.compile(r"(://)[^/\s@]+@")
_VARIES = re.compile(r"N/A|\d+(\.\d+)*%?")


def plain(text: str) -> str:
    """A text that others wrote: no logins in its URLs, no NUL, not longer than anybody reads."""
    return _LOGIN.sub(rf"\1{audit.MASK}@", text.replace("\0", ""))[:LONGEST_TEXT]


def gist(text: str) -> str:
    """What makes a text the same as another: not how far an import is, nor which try it was."""
    return _VARIES.sub("#", text)


# --- what the engine tells ------------------------------------------------------------------------------------------


def written(about: Written, answer: Any, began: float, ended: float, generation: int) -> Told:
    """A write with its answer, which may be an exception. Values of fields stay out where they may be secret."""
    ref = about.ref
    error = answer if isinstance(answer, Exception) else None
    reason = "" if error is None else error.reason if isinstance(error, KubeError) else type(error).__name__
    message = "" if error is None else plain(str(error))
    fields = sorted(item.path for item in about.differences)
    said = {"kind": ref.kind, "name": ref.name, "namespace": ref.namespace, "fields": fields[:20]}
    if error is not None:
        said |= {"reason": reason, "message": message}
    same = [about.verb, str(ref), fields, generation, reason, gist(message), int(ended // 86400)]
    return Told(
        What.WRITE,
        about.verb,
        datetime.fromtimestamp(ended, UTC),
        said,
        ok=error is None,
        duration_ms=round((ended - began) * 1000),
        raw={"why": about.why, **({"status": error.status} if isinstance(error, KubeError) else {})},
        key=None if error is None and about.verb == "create" else digest(same),  # what is made is made once
    )


Conditions = Sequence[Mapping[str, Any]]


def outcome(row: Reconciled, values: Mapping[str, Any], now: datetime) -> Told | None:
    """What an outcome says that the row did not show before; None: nothing. How far something is is no news."""
    changes = _changes(row.conditions, values["conditions"], now)
    phase, was = str(values["phase"]), str(row.phase)
    first = not row.conditions
    if not (changes or first or phase != was):
        return None
    ok = phase != Phase.FAILED and not any(item["type"] == "Reconciled" for item in changes)
    said = {"phase": phase, "was": "" if first else was, "changes": changes}
    took = [item["ms"] for item in changes if item["status"] == "True" and "ms" in item]
    same = [phase, [[item["type"], item["status"], item["reason"], gist(item["message"])] for item in changes]]
    return Told(
        What.OUTCOME,
        phase,
        now,
        said,
        ok=ok,
        duration_ms=max(took, default=None),
        key=None if ok else digest(["outcome", same, row.generation, now.date().isoformat()]),
    )


def _changes(old: Conditions, new: Conditions, now: datetime) -> list[dict[str, Any]]:
    before = {item["type"]: item for item in old}
    found = []
    for item in new:
        known = before.get(item["type"])
        if known is not None and _same(known, item):
            continue
        change = {name: item[name] for name in ("type", "status", "reason")} | {"message": plain(item["message"])}
        if known is not None and known["status"] != item["status"]:
            change["ms"] = round((now - datetime.fromisoformat(known["since"])).total_seconds() * 1000)
        found.append(change)
    return found


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    same = (one["status"], one["reason"]) == (other["status"], other["reason"])
    return same and gist(one["message"]) == gist(other["message"])


def gone(now: datetime) -> Told:
    """The row has been dropped: everything of it is confirmed gone."""
    return Told(What.OUTCOME, "Gone", now, {"phase": "Gone", "was": "", "changes": []})


# --- into the table -------------------------------------------------------------------------------------------------

COLUMNS = (
    "id uuid, owner_kind text, owner_id uuid, organization_id uuid, at timestamptz, last_at timestamptz, count int, "
    "what text, code text, ok boolean, duration_ms int, generation bigint, said jsonb, raw jsonb, key text"
)
NAMES = ", ".join(part.split()[0] for part in COLUMNS.split(", "))
_VALUES = ", ".join(f"t.{part.split()[0]}" for part in COLUMNS.split(", "))
INSERT = f"INSERT INTO clusters_happening AS h ({NAMES}) SELECT {_VALUES} FROM"
LINES = f"SELECT t.* FROM jsonb_to_recordset(%(told)s::jsonb) AS t({COLUMNS})"  # noqa: S608
AGAIN = (
    " ON CONFLICT (owner_id, key) WHERE key IS NOT NULL DO UPDATE SET count = h.count + excluded.count, "
    "last_at = excluded.last_at, duration_ms = excluded.duration_ms"
)
# The cluster counts its events itself, and a relist shows them all again: only what is later is more.
LATER = (
    " ON CONFLICT (owner_id, key) WHERE key IS NOT NULL DO UPDATE SET "
    "count = greatest(h.count + CASE WHEN excluded.last_at > h.last_at THEN 1 ELSE 0 END, excluded.count), "
    "last_at = greatest(h.last_at, excluded.last_at) WHERE h.last_at < excluded.last_at OR h.count < excluded.count"
)


def lines(kind: str, row: Reconciled, told: Sequence[Told]) -> list[dict[str, Any]]:
    """As the table has them, ids in the order in which they were told."""
    found: dict[str, dict[str, Any]] = {}
    last = 0.0
    for item in told:
        last = max((item.seen or item.at).timestamp() * 1000, last + STEP)
        pk = uuid7(last)
        known = found.get(item.key or "")
        if known is not None:  # one statement can't touch a row twice
            known["count"] += item.count
            known["last_at"] = max(known["last_at"], item.last_at or item.at)
            continue
        found[item.key or str(pk)] = {
            "id": pk,
            "owner_kind": kind,
            "owner_id": row.pk,
            "organization_id": row.tenant_pk(),
            "at": item.at,
            "last_at": item.last_at or item.at,
            "count": item.count,
            "what": item.what,
            "code": item.code[:64],
            "ok": item.ok,
            "duration_ms": item.duration_ms,
            "generation": row.generation,
            "said": item.said,
            "raw": item.raw,
            "key": item.key,
        }
    return list(found.values())


def encoded(told: Iterable[Mapping[str, Any]]) -> str:
    """For the statement's `told`, sorted as locks are."""
    ordered = sorted(told, key=lambda line: (line["owner_kind"], str(line["owner_id"]), str(line["key"])))
    return orjson.dumps(ordered).decode()


def record(told: Sequence[Mapping[str, Any]], *, events: bool = False) -> set[UUID]:
    """Write lines of any rows in one statement; the rows that there is news of."""
    if not told:
        return set()
    statement = f"{INSERT} ({LINES}) AS t {LATER if events else AGAIN} RETURNING h.owner_id"
    found = sql.run(statement, {"told": encoded(told)})
    return {owner for (owner,) in found}


# --- and out of it --------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Forget what is too old, and of rows that were told much of lately all but the latest. In batches."""
    old = uuid7(int((timezone.now() - timedelta(days=DAYS)).timestamp() * 1000))
    lately = uuid7(int((time.time() - 180) * 1000))
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM clusters_happening WHERE id IN "
            "(SELECT id FROM clusters_happening WHERE id < %s ORDER BY id LIMIT %s)",
            [old, AT_ONCE],
        )
        count = cursor.rowcount
        cursor.execute(_TOO_MANY, {"lately": lately, "most": MOST_OF_A_ROW, "limit": AT_ONCE})
        return int(count + cursor.rowcount)


_TOO_MANY = """
WITH told AS (SELECT DISTINCT owner_id FROM clusters_happening WHERE id > %(lately)s)
DELETE FROM clusters_happening WHERE id IN (
  SELECT old.id FROM told CROSS JOIN LATERAL (
    SELECT id FROM clusters_happening h WHERE h.owner_id = told.owner_id
    ORDER BY id DESC OFFSET %(most)s) old LIMIT %(limit)s)
"""
