"""People's accounts. Whoever changes an account needs every right that account has: else a password is a ladder."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from core import access, audit, rows, tenants
from core.actor import Actor
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.models import SavedView
from core.rights import Right
from core.rows import Generations
from tenancy.access import covers, outranks
from tenancy.models import Organization, PasswordReset, RoleBinding, User
from tenancy.roles import grant_of
from tenancy.selectors import bindings_of
from tenancy.services import admins, notices, passwords, reach, throttle
from tenancy.services.sessions import attempt, end_all

EDITABLE = ("email", "full_name")
NEEDS_THE_CURRENT = (
    "This is your own account: change your password with the current one, in Settings or by POST /api/v1/me/password. "
    "If you have forgotten it, ask for a link by mail where you sign in, or another admin."
)


def require_people_of(actor: Actor, organization: Organization | None) -> None:
    """That the actor may make accounts in this organization; None: the provider's."""
    if organization is None:
        access.require_system(actor, Right.USER_EDIT)
        return
    access.require(actor, Right.ORGANIZATION_VIEW, organization)
    if not covers(actor, frozenset({Right.USER_EDIT}), organization.pk, None):
        raise Forbidden(Right.USER_EDIT, f"organization {organization}")


@transaction.atomic
def create_user(
    *,
    actor: Actor,
    username: str,
    password: str,
    organization: Organization | None = None,
    email: str = "",
    full_name: str = "",
    must_change_password: bool = False,
) -> User:
    """An account without any role. `organization` None: one of the provider's people.

    `must_change_password`: whoever makes the account knows the password, so it is good for choosing another one only.
    """
    require_people_of(actor, organization)
    user = User(
        username=username.lower(),
        organization=organization,
        email=email,
        full_name=full_name,
        must_change_password=must_change_password,
    )
    passwords.put(user, password)
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
def make_invited(
    *, visitor: Actor, organization: Organization, username: str, password: str, email: str, full_name: str
) -> User:
    """Inside the transaction in which an invitation is accepted (`tenancy.services.invitations`): the account of who did.

    It is he who makes it: nobody else knows the password.
    """
    user = User(username=username.lower(), organization=organization, email=email, full_name=full_name)
    passwords.put(user, password)
    rows.save(user, new=True)
    who = replace(visitor, user_id=user.pk, name=user.username, organization_id=organization.pk)
    after = {"username": user.username, "email": email, "full_name": full_name}
    audit.record(who, "user.create", user, organization_id=organization.pk, after=after)
    return user


@transaction.atomic
def edit_user(*, actor: Actor, user: User, changes: Mapping[str, Any], generations: Generations = None) -> User:
    """Change what EDITABLE names; `enabled` and `password` are verbs of their own, done in the same transaction."""
    require_over(actor, user)
    user = _edit(actor, user, {key: changes[key] for key in EDITABLE if key in changes}, generations, "user.edit")
    if "email" in changes:
        PasswordReset.objects.filter(user=user, used_at=None).delete()  # a link went to the address there was
    if changes.get("enabled") is True:
        user = enable_user(actor=actor, user=user)
    if changes.get("enabled") is False:
        user = disable_user(actor=actor, user=user)
    if "password" in changes:
        user = set_password(actor=actor, user=user, password=changes["password"])
    return user


@transaction.atomic
def disable_user(*, actor: Actor, user: User, generations: Generations = None) -> User:
    """No access from now on: sessions end, roles are kept. The last system or organization admin stays, and oneself."""
    require_over(actor, user)
    if actor.user_id == user.pk:
        raise Conflict("This is your own account: another admin can disable it.")
    with admins.kept(User.objects.filter(pk=user.pk)):
        user = _edit(actor, user, {"is_active": False}, generations, "user.disable")
        end_all(actor=actor, user=user)
    return user


@transaction.atomic
def delete_user(*, actor: Actor, user: User, heir: User | None = None, generations: Generations = None) -> None:
    """The account is gone, with its sessions and roles. What the person owns goes to the heir, or it is refused.

    Not one's own account, nor the last system or organization admin's. The audit log keeps the name.
    """
    require_over(actor, user)
    if actor.user_id == user.pk:
        raise Conflict("This is your own account: another admin can delete it.")
    with admins.kept(User.objects.filter(pk=user.pk)):
        _delete(actor, user, heir, generations)


def _delete(actor: Actor, user: User, heir: User | None, generations: Generations) -> None:
    # Harder than `rows.lock`: whoever begins something in the person's name now waits, and then finds nobody.
    locked = User.objects.select_for_update(of=("self",)).filter(pk=user.pk).first()
    if locked is None:
        raise NotFound("This user is gone.")
    rows.check_generation(locked, generations)
    if heir is not None:
        _check_heir(locked, heir)
    held = list(RoleBinding.objects.filter(user=locked).select_related("custom").order_by("id"))
    handed = [import_string(name)(actor=actor, user=locked, heir=heir) for name in settings.OVIM_OWNED]
    audit.record(
        actor,
        "user.delete",
        locked,
        organization_id=locked.organization_id,
        before={
            "username": locked.username,
            "email": locked.email,
            "full_name": locked.full_name,
            "roles": [binding.custom.name if binding.custom else binding.role for binding in held],
        },
        after={"heir": heir.username, "handed_over": sum(handed)} if heir is not None else None,
    )
    reach.changed_of([locked])
    with tenants.everything():  # what is the person's own is nobody else's to see, and goes all the same
        SavedView.objects.filter(owner_id=locked.pk).delete()
        locked.delete()


def _check_heir(user: User, heir: User) -> None:
    if heir.pk == user.pk:
        raise Invalid.field("heir", "other", "The heir must be somebody else.")
    if not heir.is_active:
        raise Invalid.field("heir", "enabled", f"The account of {heir} is disabled: name somebody who can sign in.")


@transaction.atomic
def enable_user(*, actor: Actor, user: User, generations: Generations = None) -> User:
    require_over(actor, user)
    return _edit(actor, user, {"is_active": True}, generations, "user.enable")


@transaction.atomic
def set_password(
    *,
    actor: Actor,
    user: User,
    password: str,
    must_change_password: bool = False,
    generations: Generations = None,
) -> User:
    """A new password, by who is over the person. All his sessions end. For one's own: `choose_password`.

    `must_change_password`: it is good for choosing another one only.
    """
    if actor.user_id == user.pk:
        if actor.token_id is not None:  # else whoever holds the token could sign in
            raise Forbidden(Right.ACCOUNT, "your own account: an access token can't change it")
        raise Conflict(NEEDS_THE_CURRENT)  # whoever found an open browser must not get by without the current one
    require_over(actor, user)
    if user.is_service:
        raise Conflict("A service account has no password: it acts through its access tokens.")
    return _put_password(
        actor, rows.lock(user, generations), password, must_change=must_change_password, field="password"
    )


def _self(actor: Actor) -> User:
    assert actor.user_id is not None, "OVIM itself has no password"
    return User.objects.get(pk=actor.user_id)


def prove_password(*, actor: Actor, password: str) -> None:
    """That it is the person himself and no found browser. Attempts are counted with those to sign in.

    Call it outside any transaction: what rolls back would take a wrong attempt back, too.
    """
    user = _self(actor)
    attempt(actor, user.username)
    if not user.check_password(password):
        raise Invalid.field("current_password", "wrong", "This is not your current password.")
    throttle.was_right(user.username, actor.address)


@transaction.atomic
def choose_password(*, actor: Actor, password: str) -> User:
    """Another password of one's own, once `prove_password` has passed. One's other sessions end."""
    user = rows.lock(_self(actor))
    if user.check_password(password):
        raise Invalid.field("new_password", "same", "This is the password that you have: choose another one.")
    return _put_password(actor, user, password, must_change=False, field="new_password")


@transaction.atomic
def put_by_link(*, actor: Actor, user: User, password: str) -> User:
    """Inside the transaction in which a link is used (`tenancy.services.resets`): the person has proven himself by it."""
    return _put_password(actor, rows.lock(user), password, must_change=False, field="new_password", by_link=True)


def _put_password(
    actor: Actor, user: User, password: str, *, must_change: bool, field: str, by_link: bool = False
) -> User:
    """Onto the locked row."""
    passwords.put(user, password, field=field)
    before = user.must_change_password
    user.must_change_password = must_change
    user.generation += 1
    user.save(update_fields=["password", "must_change_password", "generation"])
    if user.must_change_password != before:
        reach.changed_of([user])
    PasswordReset.objects.filter(user=user, used_at=None).delete()  # links by mail are for who has none
    end_all(actor=actor, user=user)
    audit.record(actor, "user.set_password", user, organization_id=user.organization_id)
    notices.password_changed(actor=actor, user=user, by_link=by_link)
    return user


def _edit(actor: Actor, user: User, changes: dict[str, Any], generations: Generations, action: str) -> User:
    user = rows.lock(user, generations)
    before = rows.edit(user, changes)
    if before:
        after = {name: changes[name] for name in before}
        audit.record(actor, action, user, organization_id=user.organization_id, before=before, after=after)
    if before.keys() & {"is_active", "email"}:
        reach.changed_of([user])
    if "email" in before:
        notices.address_changed(actor=actor, user=user, before=before["email"])
    return user


def require_over(actor: Actor, user: User) -> None:
    """USER_EDIT on the account, and every right that it holds anywhere: who could set its password could be it."""
    access.require(actor, Right.USER_EDIT, user)
    if not outranks(actor, [grant_of(binding) for binding in bindings_of(user.pk)]):
        raise Forbidden(Right.USER_EDIT, f"{user}, who has rights that you do not have")
