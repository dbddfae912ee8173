"""The three questions every app asks about access. Loading and authorising are one call: no row without a right.

The decision itself is `settings.OVIM_ACCESS_DECIDER` (tenancy), so that core stands below it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils.module_loading import import_string

from core import support
from core.actor import Actor, Level
from core.errors import Forbidden, NotFound
from core.rights import Right

R = TypeVar("R", bound=Model)


@dataclass(frozen=True)
class Scope:
    """Where a model keeps what access depends on, as lookup paths to ids. None: rows have no such thing.

    Paths follow foreign keys forward only, so that a scoped list never shows a row twice.
    """

    organization: str | None = None
    vdc: str | None = None
    vm: str | None = None
    owner: str | None = None

    @property
    def paths(self) -> list[str]:
        """All that there are: what a decision may ask of a row."""
        return [path for path in (self.organization, self.vdc, self.vm, self.owner) if path is not None]


Decider = Callable[[Actor, Scope, Right], Q | None]


@cache
def _decider() -> Decider:
    decider: Decider = import_string(settings.OVIM_ACCESS_DECIDER)
    return decider


def visible(actor: Actor, rows: QuerySet[R], right: Right) -> QuerySet[R]:
    """The rows on which the actor has the right. An empty predicate means all, None means none."""
    where = reach(actor, rows.model, right)
    if where is None:
        return rows.none()
    return rows.filter(where) if where else rows


def reach(actor: Actor, model: type[Model], right: Right) -> Q | None:
    """The predicate behind `visible`: an empty one means all rows, None means none."""
    scope: Scope = model.scope  # type: ignore[attr-defined]  # a model without scope fails here, loudly
    return _decider()(actor, scope, right)


def holds(where: Q | None, values: Mapping[str, object]) -> bool:
    """What `reach` says, of a row that was read already: `values` has its scope's paths. One row, many who ask."""
    return where is not None and (not where or _matches(where, values))


def _matches(where: Q, values: Mapping[str, object]) -> bool:
    found = (
        _matches(child, values) if isinstance(child, Q) else _compares(str(child[0]), child[1], values)
        for child in where.children
        if isinstance(child, Q | tuple)
    )
    if where.connector == Q.XOR or any(not isinstance(child, Q | tuple) for child in where.children):
        raise ValueError(f"an access decision must be a plain and-or of comparisons: {where}")
    return (all(found) if where.connector == Q.AND else any(found)) is not where.negated


def _compares(lookup: str, wanted: object, values: Mapping[str, object]) -> bool:
    """What a decision may ask of a path; a path that was not read is a fault, not a no."""
    if lookup in values:
        return wanted is not None and values[lookup] == wanted
    path, _, how = lookup.rpartition("__")
    if how == "in" and isinstance(wanted, list):
        return values[path] in wanted
    if how == "isnull":
        return (values[path] is None) is wanted
    raise ValueError(f"an access decision asks {lookup}, which can only be told by the database")


def get(actor: Actor, rows: QuerySet[R], pk: UUID | str, right: Right) -> R:
    """The row, or NotFound: for what does not exist and what the actor may not see alike."""
    row = visible(actor, rows, right).filter(pk=pk).first()
    if row is None:
        raise NotFound(f"No such {rows.model._meta.verbose_name}.")
    opened(actor, row)
    return row


def opened(actor: Actor, row: Model) -> None:
    """A row was given to this actor: if it is a tenant's and he is the provider's, the tenant is told."""
    if support.concerns(actor):
        support.looked_into(actor, tenant_of(row))


def tenant_of(row: Model) -> UUID | None:
    """The organization that a row belongs to, as its scope says it. None: the provider's."""
    scope = getattr(row, "scope", None)
    path = scope.organization if isinstance(scope, Scope) else None
    found: Any = row if path else None
    for name in (path or "").split("__"):
        found = getattr(found, name, None)
    return found if isinstance(found, UUID) else None


def allows(actor: Actor, right: Right, row: Model) -> bool:
    """Whether the actor has the right on this row as it stands in the database."""
    return visible(actor, type(row)._default_manager.all(), right).filter(pk=row.pk).exists()


def require(actor: Actor, right: Right, row: Model) -> None:
    """Raise Forbidden unless the actor has the right on the row. For verbs on rows that were loaded with `get`."""
    if not allows(actor, right, row):
        raise Forbidden(right, f"{row._meta.verbose_name} {row}", row)


def require_system(actor: Actor, right: Right) -> None:
    """For verbs without a row of their own (make an organization, connect a cluster): only at system level."""
    if not any(grant.level is Level.SYSTEM for grant in actor.grants_of(right)):
        raise Forbidden(right, "the system")
