"""What a seed means: who does what, what breaks, who meddles, each at its place in one order. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ORGANIZATIONS, VDCS, VMS = 3, ("a", "b", "c"), 12
SYSTEM, ORG, VDC, USER = "system_admin", "org_admin", "vdc_admin", "user"

# Verb → how often, and which role mostly does it. A tenth is tried by anybody, who is refused where he may not.
VERBS: Mapping[str, tuple[float, str]] = {
    "create_vm": (28, ""),
    "power_on": (10, ""),
    "power_off": (12, ""),
    "resize_vm": (10, ""),
    "rename_vm": (12, ""),
    "delete_vm": (11, ""),
    "order": (4, VDC),
    "vdc_limits": (4, ORG),
    "edit_vdc": (3, ORG),
    "create_vdc": (2.5, ORG),
    "delete_vdc": (1.2, ORG),
    "organization_quota": (1.3, SYSTEM),
    "rename_organization": (1, ORG),
}
# What breaks → how often. Parts come back by themselves, as under any supervisor.
FAULTS: Mapping[str, float] = {
    "kill_worker": 5,
    "stop_worker": 2,
    "kill_watcher": 3,
    "kill_beat": 2,
    "kill_web": 2,
    "kill_valkey": 3,
    "postgres_fast": 1.2,
    "postgres_immediate": 1.2,
    "kill_sandbox": 1.5,
    "end_sandbox": 1,
    "latency": 4,
    "too_many": 3,
    "error": 5,
    "reset": 4,
    "lost": 5,
    "drop_watches": 3,
    "stall_watches": 3,
    "compact": 3,
}
MEDDLING: Mapping[str, float] = {
    "strip_labels": 3,
    "strip_marks": 2,
    "run_strategy": 5,
    "change_size": 3,
    "delete_machine": 4,
    "delete_instance": 2,
    "delete_pod": 2,
    "delete_disk": 2,
    "delete_claim": 1.5,
    "delete_secret": 1.5,
    "delete_quota": 2,
    "widen_quota": 2,
    "delete_policy": 2,
    "open_policy": 2,
    "delete_role_binding": 1.5,
    "delete_mirror": 1.5,
    "delete_namespace": 0.4,
}


@dataclass(frozen=True)
class Place:
    """A VM's place by number and name, whether there is one or not: what is there decides what comes of it."""

    organization: int
    vdc: str
    vm: str


@dataclass(frozen=True)
class Operation:
    """One thing one person does. `hang_up`: the first answer is not waited for, so the person asks again.

    `instead`: the VM that is made where there is none to do it to.
    """

    number: int
    person: str
    verb: str
    place: Place
    given: Mapping[str, Any]
    instead: Mapping[str, Any]
    hang_up: bool = False


@dataclass(frozen=True)
class Event:
    """A fault or a meddler's deed, once so many operations have begun. `dice`: for whatever it has to choose."""

    after: int
    what: str
    place: Place
    dice: float
    seconds: float = 0.0


@dataclass(frozen=True)
class Person:
    name: str
    role: str
    organization: int | None = None


@dataclass(frozen=True)
class Plan:
    seed: int
    people: Sequence[Person]
    operations: Mapping[str, Sequence[Operation]] = field(default_factory=dict)
    faults: Sequence[Event] = ()
    meddling: Sequence[Event] = ()


def people(count: int) -> list[Person]:
    """One of the provider's, the others spread over the organizations, all roles among them."""
    roles = (ORG, VDC, USER)
    rest = [
        Person(f"person{number}", roles[number // ORGANIZATIONS % len(roles)], number % ORGANIZATIONS)
        for number in range(count - 1)
    ]
    return [Person("provider", SYSTEM), *rest]


def plan(seed: int, *, operations: int, users: int) -> Plan:
    """Everything that is drawn is drawn here: nothing that runs later throws dice."""
    crowd = people(users)
    dice = random.Random(f"chaos {seed}")
    by_person: dict[str, list[Operation]] = {person.name: [] for person in crowd}
    for number in range(operations):
        operation = _operation(dice, number, crowd)
        by_person[operation.person].append(operation)
    return Plan(
        seed,
        crowd,
        by_person,
        _events(dice, FAULTS, operations, every=22),
        _events(dice, MEDDLING, operations, every=9),
    )


def _operation(dice: random.Random, number: int, crowd: Sequence[Person]) -> Operation:
    verb = dice.choices(list(VERBS), [weight for weight, _ in VERBS.values()])[0]
    mostly = VERBS[verb][1]
    able = [person for person in crowd if person.role == mostly] if mostly and dice.random() < 0.9 else list(crowd)
    person = dice.choice(able or list(crowd))
    home = person.organization if person.organization is not None else dice.randrange(ORGANIZATIONS)
    if dice.random() < 0.02:  # somebody else's: he is to be told that there is no such thing
        home = (home + 1) % ORGANIZATIONS
    place = Place(home, dice.choices(VDCS, [4, 4, 2])[0], f"v{dice.randrange(VMS):02}")
    if verb in ("create_vdc", "delete_vdc") and dice.random() < 0.7:
        place = Place(home, "c", place.vm)
    size = {"cpu": dice.randint(1, 4), "memory_mib": dice.choice([128, 256, 512, 1024])}
    made = size | {"disk_gib": dice.randint(1, 3), "power_state": dice.choice(["on", "on", "off"])}
    given = _given(dice, verb, number, size)
    return Operation(number, person.name, verb, place, given, made, hang_up=dice.random() < 0.04)


def _given(dice: random.Random, verb: str, number: int, size: Mapping[str, int]) -> Mapping[str, Any]:
    limits = {
        "cpu": dice.randint(10, 26),
        "memory_mib": 1024 * dice.randint(5, 12),
        "disk_gib": dice.randint(14, 34),
        "vms": dice.randint(6, 14),
    }
    if dice.random() < 0.5:
        limits["running_vms"] = dice.randint(4, 10)
    bodies: dict[str, Mapping[str, Any]] = {
        "resize_vm": size,
        "rename_vm": {"display_name": f"name {number}"},
        "vdc_limits": {"limits": limits},
        "edit_vdc": {
            "description": f"edit {number}",
            "network_mode": dice.choice(["default", "isolated"]),
            "enforcement": dice.choice(["allocated", "allocated", "active"]),
        },
        "create_vdc": {"limits": limits, "enforcement": dice.choice(["allocated", "active"])},
        "organization_quota": {
            "limits": {name: value * 3 for name, value in limits.items()},
            "mode": dice.choice(["reservation", "elastic"]),
        },
        "rename_organization": {"display_name": f"name {number}"},
        "order": {"order": dice.choice(["repair", "repair", "accept", "recreate-disk", "recreate-disk"])},
    }
    return bodies.get(verb, {})


def _events(dice: random.Random, weights: Mapping[str, float], operations: int, *, every: int) -> list[Event]:
    """Not among the first operations: there is nothing yet to break."""
    count = max(operations // every, 1)
    moments = sorted(dice.randrange(operations // 12, operations) for _ in range(count))
    return [
        Event(
            moment,
            dice.choices(list(weights), list(weights.values()))[0],
            Place(dice.randrange(ORGANIZATIONS), dice.choices(VDCS, [4, 4, 2])[0], f"v{dice.randrange(VMS):02}"),
            dice.random(),
            dice.choice([0.0, 0.3, 1.0, 2.0]),
        )
        for moment in moments
    ]
