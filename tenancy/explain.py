"""Why somebody may do something, or why not and who could give it to him: the decision, told in words and by bindings.

It is the same decision: asked of the database for the answer, and of each binding alone for what the answer comes from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from core import access, tenants
from core.access import Scope
from core.actions import Action, Actions, own_rows, reason
from core.actor import Actor, Grant, Level
from core.errors import BadParameter, NotFound
from core.ids import uuids_in
from core.rights import Right
from tenancy.access import stands_over
from tenancy.models import RoleBinding, User
from tenancy.roles import grant_of, role_label
from tenancy.selectors import actor_of_user, bindings_of

SYSTEM = "system"
MOST_NAMED = 10
MOST_GIVERS = 200
BEFORE_ANY = {
    "must_change_password": "has to choose another password first: until then no role has any effect.",
    "must_enrol": "has to enrol a second factor first: until then no role has any effect.",
}


@dataclass(frozen=True)
class Asked:
    """A kind of objects that one may ask about."""

    model: type[Model]
    read_right: Right
    actions: Actions


@dataclass(frozen=True)
class Question:
    """Whether `user` may do `action`: with `right`, on `row` (None: the system as a whole)."""

    action: str
    right: Right
    verb: Action | None
    row: Model | None
    user: User
    where: str

    @property
    def values(self) -> Mapping[str, object]:
        """What the decision may ask of the row."""
        if self.row is None:
            return {}
        paths = _scope(self.row).paths
        return type(self.row)._default_manager.filter(pk=self.row.pk).values(*paths).get()

    @property
    def place(self) -> tuple[UUID | None, UUID | None, UUID | None]:
        """Organization, VDC, VM of the row."""
        if self.row is None:
            return None, None, None
        scope, values = _scope(self.row), self.values
        found = [values[path] if path else None for path in (scope.organization, scope.vdc, scope.vm)]
        return cast(tuple[UUID | None, UUID | None, UUID | None], tuple(found))


@cache
def kinds() -> Mapping[str, Asked]:
    """By the word that stands before the id."""
    return {
        word: Asked(apps.get_model(model), Right(right), import_string(actions) if actions else {})
        for word, (model, right, actions) in settings.OVIM_ASKED.items()
    }


def question(asker: Actor, action: str, where: str, user_id: UUID | None) -> Question:
    """What is asked. NotFound for objects and people that the asker does not see, BadParameter for what is nothing."""
    user = User.objects.get(Q(pk=asker.user_id)) if user_id in (None, asker.user_id) else _person(asker, user_id)
    word, _, text = where.partition("/")
    if where == SYSTEM:
        return Question(action, _right(action, {}), None, None, user, where)
    asked, ids = kinds().get(word), uuids_in(text, 1)
    if asked is None or not ids:
        shape = f"system, or <kind>/<id> with one of {', '.join(kinds())}"
        raise BadParameter.field("object", "shape", f"object must be {shape}.")
    row = access.get(asker, asked.model._default_manager.all(), next(iter(ids)), asked.read_right)
    verb = asked.actions.get(action)
    return Question(action, verb.right if verb else _right(action, asked.actions), verb, row, user, where)


def _person(asker: Actor, user_id: UUID | None) -> User:
    if user_id is None:
        raise NotFound("No such user.")
    return access.get(asker, User.objects.all(), user_id, Right.USER_VIEW)


def _right(action: str, actions: Actions) -> Right:
    if action not in set(Right):
        more = f"; or of what may be done to it: {', '.join(actions)}" if actions else ""
        raise BadParameter.field("action", "unknown", f"action must be a right, such as vm.edit{more}.")
    return Right(action)


def explain(asker: Actor, asked: Question) -> Mapping[str, Any]:
    """The answer, with what it comes from as far as the asker may see it."""
    himself = asked.user.pk == asker.user_id
    actor = asker if himself else actor_of_user(asked.user.pk)
    has = actor is not None and _holds(actor, asked)
    hindrance = _hindrance(actor, asked) if actor is not None and has else None
    via = [row for row in bindings_of(asked.user.pk) if has and _gives(row, asked)]
    shown = via if himself else _seen(asker, via)
    told = hindrance if has else _why_not(actor, asked)
    return {
        "allowed": has and hindrance is None,
        "action": asked.action,
        "right": str(asked.right),
        "object": asked.where,
        "object_name": "the system" if asked.row is None else str(asked.row),
        "user": asked.user.pk,
        "username": asked.user.username,
        "reason": told,
        "via": [_told(row) for row in shown],
        "hidden": len(via) - len(shown),
        "who_could_grant": {"people": [], "roles": []} if has else _who(asker, asked),
    }


def _holds(actor: Actor, asked: Question) -> bool:
    if asked.row is None:
        own = asked.right in (Right.SELF, Right.ACCOUNT) and actor.holds(asked.right)
        return own or any(grant.level is Level.SYSTEM for grant in actor.grants_of(asked.right))
    return access.allows(actor, asked.right, asked.row)


def _hindrance(actor: Actor, asked: Question) -> str | None:
    """What stands against the verb in the row's own state."""
    if asked.verb is None or asked.row is None:
        return None
    model = type(asked.row)
    own = own_rows(actor, model, {asked.action: asked.verb})
    row = model._default_manager.filter(pk=asked.row.pk)
    found: str | None = row.values_list(reason(asked.verb, True, own), flat=True).get()
    return found


def _gives(binding: RoleBinding, asked: Question) -> bool:
    """The binding alone gives the right there, whether or not it has ended."""
    return _by_grant(grant_of(binding), asked)


def _by_grant(grant: Grant, asked: Question) -> bool:
    if asked.row is None:
        return grant.level is Level.SYSTEM and asked.right in grant.rights
    alone = Actor(asked.user.pk, "", (grant,))
    return access.holds(access.reach(alone, type(asked.row), asked.right), asked.values)


def _why_not(actor: Actor | None, asked: Question) -> str:
    name, right = asked.user.username, asked.right
    if actor is None:
        return f"The account of {name} is disabled, or its organization is."
    for state, why in BEFORE_ANY.items():
        if getattr(actor, state):
            return f"{name} {why}"
    held = list(bindings_of(asked.user.pk))
    by = next((row for row in held if _gives(row, asked)), None)
    if by is not None and actor.token_id is not None:
        return f"{name} may do it, but the access token was made for less."
    if by is not None:
        return f"The organization {by.organization} is disabled: until it is enabled its roles have no effect."
    ended = _all_of(asked.user.pk).filter(expires_at__lte=timezone.now()).order_by("-expires_at")
    over = next((row for row in ended[:MOST_NAMED] if _gives(row, asked)), None)
    if over is not None and over.expires_at is not None:
        return f"The role {role_label(over)}, which gave {right} here, ended on {over.expires_at:%Y-%m-%d %H:%M} UTC."
    elsewhere = [row for row in held if right in grant_of(row).rights]
    if not elsewhere:
        return f"No role of {name} gives {right}."
    own = " of his own" if any(grant_of(row).own_only for row in elsewhere) else ""
    roles = ", ".join(sorted({role_label(row) for row in elsewhere}))
    return f"{name} has {right} as {roles}, but for other places or things{own}."


def _all_of(user_id: UUID) -> QuerySet[RoleBinding]:
    his = Q(user_id=user_id) | Q(group__memberships__user_id=user_id)
    return RoleBinding.objects.filter(his).select_related("custom", "group", "organization")


def _seen(asker: Actor, rows: Sequence[RoleBinding]) -> list[RoleBinding]:
    pks = {row.pk for row in rows}
    seen = access.visible(asker, RoleBinding.objects.filter(pk__in=pks), Right.BINDING_VIEW)
    known = set(seen.values_list("pk", flat=True))
    return [row for row in rows if row.pk in known]


def _told(row: RoleBinding) -> Mapping[str, Any]:
    grant = grant_of(row)
    return {
        "binding": row.pk,
        "role": row.custom.name if row.custom else row.role,
        "role_name": role_label(row),
        "group": row.group.name if row.group else None,
        "level": str(grant.level),
        "organization": row.organization_id,
        "vdc": row.vdc_id,
        "vm": row.vm_id,
        "own_only": grant.own_only,
        "expires_at": row.expires_at,
    }


def _who(asker: Actor, asked: Question) -> Mapping[str, Any]:
    """Who has the right there himself and gives roles: people as far as the asker may see them, and their roles."""
    givers = [row for row in _near(asked) if _could_give(grant_of(row), asked)]
    users = {row.user_id for row in givers if row.user_id is not None}
    groups = {row.group_id for row in givers if row.group_id is not None}
    people = User.objects.filter(Q(pk__in=users) | Q(memberships__group__in=groups), is_active=True)
    people = people.exclude(pk=asked.user.pk)
    seen = access.visible(asker, people, Right.USER_VIEW).order_by("username").distinct()
    return {
        "people": list(seen.values_list("username", flat=True)[:MOST_NAMED]),
        "roles": list(dict.fromkeys(_office(row) for row in givers)),
    }


@tenants.everything()
def _near(asked: Question) -> Iterable[RoleBinding]:
    """Bindings at the row's own place and at those above it, the nearest first."""
    organization, vdc, _ = asked.place
    where = Q(organization=None)
    if organization is not None:
        where |= Q(organization_id=organization, vdc_id=None)
    if vdc is not None:
        where |= Q(vdc_id=vdc, vm_id=None)
    now = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    rows = RoleBinding.objects.filter(where, now).select_related("custom", "organization")
    found = list(rows.order_by("pk")[:MOST_GIVERS])
    return sorted(found, key=lambda row: (row.vdc_id is None, row.organization_id is None))


def _could_give(grant: Grant, asked: Question) -> bool:
    return {Right.BINDING_EDIT, asked.right} <= grant.rights and stands_over(grant, *asked.place)


def _office(row: RoleBinding) -> str:
    label = role_label(row)
    return label if row.organization is None else f"{label} of {row.organization.name}"


def _scope(row: Model) -> Scope:
    scope: Scope = row.scope  # type: ignore[attr-defined]  # whatever one may ask about has one
    return scope
