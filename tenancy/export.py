"""Audit entries as files: CSV for spreadsheets, JSON lines for programs; written as they are read, a batch at a time."""

import csv
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from core.models import AuditEntry, AuditSeal
from core.told import COLUMNS, FIELDS, told

BATCH = 1000
FORMATS: Mapping[str, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
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
    last = None
    while batch := list((rows if last is None else rows.filter(pk__lt=last)).values(*FIELDS)[:BATCH]):
        last = batch[-1]["id"]
        seals = {
            pk: (number, digest)
            for pk, number, digest in AuditSeal.objects.filter(entry_id__in=[entry["id"] for entry in batch])
            .order_by()
            .values_list("entry_id", "number", "digest")
        }
        yield write([told(entry, *seals.get(entry["id"], (None, ""))) for entry in batch])
        if len(batch) < BATCH:
            return


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
