"""A seed is a plan: the same one every time, another for another seed, with everything in it."""

from collections import Counter

from tests.chaos import faults, meddling, people, seeds
from tests.chaos.plan import FAULTS, MEDDLING, VERBS, plan


def test_a_seed_means_the_same_every_time() -> None:
    first, again, other = (plan(seed, operations=300, users=20) for seed in (7, 7, 8))
    assert first == again
    assert first.operations != other.operations
    assert first.faults != other.faults


def test_a_long_plan_has_every_operation_every_fault_and_every_deed() -> None:
    """Twenty people, each with something to do; over a few seeds nothing that is in the tables is left out."""
    plans = [plan(seed, operations=1000, users=20) for seed in range(4)]
    for drawn in plans:
        assert len(drawn.people) == 20
        assert all(drawn.operations[person.name] for person in drawn.people)
        assert sum(map(len, drawn.operations.values())) == 1000
    verbs = Counter(item.verb for drawn in plans for mine in drawn.operations.values() for item in mine)
    assert set(verbs) == set(VERBS)
    assert {event.what for drawn in plans for event in drawn.faults} == set(FAULTS)
    assert {event.what for drawn in plans for event in drawn.meddling} == set(MEDDLING)


def test_everything_that_is_drawn_can_be_carried_out() -> None:
    assert set(faults.TABLE) == set(FAULTS)
    assert set(meddling.TARGETS) == set(meddling.DEEDS) == set(MEDDLING)
    assert set(people.WISHES) == {verb for verb in VERBS if "vm" in verb or "power" in verb} - {"create_vm"} | {"order"}


def test_kept_seeds_say_why_they_are_kept() -> None:
    assert all(kept.found for kept in seeds.KEPT)
    assert len({(kept.seed, kept.operations) for kept in seeds.KEPT}) == len(seeds.KEPT)
