"""Random tenants, roles, groups and bindings: what the decision says of real rows, beside a plain restatement of the rules.

The restatement (`may`) shares no code and no table with what it is compared to: it looks at one person, one right and one
thing at a time, binding by binding, as somebody would with paper and pencil.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from catalogs.models import Catalog
from core import access
from core.rights import Right
from tenancy.models import Group, Membership, Organization, Role, RoleBinding, User
from tenancy.selectors import actor_of_user
from tests.cast import a_password_hash, make_cluster, make_placement
from vdcs.models import Vdc
from vms.models import Disk, VirtualMachine

LOOK = {"organization.view", "vdc.view", "catalog.view", "image.use"}
MACHINES = {"vm.view", "vm.create", "vm.edit", "vm.power", "vm.delete"}
OF_ORG_ADMIN = LOOK | MACHINES | {
    "audit.view", "binding.edit", "binding.view", "catalog.edit", "identity_provider.edit", "identity_provider.view",
    "organization.edit", "user.edit", "user.view",
    "vdc.create", "vdc.delete", "vdc.edit", "vm.adopt", "vm.order",
}  # fmt: skip
KEPT_BY_ADMINS = {"identity_provider.edit"}  # in no role of an organization's own
BUILT_IN = {
    "org_admin": OF_ORG_ADMIN,
    "vdc_admin": LOOK | MACHINES | {"binding.view", "vm.order"},
    "user": LOOK | MACHINES,
}
IN_A_VDC = BUILT_IN["vdc_admin"] | {"vdc.edit", "vdc.delete", "vm.adopt", "binding.edit"}
IN_A_VM = {"vm.view", "vm.edit", "vm.power", "vm.delete", "vm.order", "vdc.view", "organization.view"}
SHARED = {"organization.view", "catalog.view", "image.use"}
Ends = Literal["never", "later", "over"]


@dataclass
class Org:
    number: int
    enabled: bool
    strict: bool
    row: Any = None


@dataclass
class Person:
    number: int
    home: int | None
    active: bool
    fresh: bool
    groups: set[int] = field(default_factory=set)
    row: Any = None


@dataclass
class Team:
    number: int
    home: int | None
    row: Any = None


@dataclass
class OwnRole:
    number: int
    home: int
    rights: set[str]
    own_only: bool
    row: Any = None


@dataclass
class Bound:
    """`who`: ("person" or "group", number). `role`: a built-in name, or the number of an own one."""

    who: tuple[str, int]
    role: str | int
    org: int | None
    vdc: int | None
    vm: int | None
    ends: Ends


@dataclass
class Thing:
    """A row and what of it matters. `itself`: it is this organization or this VDC."""

    row: Any
    org: int | None
    vdc: int | None = None
    vm: int | None = None
    owner: int | None = None
    itself: str = ""
    can_be_owned: bool = False


@dataclass
class World:
    """VDC n is in organization n // 2, VM n in VDC n // 2."""

    orgs: list[Org]
    people: list[Person]
    teams: list[Team]
    roles: list[OwnRole]
    owners: list[int | None]
    bound: list[Bound]


def may(world: World, person: Person, right: str, thing: Thing) -> bool:
    home = None if person.home is None else world.orgs[person.home]
    out = home is not None and not home.enabled and not any(_is_his(world, bound, person) for bound in world.bound)
    if not person.active or out:
        return False
    if right in ("self", "account"):
        return thing.can_be_owned and thing.owner == person.number
    if person.fresh or (home is not None and home.strict):
        return False
    return any(_gives(world, binding, person, right, thing) for binding in world.bound)


def _is_his(world: World, binding: Bound, person: Person) -> bool:
    """It has an effect for him, through a group or not."""
    kind, number = binding.who
    if not (number == person.number if kind == "person" else number in person.groups) or binding.ends == "over":
        return False
    return binding.org is None or world.orgs[binding.org].enabled


def _gives(world: World, binding: Bound, person: Person, right: str, thing: Thing) -> bool:
    if not _is_his(world, binding, person):
        return False
    if binding.org is None:
        return True  # a system admin
    rights, own_only = _rights(world, binding)
    if right not in rights:
        return False
    if binding.vm is not None:
        return right in IN_A_VM and _by_vm(binding, right, thing)
    if thing.org is None:
        return right in ("catalog.view", "image.use")
    return thing.org == binding.org and (right in SHARED or _in_place(binding, person, thing, own_only=own_only))


def _rights(world: World, binding: Bound) -> tuple[set[str], bool]:
    rights, own_only = BUILT_IN.get(str(binding.role), set()), binding.role == "user"
    if isinstance(binding.role, int):
        role = world.roles[binding.role]
        rights, own_only = role.rights, role.own_only
    return rights if binding.vdc is None or binding.vm is not None else rights & IN_A_VDC, own_only


def _in_place(binding: Bound, person: Person, thing: Thing, *, own_only: bool) -> bool:
    if binding.vdc is not None and thing.vdc != binding.vdc:
        return False
    return not own_only or thing.itself == "vdc" or (thing.can_be_owned and thing.owner == person.number)


def _by_vm(binding: Bound, right: str, thing: Thing) -> bool:
    if thing.vm is not None:
        return thing.vm == binding.vm or (right == "organization.view" and thing.org == binding.org)
    if right == "vdc.view":
        return thing.itself == "vdc" and thing.vdc == binding.vdc
    return right == "organization.view" and thing.org == binding.org


@st.composite
def worlds(draw: st.DrawFn) -> World:
    often = st.integers(0, 4).map(bool)
    seldom = st.integers(0, 6).map(lambda n: n == 0)
    orgs = [Org(n, draw(often), draw(seldom)) for n in range(2)]
    homes = st.sampled_from([None, 0, 0, 1])
    teams = [Team(n, n if n < 2 else None) for n in range(3)]
    people = [
        Person(n, draw(homes), draw(often), draw(seldom), draw(st.sets(st.integers(0, 2), max_size=2)))
        for n in range(3)
    ]
    rights = st.sets(st.sampled_from(sorted(OF_ORG_ADMIN - KEPT_BY_ADMINS)), min_size=1, max_size=8)
    roles = [OwnRole(n, n % 2, draw(rights), draw(st.booleans())) for n in range(3)]
    owners = draw(st.lists(st.sampled_from([None, 0, 1, 2]), min_size=8, max_size=8))
    bound = draw(st.lists(_bindings(roles), min_size=1, max_size=6, unique_by=_key))
    return World(orgs, people, teams, roles, owners, bound)


@st.composite
def _bindings(draw: st.DrawFn, roles: list[OwnRole]) -> Bound:
    who = draw(st.sampled_from([("person", n) for n in range(3)] + [("group", n) for n in range(3)]))
    ends: Ends = draw(st.sampled_from(["never", "never", "later", "over"]))
    level = draw(st.sampled_from(["system", "org", "org", "vdc", "vdc", "vm", "vm"]))
    if level == "system":
        return Bound(who, "system_admin", None, None, None, ends)
    vm = draw(st.integers(0, 7))
    org = vm // 4
    own: list[str | int] = [role.number for role in roles if role.home == org]
    names = ["org_admin", "user"] if level == "org" else ["vdc_admin", "user", "user"]
    role = draw(st.sampled_from([*names, *own]))
    vdc = None if level == "org" else vm // 2
    return Bound(who, role, org, vdc, vm if level == "vm" else None, ends)


def _key(binding: Bound) -> tuple[Any, ...]:
    return binding.who, binding.role, binding.org, binding.vdc, binding.vm


def built(world: World) -> list[Thing]:
    """The world as rows; what there is to ask about."""
    things = _places(world)
    now = timezone.now()
    ends = {"never": None, "later": now + timedelta(hours=1), "over": now - timedelta(seconds=1)}
    for person in world.people:
        person.row = User.objects.create(
            username=f"p{person.number}", password=a_password_hash(), organization=_org(world, person.home),
            is_active=person.active, must_change_password=person.fresh,
        )  # fmt: skip
        things.append(Thing(person.row, person.home, owner=person.number, can_be_owned=True))
    for team in world.teams:
        team.row = Group.objects.create(name=f"g{team.number}", organization=_org(world, team.home))
        things.append(Thing(team.row, team.home))
    for person in world.people:
        for number in person.groups:
            Membership.objects.create(user=person.row, group=world.teams[number].row)
    for role in world.roles:
        home = world.orgs[role.home].row
        role.row = Role.objects.create(
            name=f"r{role.number}", organization=home, rights=sorted(role.rights), own_only=role.own_only
        )
    vdcs = [thing for thing in things if thing.itself == "vdc"]
    vms = _machines(world, vdcs, things)
    for binding in world.bound:
        kind, number = binding.who
        own = isinstance(binding.role, int)
        row = RoleBinding.objects.create(
            user=world.people[number].row if kind == "person" else None,
            group=world.teams[number].row if kind == "group" else None,
            role="" if own else binding.role, custom=world.roles[int(binding.role)].row if own else None,
            organization=_org(world, binding.org), vdc_id=None if binding.vdc is None else vdcs[binding.vdc].row.pk,
            vm_id=None if binding.vm is None else vms[binding.vm].row.pk, expires_at=ends[binding.ends],
        )  # fmt: skip
        owner = number if kind == "person" else None
        things.append(Thing(row, binding.org, vdc=binding.vdc, owner=owner, can_be_owned=True))
    return things


def _org(world: World, number: int | None) -> Any:
    return None if number is None else world.orgs[number].row


def _places(world: World) -> list[Thing]:
    things = [Thing(Catalog.objects.create(name="provider", display_name="P"), None)]
    for org in world.orgs:
        org.row = Organization.objects.create(
            name=f"o{org.number}", display_name="O", enabled=org.enabled, second_factor_required=org.strict
        )
        things.append(Thing(org.row, org.number, itself="organization"))
        things.append(Thing(Catalog.objects.create(name="own", display_name="C", organization=org.row), org.number))
        for number in (0, 1):
            vdc = Vdc.objects.create(
                organization=org.row, name=f"v{number}", display_name="V", namespace=f"o{org.number}-v{number}",
                cluster=make_cluster(), placement=make_placement(org.row),
            )  # fmt: skip
            things.append(Thing(vdc, org.number, vdc=org.number * 2 + number, itself="vdc"))
    return things


def _machines(world: World, vdcs: list[Thing], things: list[Thing]) -> list[Thing]:
    made = []
    for number, owner in enumerate(world.owners):
        vdc = vdcs[number // 2]
        vm = VirtualMachine.objects.create(
            organization_id=vdc.row.organization_id, vdc=vdc.row, name=f"m{number}", cpu=1, memory_mib=512,
            owner=None if owner is None else world.people[owner].row,
        )  # fmt: skip
        disk = Disk.objects.create(vdc=vdc.row, vm=vm, name=f"m{number}", source="blank", size_gib=1)
        at: dict[str, Any] = {"org": vdc.org, "vdc": vdc.vdc, "vm": number, "owner": owner, "can_be_owned": True}
        made.append(Thing(vm, **at))
        things += [made[-1], Thing(disk, **at)]
    return made


class Undo(Exception):
    """Rolls a world back."""


@pytest.mark.slow
@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(world=worlds(), rights=st.sets(st.sampled_from(sorted(Right)), min_size=4, max_size=8))
def test_the_decision_is_the_rules(world, rights):
    try:
        with transaction.atomic():
            _compare(world, built(world), rights)
            raise Undo
    except Undo:
        pass


def _compare(world: World, things: list[Thing], rights: set[Right]) -> None:
    kinds = {type(thing.row) for thing in things}
    for person in world.people:
        actor = actor_of_user(person.row.pk)
        for right in rights:
            for kind in kinds:
                own = {thing.row.pk: thing for thing in things if type(thing.row) is kind}
                wanted = {pk for pk, thing in own.items() if may(world, person, str(right), thing)}
                event(f"{'some' if wanted else 'none'} of {kind.__name__}")
                if actor is None:
                    assert not wanted
                    continue
                told = f"{person} {right} {kind.__name__}"
                seen = access.visible(actor, kind._default_manager.filter(pk__in=own), right)
                assert set(seen.values_list("pk", flat=True)) == wanted, told
                _compare_held(actor, kind, right, own, wanted)


def _compare_held(actor: Any, kind: Any, right: Right, own: dict[Any, Thing], wanted: set[Any]) -> None:
    """The same of rows that were read already; and of one of them alone."""
    where = access.reach(actor, kind, right)
    values = kind._default_manager.filter(pk__in=own).values("pk", *kind.scope.paths)
    assert {row["pk"] for row in values if access.holds(where, row)} == wanted
    first = next(iter(own.values()))
    assert access.allows(actor, right, first.row) is (first.row.pk in wanted)
