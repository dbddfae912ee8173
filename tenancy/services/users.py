"""People's accounts. Whoever changes an account needs every right that account has: else a password is a ladder."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from core import access, audit, rows
from core.actor import Actor, Level
from core.errors import FieldError, Forbidden, Invalid
from core.rights import Right
from core.rows import Generations
from tenancy.access import covers
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.roles import GRANTS
from tenancy.services import bindings
from tenancy.services.sessions import end_all

EDITABLE = ("email", "full_name")


@transaction.atomic
def create_user(
    *,
    actor: Actor,
    username: str,
    password: str,
    organization: Organization | None = None,
    email: str = "",
    full_name: str = "",
) -> User:
    """An account without any role. `organization` None: one of the provider's people."""
    if organization is None:
        access.require_system(actor, Right.USER_EDIT)
    else:
        access.require(actor, Right.ORGANIZATION_VIEW, organization)
        if not covers(actor, frozenset({Right.USER_EDIT}), organization.pk, None):
            raise Forbidden(Right.USER_EDIT, f"organization {organization}")
    user = User(username=username.lower(), organization=organization, email=email, full_name=full_name)
    _set_password(user, password)
    rows.save(user, new=True)
    audit.record(
        actor,
        "user.create",
        user,
        organization_id=user.organization_id,
        after={"username": user.username, "email": email, "full_name": full_name},
    )
    return user


@transaction.atomic
def edit_user(*, actor: Actor, user: User, changes: Mapping[str, Any], generations: Generations = None) -> User:
    """Change what EDITABLE names; `enabled` and `password` are verbs of their own, done in the same transaction."""
    _require_over(actor, user)
    user = _edit(actor, user, {key: changes[key] for key in EDITABLE if key in changes}, generations, "user.edit")
    if changes.get("enabled") is True:
        user = enable_user(actor=actor, user=user)
    if changes.get("enabled") is False:
        user = disable_user(actor=actor, user=user)
    if "password" in changes:
        user = set_password(actor=actor, user=user, password=changes["password"])
    return user


@transaction.atomic
def disable_user(*, actor: Actor, user: User, generations: Generations = None) -> User:
    """No access from now on: sessions end, roles are kept. The last system or organization admin stays."""
    _require_over(actor, user)
    bindings.require_others_like(list(RoleBinding.objects.filter(user=user)))
    user = _edit(actor, user, {"is_active": False}, generations, "user.disable")
    end_all(actor=actor, user=user)
    return user


@transaction.atomic
def enable_user(*, actor: Actor, user: User, generations: Generations = None) -> User:
    _require_over(actor, user)
    return _edit(actor, user, {"is_active": True}, generations, "user.enable")


@transaction.atomic
def set_password(*, actor: Actor, user: User, password: str, generations: Generations = None) -> User:
    """A new password, by the person himself or by who is over him. All other sessions end."""
    if actor.user_id != user.pk:
        _require_over(actor, user)
    user = rows.lock(user, generations)
    _set_password(user, password)
    user.save(update_fields=["password"])
    end_all(actor=actor, user=user)
    audit.record(actor, "user.set_password", user, organization_id=user.organization_id)
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            error.messages[0],
            errors=[FieldError("password", str(item.code), item.messages[0]) for item in error.error_list],
        ) from None
    user.set_password(password)


def _edit(actor: Actor, user: User, changes: dict[str, Any], generations: Generations, action: str) -> User:
    user = rows.lock(user, generations)
    before = rows.edit(user, changes)
    if before:
        after = {name: changes[name] for name in before}
        audit.record(actor, action, user, organization_id=user.organization_id, before=before, after=after)
    return user


def _require_over(actor: Actor, user: User) -> None:
    """USER_EDIT on the account, and every right that it holds anywhere: who could set its password could be it."""
    access.require(actor, Right.USER_EDIT, user)
    if any(grant.level is Level.SYSTEM for grant in actor.grants_of(Right.USER_EDIT)):
        return
    for binding in RoleBinding.objects.filter(user=user):
        if not covers(actor, GRANTS[RoleName(binding.role)], binding.organization_id, binding.vdc_id):
            raise Forbidden(Right.USER_EDIT, f"{user}, who has rights that you do not have")
