"""Audit entries as files: CSV for spreadsheets, JSON lines for programs; written as they are read, a batch at a time."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from core.models import AuditEntry, AuditSeal

BATCH = 1000
FORMATS: Mapping[str, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
# name in the file → field of the entry; the seal's two are None
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
# What a spreadsheet takes for a formula; the fullwidth ones it reads as the same.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def answer(rows: QuerySet[AuditEntry], kind: str) -> StreamingHttpResponse:
    """The file as a download."""
    found = StreamingHttpResponse(lines(rows, kind), content_type=FORMATS[kind])
    found["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%d-%H%M%S}.{kind}"'
    found["Cache-Control"] = "no-store"
    return found


def lines(rows: QuerySet[AuditEntry], kind: str) -> Iterator[bytes]:
    """The file, newest entries first, in pieces of a batch. Each piece is one question to the database, by key."""
    write, head = _WRITERS[kind]
    if head:
        yield head
    rows = rows.order_by("-pk")
    fields = [field for field in COLUMNS.values() if field is not None]
    last = None
    while batch := list((rows if last is None else rows.filter(pk__lt=last)).values(*fields)[:BATCH]):
        last = batch[-1]["id"]
        seals = {
            pk: (number, digest)
            for pk, number, digest in AuditSeal.objects.filter(entry_id__in=[entry["id"] for entry in batch])
            .order_by()
            .values_list("entry_id", "number", "digest")
        }
        yield write([_told(entry, *seals.get(entry["id"], (None, ""))) for entry in batch])
        if len(batch) < BATCH:
            return


def _told(entry: Mapping[str, Any], number: int | None, digest: str) -> dict[str, Any]:
    found = {name: entry[field] for name, field in COLUMNS.items() if field is not None}
    return found | {"at": _moment(entry["at"]), "number": number, "digest": digest}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _json(batch: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(entry) + b"\n" for entry in batch)


def _csv(batch: list[dict[str, Any]]) -> bytes:
    return _rows([[cell(entry[name]) for name in COLUMNS] for entry in batch])


def _rows(rows: list[list[str]]) -> bytes:
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def cell(value: Any) -> str:
    """A cell's text. What a spreadsheet would run is led by an apostrophe; what has parts is JSON."""
    if value is None:
        return ""
    text = orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


_WRITERS: Mapping[str, tuple[Callable[[list[dict[str, Any]]], bytes], bytes]] = {
    "csv": (_csv, _rows([list(COLUMNS)])),
    "jsonl": (_json, b""),
}
