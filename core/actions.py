"""Which verbs a person may do on a row now, and why not: what lists and details tell beside each row.

The table is for people who look; what decides is the service. Where the state alone stands against a verb, the app
says so here as a predicate, so that PostgreSQL answers it for a whole page at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.db.models import Case, Model, Q, TextField, Value, When
from django.db.models.expressions import Expression

from core import access
from core.actor import Actor, Grant
from core.rights import Right


@dataclass(frozen=True)
class Action:
    """A verb on a row: the right it takes, and the states in which it is impossible, with the reason. The first wins.

    `not_own`: why nobody does it to what is his own. `enough`: another right that does as well, where it is held.
    """

    right: Right
    hindrances: Sequence[tuple[Q, str]] = ()
    not_own: str = ""
    enough: Right | None = None

    def lacking(self) -> str:
        return f"You lack the right {self.right} here."


Actions = Mapping[str, Action]
Standing = tuple[Q | bool, ...]


def standing(actor: Actor | None, model: type[Model], actions: Actions, read_right: Right) -> Standing:
    """For each action: the actor has the right on every row he sees (True), on none (False), or on those of a predicate.

    Nearly always it is the first or the second, which costs no look at a row.
    """
    if actor is None:
        return tuple(False for _ in actions)
    rights = tuple((action.right, action.enough) for action in actions.values())
    return _standing(actor.user_id, actor.grants, model, rights, read_right)


@lru_cache(maxsize=1024)  # a decision follows from user and grants alone; lists are asked for again and again
def _standing(
    user_id: UUID | None,
    grants: tuple[Grant, ...],
    model: type[Model],
    rights: tuple[tuple[Right, Right | None], ...],
    read_right: Right,
) -> Standing:
    actor = Actor(user_id, "", grants)
    seen = access.reach(actor, model, read_right)
    found: list[Q | bool] = []
    for right, enough in rights:
        where = access.reach(actor, model, right)
        if enough is not None:
            where = _either(where, access.reach(actor, model, enough))
        if where is None:
            found.append(False)
        elif not where or where == seen:
            found.append(True)
        else:
            found.append(where)
    return tuple(found)


def _either(one: Q | None, other: Q | None) -> Q | None:
    """Of two predicates as `access.reach` has them: an empty one means all rows, None means none."""
    if one is None or other is None:
        return other if one is None else one
    return one | other if one and other else Q()


def own_rows(actor: Actor | None, model: type[Model], actions: Actions) -> Q | None:
    """The rows that are the actor's own, where some verb is not for them."""
    if actor is None or not any(action.not_own for action in actions.values()):
        return None
    return access.reach(actor, model, Right.SELF)


def reason(action: Action, holds: Q | bool, own: Q | None = None) -> Expression:
    """An expression: null if the verb is possible, else why it is not."""
    lacking = Value(action.lacking(), TextField())
    if holds is False:
        return lacking
    hindrances = [*action.hindrances, *([(own, action.not_own)] if own is not None and action.not_own else [])]
    state = Case(
        *(When(where, then=Value(why)) for where, why in hindrances),
        default=Value(None),
        output_field=TextField(),
    )
    return state if holds is True else Case(When(holds, then=state), default=lacking, output_field=TextField())
