"""Audit entries as plain objects: what leaves OVIM, in files and to receivers outside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# name outside → field of the entry; None: of its seal
COLUMNS: Mapping[str, str | None] = {
    "id": "id",
    "at": "at",
    "actor": "actor_id",
    "actor_name": "actor_name",
    "session": "session_id",
    "address": "address",
    "request_id": "request_id",
    "action": "action",
    "object_kind": "object_kind",
    "object_id": "object_id",
    "object_name": "object_name",
    "organization": "organization_id",
    "outcome": "outcome",
    "reason": "reason",
    "duration_ms": "duration_ms",
    "before": "before",
    "after": "after",
    "number": None,
    "digest": None,
}
FIELDS = [field for field in COLUMNS.values() if field is not None]


def told(entry: Mapping[str, Any], number: int | None, digest: str) -> dict[str, Any]:
    """An entry, read with FIELDS, and its place in the chain; None and empty: it has none yet."""
    found = {name: entry[field] for name, field in COLUMNS.items() if field is not None}
    return found | {"at": moment(entry["at"]), "number": number, "digest": digest}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
