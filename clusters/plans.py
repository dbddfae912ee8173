"""What would be done in the clusters if a row were as it is in an open transaction: the plan that people see.

`intend` is called inside that transaction and only reads rows; `changes` afterwards, with no lock held, looks into the
observed cache. `verdicts` asks the cluster itself, by a server-side dry run.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.module_loading import import_string

from clusters import connections, inventory, kinds, observed, status
from clusters.apply import Action, Change, ChangeSet, Difference, Held, Owner, Wanted, plan, stamped, with_volumes
from clusters.errors import KubeError
from clusters.queue import Key
from clusters.reconcile import Recipe, Situation
from clusters.refs import Ref
from core.errors import Unavailable

NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True)
class Intent:
    """A row as it would be, with what it wants to be there and what is known to be there of it."""

    row: Any
    wanted: tuple[Wanted, ...]
    held: tuple[Held, ...]


def intend(key: Key) -> Intent | None:
    """Read inside the transaction that is to be rolled back. None: the row would be gone."""
    recipe: Recipe = import_string(kinds.by_name(key.kind).recipe)
    row = next(iter(recipe.load([key.object_id])), None)
    if row is None:
        return None
    known = inventory.of([row]).get(row.pk, ())
    wanted = () if row.deletion_requested_at else tuple(recipe.wanted(Situation(row, observed.View({}), known)))
    held = inventory.judged(known, with_volumes(item.ref for item in wanted), recipe.destroyable)
    return Intent(row, wanted, tuple(held))


def changes(intent: Intent) -> ChangeSet:
    """What differs from now, the unchanged left out. What is not there yet is a create, with all its fields."""
    have = {item.ref for item in intent.held}
    owner = Owner(kinds.of(intent.row).name, intent.row.pk)
    new = [
        Held(pk=0, ref=item.ref, data_of=item.data_of or owner, token=NOBODY)
        for item in intent.wanted
        if item.ref not in have
    ]
    view = _view(intent)
    # A disk is lost only if its VM has been there: what is merely about to be made says nothing.
    wanted = [item if item.before in have else replace(item, before=None) for item in intent.wanted]
    found = plan(wanted, [*intent.held, *new], view.objects)
    return [_whole(change) for change in found if change.action not in (Action.UNCHANGED, Action.CHECK)]


def _view(intent: Intent) -> observed.View:
    found = observed.views(intent.row.cluster_pk(), {intent.row.pk: intent.held}) if intent.held else {}
    return found.get(intent.row.pk) or observed.View({})


def needs_restart(intent: Intent, found: ChangeSet) -> bool:
    """Whether something would change that a running VM takes over only when it is started anew."""
    machines = [change for change in found if change.ref.kind == "VirtualMachine" and change.action is Action.UPDATE]
    if not any(item.path.startswith("spec.template.") for change in machines for item in change.differences):
        return False
    view = _view(intent)
    return bool(view.of_kind("VirtualMachineInstance"))


def verdicts(intent: Intent, found: ChangeSet) -> list[dict[str, Any]]:
    """What the cluster says to each create and update. Unavailable if it can't be asked."""
    fresh = {change.ref.name for change in found if change.ref.kind == "Namespace" and change.action is Action.CREATE}
    client = connections.client_of(intent.row.cluster_pk())
    told = []
    for change in found:
        if change.action not in (Action.CREATE, Action.UPDATE) or change.wanted is None or change.held is None:
            continue
        accepted, message = None, "Its namespace is not there yet."
        if change.ref.namespace not in fresh:
            accepted, message = _ask(client, change.ref, stamped(change.wanted, change.held, status.installation()))
        told.append({**_name(change.ref), "accepted": accepted, "message": message})
    return told


def _ask(client: Any, ref: Ref, body: Mapping[str, Any]) -> tuple[bool | None, str]:
    try:
        client.apply(ref, body, force=ref.type.forced, dry_run=True)
    except KubeError as error:
        if error.unhealthy:
            raise Unavailable(f"The cluster can't be asked: {error}") from error
        if error.status == 404 and ref.namespace:
            return None, f"Its namespace is not there yet: {error}"
        return False, str(error)
    return True, ""


def _name(ref: Ref) -> dict[str, str]:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _whole(change: Change) -> Change:
    """A create with everything that it would set, field by field, so that masking sees each path."""
    if change.action is not Action.CREATE or change.wanted is None:
        return change
    manifest = {key: value for key, value in change.wanted.manifest.items() if key not in ("apiVersion", "kind")}
    return replace(change, differences=tuple(_leaves(manifest, "")))


def _leaves(value: Any, path: str) -> Iterable[Difference]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield Difference(path, None, value)


def intents(keys: Sequence[Key]) -> list[Intent]:
    """`intend` for each that has a row."""
    return [intent for key in keys if (intent := intend(key)) is not None]
