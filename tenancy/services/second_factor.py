"""Enrolling a second factor, and getting rid of it. The codes themselves: `tenancy.services.codes`."""

import pyotp
from django.db import transaction
from django.utils import timezone

from core import audit, sealed
from core.actor import Actor
from core.errors import Conflict, Invalid
from tenancy.models import SecondFactor, User
from tenancy.selectors import who_demands_second_factor
from tenancy.services import codes, notices, reach, throttle
from tenancy.services.sessions import attempt, end_all
from tenancy.services.users import require_over


def begin(*, actor: Actor) -> str:
    """A new secret for an authenticator app, in base32. Nothing changes until a code of it is given (`confirm`)."""
    with transaction.atomic():
        user = _locked(actor)
        if SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists():
            raise Conflict("There is a second factor already: remove it first.")
        secret: str = pyotp.random_base32()
        SecondFactor.objects.update_or_create(
            user=user, defaults={"secret": sealed.seal(secret, codes.PURPOSE), "last_step": 0, "recovery": []}
        )
    return secret


def begun(actor: Actor) -> str | None:
    """The secret that was begun with and is not confirmed yet."""
    row = SecondFactor.objects.filter(user_id=actor.account_id, confirmed_at=None).first()
    return codes.secret_of(row) if row is not None else None


def uri(actor: Actor, secret: str) -> str:
    """What the QR code says."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=actor.name, issuer_name="OVIM"))


@transaction.atomic
def confirm(*, actor: Actor, code: str) -> list[str]:
    """The app shows the right codes: from now on one is asked for at sign-in. Answers the recovery codes, told once."""
    user = _locked(actor)
    row = SecondFactor.objects.select_for_update().filter(user=user).first()
    if row is None or row.confirmed_at is not None:
        raise Conflict("No second factor was begun, or it is confirmed already.")
    step = codes.step_of(row, code)
    if step is None:
        raise Invalid.field("code", "wrong", codes.WRONG)
    row.confirmed_at, row.last_step = timezone.now(), step
    told = codes.new_recovery(row)
    row.save()
    reach.changed_of([user])
    end_all(actor=actor, user=user)
    audit.record(actor, "second_factor.confirm", row, organization_id=user.organization_id)
    return told


def prove(*, actor: Actor, code: str) -> None:
    """That it is the person himself and no found browser. Attempts are counted with those to sign in.

    Call it outside any transaction: what rolls back would take a wrong attempt back, too.
    """
    attempt(actor, actor.name)
    if not codes.passes(User.objects.get(pk=actor.account_id), code):
        raise Invalid.field("code", "wrong", codes.WRONG)
    throttle.was_right(actor.name, actor.address)


@transaction.atomic
def renew_recovery(*, actor: Actor) -> list[str]:
    """Other recovery codes, once `prove` has passed: the old ones are good for nothing."""
    row = _confirmed(actor)
    told = codes.new_recovery(row)
    row.save(update_fields=["recovery"])
    audit.record(actor, "second_factor.renew_recovery", row, organization_id=actor.organization_id)
    return told


@transaction.atomic
def remove(*, actor: Actor) -> None:
    """Sign in by password alone from now on, once `prove` has passed. Not where one's organization asks for it."""
    row = _confirmed(actor)
    who = who_demands_second_factor(actor)
    if who:
        raise Conflict(f"{who} requires a second factor. An admin can reset it, if you have a new device.")
    audit.record(actor, "second_factor.remove", row, organization_id=actor.organization_id)
    row.delete()
    reach.changed_of([row.user])
    notices.second_factor_off(actor=actor, user=row.user)


@transaction.atomic
def reset(*, actor: Actor, user: User) -> None:
    """Somebody has lost his device: an admin takes the factor away. The person's sessions end."""
    require_over(actor, user)
    if actor.user_id == user.pk:
        raise Conflict("This is your own: remove it with a code or a recovery code, or have another admin reset it.")
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # a session that begins now is among those that end
    row = SecondFactor.objects.select_for_update().filter(user=user).first()
    if row is None:
        raise Conflict(f"{user} has no second factor.")
    was_on = row.confirmed_at is not None
    end_all(actor=actor, user=user)
    audit.record(actor, "second_factor.reset", user, organization_id=user.organization_id)
    row.delete()
    reach.changed_of([user])
    if was_on:
        notices.second_factor_off(actor=actor, user=user)


def _locked(actor: Actor) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=actor.account_id)


def _confirmed(actor: Actor) -> SecondFactor:
    rows = SecondFactor.objects.select_related("user__organization").select_for_update(of=("self",))
    row = rows.filter(user_id=actor.account_id, confirmed_at__isnull=False).first()
    if row is None:
        raise Conflict("You have no second factor.")
    return row
