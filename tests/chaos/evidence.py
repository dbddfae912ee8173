"""What there is to know of the rows that differ: the row, its objects, its inventory, its story, who did what to it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.forms.models import model_to_dict

from clusters.models import Happening, ObservedObject
from tests.chaos.meddling import Meddler
from tests.chaos.picture import Picture, Row
from tests.chaos.record import Record


def about(differences: Sequence[str], picture: Picture, record: Record, meddler: Meddler) -> dict[str, Any]:
    """By row, of all whose name or id stands in a difference."""
    texts = "\n".join(differences)
    return {
        str(row): _of(row, picture, record, meddler)
        for row in picture.rows
        if any(word in texts for word in (f"{row}:", f"{row} ", str(row.id), f" {row.name}-", f" {row.name} "))
    }


def _of(row: Row, picture: Picture, record: Record, meddler: Meddler) -> dict[str, Any]:
    refs = {wanted.ref for wanted in row.wanted}
    places = {(ref.namespace, ref.name) for ref in refs}
    return {
        "row": model_to_dict(row.row) | {"id": row.id, "generation": row.row.generation},
        "wanted": {str(wanted.ref): wanted.manifest for wanted in row.wanted},
        "live": {str(ref): picture.live.get(ref) for ref in refs},
        "cached": {
            f"{item.kind} {item.namespace}/{item.name}": {
                "version": item.resource_version,
                "uid": item.uid,
                "owned": item.owned_hash,
            }
            for item in ObservedObject.objects.filter(name__in=[ref.name for ref in refs])
            if (item.namespace, item.name) in places
        },
        "inventory": [model_to_dict(item) for item in picture.held(row)],
        "work": [model_to_dict(item) for item in picture.work if item.object_id == row.id],
        "story": [
            f"{item.at:%H:%M:%S.%f} {item.what} {item.code} ok={item.ok} ×{item.count} g{item.generation} {item.said}"
            for item in Happening.objects.filter(owner_id=row.id).order_by("id")
        ],
        "audit": [
            f"{entry.at:%H:%M:%S.%f} {entry.actor_name} {entry.action} {entry.request_id} {entry.before} → {entry.after}"
            for entry in sorted(picture.audit, key=lambda entry: entry.id)
            if entry.object_id == row.id
        ],
        "told": [asdict(told) for told in record if told.target == str(row.id) or told.body.get("id") == str(row.id)],
        "deeds": [f"{deed.what} {deed.ref}" for deed in meddler.deeds if (deed.ref.namespace, deed.ref.name) in places],
    }
