"""The registry of reconciled kinds: the only way up. Apps register in settings; nothing here imports them (ENGINE §0)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from core.actor import Actor

if TYPE_CHECKING:
    from clusters.models import Reconciled


@dataclass(frozen=True)
class Kind:
    """One reconciled kind, as its app declares it.

    `model`: "app.Model", a subclass of Reconciled. `recipe`: dotted name of its `clusters.reconcile.Recipe`.
    `parent`: the row that must be ready first, as (kind name, id), or None.
    `children`: kind name → lookup on that kind's model that finds the rows below a row of this kind, by its pk.
    `above`: the parent's row where loading a row brings it along; else it is read by `parent`.
    `delete`: the app's own verb that marks one locked row for deletion; used by cascades.
    `along`: makes the row of this kind that comes and goes with a row of a parent's kind (`clusters.along`): it is not
    what a parent holds, and is asked for by nobody.
    `by_cluster`: lookup of its rows by cluster, where what they want depends on the cluster's settings.
    """

    name: str
    model: str
    recipe: str
    parent: Callable[[Any], tuple[str, UUID] | None]
    delete: Callable[[Actor, Any], None]
    children: Mapping[str, str] = field(default_factory=dict)
    above: Callable[[Any], "Reconciled | None"] | None = None
    along: Callable[[Any], "Reconciled"] | None = None
    by_cluster: str = ""

    def rows(self) -> "type[Reconciled]":
        return apps.get_model(self.model)

    def get(self, pk: UUID) -> "Reconciled | None":
        return self.rows()._default_manager.filter(pk=pk).first()


@cache
def registry() -> dict[str, Kind]:
    kinds: Iterable[Kind] = (import_string(name) for name in settings.OVIM_KINDS)
    return {kind.name: kind for kind in kinds}


def by_name(name: str) -> Kind:
    return registry()[name]


def of(row: "Reconciled") -> Kind:
    """The kind of a row. Placements are of the kind that owns them: `placed-<owner kind>`."""
    owner_kind = getattr(row, "owner_kind", None)
    if owner_kind is not None:
        return registry()[f"placed-{owner_kind}"]
    return _by_model()[row._meta.label]


@cache
def _by_model() -> dict[str, Kind]:
    return {kind.model: kind for kind in registry().values() if not kind.name.startswith("placed-")}


def is_open(row: "Reconciled") -> bool:
    """Whether a row takes children: its objects have been there once, and its place is not somebody else's now.

    An edit does not take that away; a namespace that was made anew by others does (ENGINE §5).
    """
    lost = any(item["type"] in ("Replaced", "NameTaken") for item in row.conditions)
    return row.ready_at is not None and not lost


def children(row: "Reconciled") -> list["Reconciled"]:
    """Every row directly below, of all kinds, whether or not it is being deleted."""
    return _below(row, list(of(row).children))


def contents(row: "Reconciled") -> list["Reconciled"]:
    """Of those, what somebody has put there; not what comes and goes along with the row."""
    return _below(row, [name for name in of(row).children if by_name(name).along is None])


def _below(row: "Reconciled", names: Iterable[str]) -> list["Reconciled"]:
    lookups = of(row).children
    return [
        child for name in names for child in by_name(name).rows()._default_manager.filter(**{lookups[name]: row.pk})
    ]
