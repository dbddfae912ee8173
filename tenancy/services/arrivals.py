"""Who a provider has proven somebody to be, and what becomes of that: an account, its roles, a session. All or nothing."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.utils import timezone

from core import audit, rows, sealed, sql, tenants
from core.actor import Actor
from core.errors import Conflict, NotFound, Unauthenticated
from tenancy.models import Session, User
from tenancy.oidc import claims
from tenancy.oidc.claims import Proven
from tenancy.oidc.rows import Identity, IdentityProvider, ProviderSession
from tenancy.selectors import actor_of_user, bindings_of
from tenancy.services import codes, notices, provider_roles, reach, sessions
from tenancy.services.provider_roles import Changes

PURPOSE = "id-token"
PATIENCE = timedelta(hours=1)  # what waits for a code longer than this is forgotten
MOST_SUFFIXES = 100


class SignInRefused(Unauthenticated):
    """The provider has proven who it is, and OVIM still does not let him in."""

    code = "sign_in_refused"


@dataclass(frozen=True)
class Arrival:
    """`session` None: first a code of OVIM's own second factor, then `complete`."""

    user: User
    row: ProviderSession
    session: Session | None
    new: bool
    changes: Changes


@tenants.everything()
@transaction.atomic
def arrive(
    *, visitor: Actor, provider: IdentityProvider, proven: Proven, way: sessions.Way, user_agent: str
) -> Arrival:
    """A session for whoever this is; SignInRefused rolls all of it back, the account that was just made, too."""
    if provider.enabled:  # one that is off is only tried out (`provider_preview`)
        _require_still_enabled(provider)
    rules = list(provider.rules.all())
    missing = provider_roles.left_out(provider, rules, proven.claims)
    if missing:
        raise SignInRefused(
            f"The provider did not send your groups: there are too many for its token ({missing}). Ask its admin to "
            "send only those that are assigned to this application, or application roles instead.",
        )
    _serialize(proven)
    known = _known(provider, proven)
    identity = known or _new(visitor, provider, proven)
    user = identity.user
    if not may_enter_by(provider, user):
        raise SignInRefused("Your account has rights outside of this organization: sign in by another way.")
    told = provider_roles.told_by(provider, rules, proven.claims)
    changes = provider_roles.make_equal(visitor=visitor, provider=provider, user=user, told=told)
    actor = actor_of_user(user.pk, address=visitor.address, request_id=visitor.request_id)
    if actor is None:
        raise SignInRefused("Your account, or its organization, is disabled.")
    _follow(actor, provider, user, proven.claims)
    identity.seen, identity.last_used_at = told, timezone.now()
    identity.save(update_fields=["seen", "last_used_at"])
    asked = codes.is_asked_of(user) and not proven.second_factor
    session, after = None, {"by": provider.slug} | _idle_told(changes)
    if asked:
        audit.record(actor, "session.ask_code", user, organization_id=user.organization_id, after=after)
    else:
        session = sessions.begin(actor=actor, user=user, way=way, user_agent=user_agent, told=after)
    return Arrival(user, _keep(identity, proven, session), session, known is None, changes)


def _idle_told(changes: Changes) -> dict[str, Any]:
    """For the audit log: rules that hold of the person and gave him nothing."""
    found = [{"value": rule.value, "role": rule.role_name, "why": why} for rule, why in changes.idle]
    return {"rules_giving_nothing": found} if found else {}


@tenants.everything()
def complete(*, arrival: str | None, session: Session) -> None:
    """The code was right: the session that came of it is the provider's, too. None: the first step was a password.

    SignInRefused, and the session is ended, where the provider has signed the person out in between.
    """
    if arrival is None:
        return
    waiting = ProviderSession.objects.filter(pk=arrival, session=None, identity__user_id=session.user_id)
    if not waiting.update(session=session):
        Session.objects.filter(pk=session.pk).update(revoked_at=timezone.now())
        raise SignInRefused("The provider has ended this sign-in meanwhile: begin anew.")


@tenants.everything()
def note_refusal(*, tried: Actor, provider: IdentityProvider, action: str, reason: str, failed: bool = False) -> None:
    """On record with the provider's organization, for which nobody has entered."""
    audit.refused(tried, action, reason, failed=failed, row=provider)


def _require_still_enabled(provider: IdentityProvider) -> None:
    """Until the session is there: whoever switches it off ends all sessions by it, and waits for this one.

    The lock is shared, so that people who sign in at the same moment don't wait for each other.
    """
    if not _is_still_enabled(provider):
        raise SignInRefused("Sign-in by this provider was switched off meanwhile.")


def _is_still_enabled(provider: IdentityProvider) -> bool:
    rows = sql.run("SELECT enabled FROM tenancy_identityprovider WHERE id = %s FOR SHARE", [provider.pk])
    return bool(rows and rows[0][0])


def _serialize(proven: Proven) -> None:
    """Two first sign-ins at the same moment: the second one finds what the first has made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 21))", [f"{proven.issuer} {proven.subject}"])


def _known(provider: IdentityProvider, proven: Proven) -> Identity | None:
    found = Identity.objects.filter(issuer=proven.issuer, subject=proven.subject).select_related("user").first()
    if found is not None and found.provider_id != provider.pk:
        raise SignInRefused("This identity belongs to an account that signs in by another way.")
    return found


def _new(visitor: Actor, provider: IdentityProvider, proven: Proven) -> Identity:
    """An account of the provider's organization. Who has one already signs in to it and links the identity himself."""
    organization = provider.organization
    if organization is not None and not organization.enabled:
        raise SignInRefused("Your account, or its organization, is disabled.")
    if not provider.creates_users:
        raise SignInRefused(
            "There is no account for you yet. If you have one, sign in to it by password and link this identity in "
            "your settings; else ask an admin.",
        )
    user = User(
        organization=organization,
        email=claims.email_of(proven.claims, provider.email_claim),
        full_name=claims.text(proven.claims, provider.name_claim)[:255],
    )
    user.set_unusable_password()
    _save_named(user, claims.username_of(proven.claims, (provider.username_claim, provider.email_claim)))
    actor = replace(provider_roles.acting(provider, visitor), name=f"identity provider {provider.slug}")
    after = {"username": user.username, "email": user.email, "full_name": user.full_name, "subject": proven.subject}
    audit.record(actor, "user.create", user, organization_id=user.organization_id, after=after)
    return Identity.objects.create(provider=provider, issuer=proven.issuer, subject=proven.subject, user=user)


def _save_named(user: User, name: str) -> None:
    """Under this name or, where it is taken, with the next number that is free."""
    taken = set(User.objects.filter(username__startswith=name).values_list("username", flat=True)[:10_000])
    numbered = (name if n == 1 else f"{name}-{n}" for n in range(1, MOST_SUFFIXES))
    user.username = next((each for each in numbered if each not in taken), f"{name}-{uuid4().hex[:8]}")
    try:
        with transaction.atomic():
            rows.save(user, new=True)
    except Conflict:  # somebody took it at this moment
        user.username = f"{name}-{uuid4().hex[:8]}"
        rows.save(user, new=True)


def may_enter_by(provider: IdentityProvider, user: User) -> bool:
    """An organization's provider says who its people are. It has no word about rights elsewhere, nor about others' people."""
    if user.is_service:
        return False
    if provider.organization_id is None:
        return True
    outside = any(binding.organization_id != provider.organization_id for binding in bindings_of(user.pk))
    return user.organization_id == provider.organization_id and not outside


def _follow(actor: Actor, provider: IdentityProvider, user: User, said: claims.Claims) -> None:
    """Name and address follow the provider."""
    told = {
        "email": claims.email_of(said, provider.email_claim),
        "full_name": claims.text(said, provider.name_claim)[:255],
    }
    locked = rows.lock(user)
    before = rows.edit(locked, {name: value for name, value in told.items() if value})
    if before:
        after: dict[str, Any] = {name: told[name] for name in before}
        audit.record(actor, "user.edit", user, organization_id=user.organization_id, before=before, after=after)
        reach.changed_of([user])
    if "email" in before:
        by = replace(actor, user_id=None, name=f"the identity provider {provider.slug}")
        notices.address_changed(actor=by, user=user, before=before["email"])


def _keep(identity: Identity, proven: Proven, session: Session | None) -> ProviderSession:
    ProviderSession.objects.filter(session=None, created_at__lt=timezone.now() - PATIENCE).delete()
    return ProviderSession.objects.create(
        session=session,
        identity=identity,
        sid=proven.sid,
        id_token=sealed.seal(proven.id_token, PURPOSE),
        multi_factor=proven.second_factor,
    )


def held(session_id: UUID) -> ProviderSession | None:
    """What says that a session came through a provider, which nobody switches off before the transaction ends.

    To be taken before the account and the session, as whoever switches one off takes them.
    """
    kept = ProviderSession.objects.filter(session_id=session_id).select_related("identity__provider").first()
    if kept is not None:
        _is_still_enabled(kept.identity.provider)  # if it is not, the session has ended
    return kept


def carry_over(kept: ProviderSession, to: Session) -> None:
    """A session that was confirmed in another one came through the same provider: what ends that one ends it, too,
    and a second factor that was given there counts for it."""
    ProviderSession.objects.create(
        session=to, identity=kept.identity, sid=kept.sid, id_token=kept.id_token, multi_factor=kept.multi_factor
    )


@transaction.atomic
def link(*, actor: Actor, provider: IdentityProvider, issuer: str, subject: str) -> Identity:
    """One more way into one's own account. The person has seen which identity it is, and said that it is his."""
    user = User.objects.select_for_update(no_key=True).get(pk=actor.account_id)
    if not may_enter_by(provider, user):
        raise Conflict(f"{provider.display_name} is for people of its organization whose rights are all inside it.")
    identity = Identity(provider=provider, issuer=issuer, subject=subject, user=user)
    rows.save(identity, new=True)
    audit.record(
        actor, "identity.link", identity, organization_id=user.organization_id, after={"provider": provider.slug}
    )
    reach.changed_of([user])
    return identity


@transaction.atomic
def unlink(*, actor: Actor, identity_id: UUID) -> None:
    """Take a way into one's own account away; not the last one. The roles that its rules gave go, its sessions end."""
    user = User.objects.select_for_update(no_key=True).get(pk=actor.account_id)
    identity = Identity.objects.select_related("provider__organization").filter(pk=identity_id, user=user).first()
    if identity is None:
        raise NotFound("No such identity.")
    others = Identity.objects.filter(user=user).exclude(pk=identity.pk)
    if not user.has_usable_password() and not others.filter(provider__enabled=True).exists():
        raise Conflict(
            "This is the only way into your account: link another one first, or ask an admin for a password."
        )
    if not others.filter(provider=identity.provider_id).exists():
        provider_roles.take_all(visitor=actor, provider=identity.provider, user=user)
    for kept in ProviderSession.objects.filter(identity=identity, session__revoked_at=None).select_related("session"):
        if kept.session_id is not None and kept.session_id != actor.session_id:
            sessions.end_own(actor=actor, session_id=kept.session_id)
    before = {"provider": identity.provider.slug, "subject": identity.subject}
    audit.record(actor, "identity.unlink", identity, organization_id=user.organization_id, before=before)
    identity.delete()
    reach.changed_of([user])
