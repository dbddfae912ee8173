"""One decision, two ways to it: asked of the database, and of a row that was read already."""

import itertools
from typing import Any

import pytest
from django.db.models import Q

from core import access
from core.rights import Right
from tenancy.models import Organization
from tests.cast import actor_of, make_person
from tests.domain import a_vdc, a_vm, an_organization
from vdcs.models import Vdc
from vms.models import VirtualMachine


@pytest.mark.django_db
def test_both_ways_agree_for_everybody_on_every_row():
    vdcs = [a_vdc("dev"), a_vdc("prod"), a_vdc("main", organization=an_organization("globex"))]
    people = [actor_of(make_person(n)) for n in ("root", "alice", "vera", "bob", "charlie", "nobody")]
    bob = next(actor for actor in people if actor.name == "bob")
    a_vm(vdcs[0], "bobs", actor=bob)
    for number, vdc in enumerate(vdcs):
        a_vm(vdc, f"somebodys-{number}")
    answers = set()
    models: tuple[Any, ...] = (VirtualMachine, Vdc, Organization)
    for model, actor, right in itertools.product(models, people, Right):
        scope = model.scope
        paths = scope.paths
        where = access.reach(actor, model, right)
        seen = set(access.visible(actor, model.objects.all(), right).values_list("pk", flat=True))
        for pk, *values in model.objects.values_list("pk", *paths):
            held = access.holds(where, dict(zip(paths, values, strict=True)))
            assert held is (pk in seen), (model, actor.name, right, values)
            answers.add((model, held))
    assert len(answers) == 6, "of each kind somebody sees something and somebody does not"


@pytest.mark.parametrize("where", [Q(name__startswith="a"), Q(a=1) ^ Q(b=2), Q(unread=1)])
def test_what_only_the_database_can_tell_is_refused(where):
    with pytest.raises(ValueError, match="access decision"):
        access.holds(where, {"a": 1, "b": 2})
