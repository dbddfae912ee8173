"""Roles that follow from what a provider says of somebody: at each sign-in they are made what its rules say.

Bindings made by hand, and by other providers' rules, are left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from core import audit, tenants
from core.actor import Actor, system_actor
from core.errors import Conflict, Invalid, NotFound
from tenancy.models import Role, RoleBinding, RoleName, User
from tenancy.oidc import claims, idle
from tenancy.oidc.rows import GroupRule, Identity, IdentityProvider
from tenancy.services import admins, bindings

Told = Mapping[str, list[str]]  # claim → its values


@dataclass(frozen=True)
class Place:
    """A role at a place, as bindings and rules both have it."""

    role: str  # empty: an own one
    organization_id: UUID | None
    vdc_id: UUID | None
    custom_id: UUID | None = None
    custom: Role | None = field(default=None, compare=False)

    @classmethod
    def of(cls, row: RoleBinding | GroupRule) -> "Place":
        """Of an own role, bring `custom` along."""
        return cls(row.role, row.organization_id, row.vdc_id, row.custom_id, row.custom)

    @property
    def given(self) -> RoleName | Role:
        return self.custom or RoleName(self.role)

    @property
    def role_name(self) -> str:
        return self.custom.name if self.custom else self.role

    @property
    def label(self) -> str:
        """The role as people call it."""
        return (self.custom.display_name or self.custom.name) if self.custom else str(RoleName(self.role).label)


@dataclass
class Changes:
    """What a sign-in makes of somebody's roles. `kept`: the last admin's, which stays whatever the rules say.

    `idle`: rules that hold and give nothing, each with why (`tenancy.oidc.idle`).
    """

    made: list[Place] = field(default_factory=list)
    removed: list[Place] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    idle: list[tuple[GroupRule, str]] = field(default_factory=list)


def looked_at(provider: IdentityProvider, rules: Sequence[GroupRule]) -> list[str]:
    """The claims that decide about roles here."""
    return sorted({provider.groups_claim, *(rule.claim for rule in rules if rule.claim)})


def told_by(provider: IdentityProvider, rules: Sequence[GroupRule], said: claims.Claims) -> dict[str, list[str]]:
    return {name: claims.values(said, name) for name in looked_at(provider, rules)}


def left_out(provider: IdentityProvider, rules: Sequence[GroupRule], said: claims.Claims) -> str:
    """A claim that a rule needs, and of which the provider says only that it is too long to be sent. Empty: none."""
    needed = {rule.claim or provider.groups_claim for rule in rules}
    return next((name for name in sorted(needed) if claims.left_out(said, name)), "")


def holds(provider: IdentityProvider, rule: GroupRule, told: Told) -> bool:
    found = told.get(rule.claim or provider.groups_claim, [])
    return any(claims.passes(rule.match, rule.value, value) for value in found)


def places_of(provider: IdentityProvider, rules: Sequence[GroupRule], told: Told) -> set[Place]:
    """What these rules give. An organization's provider gives nothing outside it, whatever its rows say."""
    places = {Place.of(rule) for rule in rules if (rule.role or rule.custom_id) and holds(provider, rule, told)}
    if provider.organization_id is None:
        return places
    return {place for place in places if place.organization_id == provider.organization_id}


def planned(provider: IdentityProvider, rules: Sequence[GroupRule], user: User | None, told: Told) -> Changes:
    """What `make_equal` would do, without doing it. `rules`: as `rules_of` reads them."""
    wanted = places_of(provider, rules, told)
    held = list(_own(user)) if user is not None else []
    by_rule = {Place.of(binding) for binding in held if binding.by_provider_id == provider.pk}
    others = {Place.of(binding) for binding in held if binding.by_provider_id != provider.pk}
    nothing = [(rule, rule.why) for rule in rules if rule.why]  # type: ignore[attr-defined]  # see `rules_of`
    nowhere = {Place.of(rule) for rule, _why in nothing}
    return Changes(
        made=_ordered(wanted - by_rule - others - nowhere),
        removed=_ordered(by_rule - wanted),
        idle=[(rule, why) for rule, why in nothing if holds(provider, rule, told)],
    )


def rules_of(provider: IdentityProvider) -> list[GroupRule]:
    """In order, with their organizations and own roles; `why`: why it gives nothing, or None."""
    return list(provider.rules.select_related("organization", "custom").annotate(why=idle.why()))


def _own(user: User) -> QuerySet[RoleBinding]:
    """Roles that he himself has at places where rules can give them, and that have not ended."""
    now = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return RoleBinding.objects.filter(now, user=user, vm_id=None).select_related("custom")


@transaction.atomic
def make_equal(*, visitor: Actor, provider: IdentityProvider, user: User, told: Told) -> Changes:
    """Give what the rules say, take away what they said before. The last admin of anything stays one."""
    rules = rules_of(provider)
    plan = planned(provider, rules, user, told)
    actor, done = acting(provider, visitor), Changes(idle=plan.idle)
    organizations = {rule.organization_id: rule.organization for rule in rules}
    for place in plan.made:
        try:
            with transaction.atomic():
                bindings.bind_role(
                    actor=actor,
                    user=user,
                    role=place.given,
                    organization=organizations[place.organization_id],
                    vdc_id=place.vdc_id,
                    by_provider=provider,
                )
        except (Invalid, NotFound) as refusal:  # gone since we have looked
            done.idle += [(rule, refusal.message) for rule in rules if Place.of(rule) == place]
            continue
        done.made.append(place)
    for binding in RoleBinding.objects.filter(user=user, by_provider=provider).select_related("custom"):
        place = Place.of(binding)
        if place in plan.removed:
            (done.removed if _unbound(actor, binding) else done.kept).append(place)
    return done


def take_all(*, visitor: Actor, provider: IdentityProvider, user: User) -> None:
    """No rule of this provider says anything of him any more. Conflict where he is the last admin."""
    for binding in RoleBinding.objects.filter(user=user, by_provider=provider):
        bindings.unbind_role(actor=acting(provider, visitor), binding=binding)


def acting(provider: IdentityProvider, visitor: Actor) -> Actor:
    """Nobody gives these roles by hand: the rule does, in OVIM's own name, from where the person signs in."""
    actor = system_actor(f"rules of {provider.slug}")
    return replace(actor, address=visitor.address, request_id=visitor.request_id)


def _unbound(actor: Actor, binding: RoleBinding) -> bool:
    try:
        with transaction.atomic():
            bindings.unbind_role(actor=actor, binding=binding)
    except Conflict as refusal:
        told = {"user": str(binding.user_id), "role": binding.role, "kept_because": refusal.message}
        audit.record(actor, "binding.keep", binding, after=told)
        return False
    return True


def _ordered(places: set[Place]) -> list[Place]:
    return sorted(places, key=lambda place: (place.role_name, str(place.organization_id), str(place.vdc_id)))


@tenants.everything()
def require_admins(provider: IdentityProvider, rules: Sequence[GroupRule], *, usable: bool) -> None:
    """Refuse what would leave OVIM or an organization without an admin who can sign in.

    `rules`: as they will be; `usable`: whether people can sign in by this provider then. Who matches them is told by
    what each one's claims held when he signed in last.
    """
    admins.lock()
    touched = RoleBinding.objects.filter(
        Q(by_provider=provider)
        | Q(user__identities__provider=provider)
        | Q(group__memberships__user__identities__provider=provider),
        role__in=admins.ADMINS,
    )
    for role, organization_id in sorted(set(touched.values_list("role", "organization_id")), key=str):
        if not _somebody_left(provider, rules, Place(role, organization_id, None), usable=usable):
            where = "OVIM" if organization_id is None else "the organization"
            raise Conflict(
                f"After this nobody who can sign in would be an admin of {where}: give somebody else the role "
                f"{RoleName(role).label} by hand first, or have an admin sign in by another rule.",
            )


def _somebody_left(provider: IdentityProvider, rules: Sequence[GroupRule], place: Place, *, usable: bool) -> bool:
    """Whether somebody still has the role there afterwards, and still gets in."""
    here = Q(organization=place.organization_id) if place.organization_id else Q(organization=None)
    held = RoleBinding.objects.filter(here, role=place.role, expires_at=None)
    by_hand = held.exclude(by_provider=provider)
    alive = User.objects.filter(is_active=True, is_service=False)
    people = alive.filter(Q(bindings__in=by_hand) | Q(memberships__group__bindings__in=by_hand))
    if any(_gets_in(provider, user, usable=usable) for user in people.distinct().order_by("pk")):
        return True
    by_rule = Identity.objects.filter(provider=provider, user__in=alive, user__bindings__in=held).distinct()
    return usable and any(place in places_of(provider, rules, identity.seen) for identity in by_rule)


def _gets_in(provider: IdentityProvider, user: User, *, usable: bool) -> bool:
    if user.has_usable_password():
        return True
    known = Identity.objects.filter(user=user, provider__enabled=True)
    return (known if usable else known.exclude(provider=provider)).exists()
