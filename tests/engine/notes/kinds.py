"""The recipes of notebooks and notes, and the verbs that change them."""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clusters import queue
from clusters.apply import Owner, Wanted
from clusters.conditions import Outcome, false, true
from clusters.kinds import Kind
from clusters.models import Phase
from clusters.reconcile import Recipe, Situation
from clusters.refs import manifest, ref_of
from core.actor import Actor
from tests.engine.notes.models import Note, Notebook


def _notebook_wanted(situation: Situation) -> Sequence[Wanted]:
    return [Wanted(manifest("v1", "Namespace", situation.row.name, labels={"notes": "yes"}))]


def _note_wanted(situation: Situation) -> Sequence[Wanted]:
    note: Note = situation.row
    place = {"namespace": note.notebook.name}
    secret = Wanted(manifest("v1", "Secret", f"{note.name}-secret", **place, stringData={"text": note.text}))
    parts = [
        Wanted(
            manifest("v1", "ConfigMap", f"{note.name}-{index}", **place, data={"text": note.text}),
            after=(secret.ref,) if index else (),
        )
        for index in range(note.parts)
    ]
    guard = Wanted(manifest("v1", "ResourceQuota", f"{note.name}-guard", **place, spec={"hard": {"pods": "5"}}))
    return [secret, *parts, *([guard] if note.quota else [])]


def _observe(situation: Situation) -> Outcome:
    missing = [
        item for item in _all_wanted(situation) if situation.view.get(item.ref) is None and item.ref.type.watched
    ]
    if missing:
        return Outcome(Phase.PROVISIONING, (false("Ready", "Applying", str(missing[0].ref)),))
    fields = {"seen_text": situation.row.text} if isinstance(situation.row, Note) else {}
    return Outcome(Phase.ACTIVE, (true("Ready", "Applied"),), settled=True, fields=fields)


def _all_wanted(situation: Situation) -> Sequence[Wanted]:
    return _note_wanted(situation) if isinstance(situation.row, Note) else _notebook_wanted(situation)


def _destroyable(owner: Owner) -> bool:
    model = Notebook if owner.kind == "notebook" else Note
    row = model.objects.filter(pk=owner.id).first()
    return row is None or row.deletion_requested_at is not None


def _load_notes(pks: Sequence[UUID]) -> Iterable[Note]:
    return Note.objects.select_related("notebook").filter(pk__in=pks)


def _load_notebooks(pks: Sequence[UUID]) -> Iterable[Notebook]:
    return Notebook.objects.filter(pk__in=pks)


def _gone(row: object) -> None:
    """Nothing else hangs on a note."""


@transaction.atomic
def delete(actor: Actor | None, row: Note | Notebook) -> None:
    type(row).objects.filter(pk=row.pk).update(deletion_requested_at=timezone.now())
    queue.request(row, bump=True)


@transaction.atomic
def rewrite(note: Note, **fields: object) -> None:
    Note.objects.filter(pk=note.pk).update(**fields)
    queue.request(note, bump=True)


def recipe_of_notes(observe: Callable[[Situation], Outcome] = _observe) -> Recipe:
    return Recipe(_load_notes, _note_wanted, observe, _gone, _destroyable)


NOTE_RECIPE = recipe_of_notes()
NOTEBOOK_RECIPE = Recipe(_load_notebooks, _notebook_wanted, _observe, _gone, _destroyable)
NOTEBOOK = Kind(
    "notebook",
    "notes.Notebook",
    "tests.engine.notes.kinds.NOTEBOOK_RECIPE",
    lambda row: None,
    delete,
    {"note": "notebook"},
)
NOTE = Kind(
    "note",
    "notes.Note",
    "tests.engine.notes.kinds.NOTE_RECIPE",
    lambda row: ("notebook", row.notebook_id),
    delete,
    above=lambda row: row.notebook,
)
__all__ = ["NOTE", "NOTEBOOK", "NOTEBOOK_RECIPE", "NOTE_RECIPE", "delete", "ref_of", "rewrite"]
