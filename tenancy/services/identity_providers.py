"""Identity providers and their rules: made, changed, removed. Whoever may do that lets people in, so he needs it all."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core import access, audit, rows, sealed
from core.actor import Actor
from core.errors import Conflict, Forbidden, Invalid
from core.rights import Right
from core.rows import Generations
from tenancy.access import covers
from tenancy.models import Organization, Role, RoleBinding, RoleName, Session, User
from tenancy.oidc import discovery, door
from tenancy.oidc.library import PURPOSE
from tenancy.oidc.rows import GroupRule, IdentityProvider, Match, ProviderSession
from tenancy.roles import GRANTS
from tenancy.selectors import ALIVE
from tenancy.services import bindings, provider_roles, reach, roles

EDITABLE = (
    "display_name", "client_id", "scopes", "enabled", "creates_users", "username_claim", "email_claim", "name_claim",
    "groups_claim", "email_domains", "multi_factor",
)  # fmt: skip
MOST_RULES = 200
MOST_VALUES = 50  # of a list


@transaction.atomic
def create_provider(
    *,
    actor: Actor,
    name: str,
    issuer: str,
    organization: Organization | None = None,
    client_secret: str = "",
    rules: Sequence[Mapping[str, Any]] = (),
    **fields: Any,
) -> IdentityProvider:
    """A provider of an organization, or (None) for everybody. Nothing is asked of it yet: no network inside a transaction."""
    require(actor, organization)
    fields["display_name"] = fields.get("display_name") or name
    provider = IdentityProvider(
        organization=organization,
        name=name,
        issuer=door.check(issuer, "issuer"),
        client_secret=_sealed(client_secret),
        **{key: fields[key] for key in EDITABLE if key in fields},
    )
    _check(actor, provider, fields, domains=[])
    rows.save(provider, new=True)
    _put_rules(actor, provider, rules, [])
    after = {"name": name, "issuer": issuer, **_told(fields), "client_secret": client_secret, "rules": len(rules)}
    audit.record(actor, "identity_provider.create", provider, organization_id=provider.organization_id, after=after)
    return provider


@transaction.atomic
def edit_provider(
    *, actor: Actor, provider: IdentityProvider, changes: Mapping[str, Any], generations: Generations = None
) -> IdentityProvider:
    """Change what EDITABLE names, `client_secret`, and `rules` (all of them at once). The issuer never changes.

    Roles that the rules gave change at each person's next sign-in. Switched off, the sessions begun by it end at once.
    """
    require(actor, provider.organization)
    provider = rows.lock(provider, generations)
    _check(actor, provider, changes, domains=provider.email_domains)
    values = {key: changes[key] for key in EDITABLE if key in changes}
    if "client_secret" in changes:
        values["client_secret"] = _sealed(changes["client_secret"])
    before = rows.edit(provider, values)
    told, was = _told({name: changes[name] for name in before}), _told(before)
    if "rules" in changes:
        there = list(provider.rules.all())
        was["rules"] = [_rule_told(rule) for rule in there]
        provider.rules.all().delete()
        made = _put_rules(actor, provider, changes["rules"], there)
        told["rules"] = [_rule_told(rule) for rule in made]
        if not before:
            IdentityProvider.objects.filter(pk=provider.pk).update(generation=provider.generation + 1)
            provider.generation += 1
    if "enabled" in before:
        reach.changed_of(_people(provider))
        if not provider.enabled:
            told["sessions_ended"] = _end_sessions(provider)
    if told:
        provider_roles.require_admins(provider, list(provider.rules.all()), usable=provider.enabled)
        audit.record(
            actor,
            "identity_provider.edit",
            provider,
            organization_id=provider.organization_id,
            before=was,
            after=told,
        )
    return provider


@transaction.atomic
def delete_provider(*, actor: Actor, provider: IdentityProvider, generations: Generations = None) -> None:
    """It is gone, with links to its identities, roles that its rules gave, and sessions begun by it. Accounts stay."""
    require(actor, provider.organization)
    provider = rows.lock(provider, generations)
    provider_roles.require_admins(provider, [], usable=False)
    for binding in RoleBinding.objects.filter(by_provider=provider).order_by("pk"):
        bindings.unbind_role(actor=provider_roles.acting(provider, actor), binding=binding)
    before = {
        "name": provider.name,
        "issuer": provider.issuer,
        "identities": provider.identities.count(),
        "sessions": _end_sessions(provider),
    }
    audit.record(actor, "identity_provider.delete", provider, organization_id=provider.organization_id, before=before)
    people = _people(provider)
    provider.delete()
    reach.changed_of(people)


def sessions_of(provider: IdentityProvider) -> QuerySet[Session]:
    """Those begun by it that have not ended."""
    return Session.objects.filter(ALIVE, by_provider__identity__provider=provider)


def _end_sessions(provider: IdentityProvider) -> int:
    """Its row is locked, so that none begins at this moment (`arrivals.arrive`). How many there were."""
    # What waits for a code first: a session that comes of it meanwhile is then among those that end.
    ProviderSession.objects.filter(identity__provider=provider, session=None).delete()
    return sessions_of(provider).update(revoked_at=timezone.now())


def _people(provider: IdentityProvider) -> list[User]:
    return list(User.objects.filter(identities__provider=provider).distinct())


def look(*, actor: Actor, provider: IdentityProvider) -> discovery.Metadata:
    """Ask the provider about itself, now; ProviderTrouble says what is wrong with it. Outside of any transaction."""
    require(actor, provider.organization)
    discovery.forget()
    return discovery.of(provider.issuer)


def require(actor: Actor, organization: Organization | None) -> None:
    """Who edits an organization's provider could be anybody in it: so he has every right that its admin has."""
    if organization is None:
        access.require_system(actor, Right.IDENTITY_PROVIDER_EDIT)
        return
    access.require(actor, Right.ORGANIZATION_VIEW, organization)
    if not covers(actor, GRANTS[RoleName.ORG_ADMIN], organization.pk, None):
        raise Forbidden(Right.IDENTITY_PROVIDER_EDIT, f"organization {organization}")


def _check(actor: Actor, provider: IdentityProvider, given: Mapping[str, Any], *, domains: Sequence[str]) -> None:
    """`domains`: as they are before."""
    if "scopes" in given and "openid" not in given["scopes"].split():
        raise Invalid.field("scopes", "openid", "The scopes need openid, else there is no id token.")
    for name in ("email_domains", "multi_factor"):
        if len(given.get(name, ())) > MOST_VALUES:
            raise Invalid.field(name, "max_length", f"At most {MOST_VALUES}.")
    wanted = list(given.get("email_domains", domains))
    if wanted == list(domains):
        return
    access.require_system(actor, Right.IDENTITY_PROVIDER_EDIT)  # else one tenant could catch another one's people
    taken = IdentityProvider.objects.filter(email_domains__overlap=wanted).exclude(pk=provider.pk)
    if wanted and taken.exists():
        raise Conflict("One of these e-mail domains leads to another identity provider already.")


def _put_rules(
    actor: Actor, provider: IdentityProvider, given: Sequence[Mapping[str, Any]], there: Sequence[GroupRule]
) -> list[GroupRule]:
    """`there`: those from before. One of them that gives nothing, as its role or VDC is gone, may stay as it is."""
    if len(given) > MOST_RULES:
        raise Invalid.field("rules", "max_length", f"At most {MOST_RULES} rules.")
    known = [_rule_told(rule) for rule in there]
    made = []
    for number, one in enumerate(given):
        rule = _rule(provider, number, one)
        try:
            _check_rule(actor, rule)
        except Invalid:
            if _rule_told(rule) not in known:
                raise
        made.append(rule)
    for rule in made:
        rows.save(rule, new=True)
    return made


def _rule(provider: IdentityProvider, number: int, given: Mapping[str, Any]) -> GroupRule:
    """As given, unchecked. `role`: by name, a built-in one or the organization's own."""
    name, home = given["role"], provider.organization
    organization: Organization | None = given.get("organization")
    if organization is None and name != RoleName.SYSTEM_ADMIN:
        organization = home
    built_in = name in set(RoleName)
    return GroupRule(
        provider=provider,
        position=number,
        claim=given.get("claim", ""),
        match=given["match"],
        value=given["value"],
        role=name if built_in else "",
        custom_name="" if built_in else name,
        organization=organization,
        vdc_id=given.get("vdc_id"),
    )


def _check_rule(actor: Actor, rule: GroupRule) -> None:
    """Whether there is what it names, in its place, and the actor may give it. Its own role is found here."""
    home, organization = rule.provider.organization, rule.organization
    if home is not None and (organization is None or organization.pk != home.pk):
        raise Invalid.field("rules", "place", f"A provider of {home} gives roles inside {home} only.")
    if rule.match == Match.GLOB and rule.value.count("*") > 5:
        raise Invalid.field("rules", "glob", "A pattern has at most five *.")
    role = roles.named(rule.role_name, organization)
    rule.custom = role if isinstance(role, Role) else None
    bindings.check_place(RoleBinding(organization=organization, vdc_id=rule.vdc_id), role)
    if not bindings.may_give(actor, role, rule.organization_id, rule.vdc_id):
        raise Forbidden(Right.BINDING_EDIT, f"the role {rule.role_name} there: nobody gives more than he has")


def _sealed(secret: str) -> bytes:
    return sealed.seal(secret, PURPOSE) if secret else b""


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit log, which masks the secret by its name."""
    return {name: bool(value) or "" if name == "client_secret" else value for name, value in values.items()}


def _rule_told(rule: GroupRule) -> dict[str, Any]:
    return {
        "claim": rule.claim,
        "match": rule.match,
        "value": rule.value,
        "role": rule.role_name,
        "organization": str(rule.organization_id) if rule.organization_id else None,
        "vdc": str(rule.vdc_id) if rule.vdc_id else None,
    }
