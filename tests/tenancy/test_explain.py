"""Why somebody may do something, or why not and who could give it: what is asked, and what nobody is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core import access
from core.rights import Right
from tenancy.explain import explain, question
from tenancy.models import RoleBinding, RoleName
from tenancy.services import bindings, groups, roles
from tests.cast import Api, actor_of, make_person, make_user
from tests.domain import OVIM, a_vdc, a_vm
from tests.tenancy.test_resources import refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def dev(cluster, acme):
    make_person("alice")
    return a_vdc("dev", organization=acme)


@pytest.fixture
def web(dev):
    return a_vm(dev, "web")


def ask(api, who, action, where, user=None, *, status=200):
    more = f"&user={user.pk}" if user is not None else ""
    answer = api(who).get(f"access/explain?action={action}&object={where}{more}")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_yes_names_the_roles_it_comes_from(api, acme, dev, web):
    vera = make_person("vera")
    group = groups.create_group(actor=OVIM, organization=acme, name="ops")
    groups.add_member(actor=OVIM, group=group, user=vera)
    role = roles.create_role(
        actor=OVIM, organization=acme, name="operator", display_name="Operator", rights=["vm.view", "vm.power"]
    )
    until = timezone.now() + timedelta(days=1)
    bindings.bind_role(actor=OVIM, group=group, role=role, vm_id=web.pk, expires_at=until)
    told = ask(api, "vera", "stop", f"vm/{web.pk}")
    assert (told["allowed"], told["right"], told["object_name"], told["reason"]) == (True, "vm.power", "web", None)
    own, given = told["via"]
    assert (own["role"], own["level"], own["vdc"], own["group"]) == ("vdc_admin", "vdc", str(dev.pk), None)
    assert (given["role"], given["role_name"], given["level"], given["group"]) == ("operator", "Operator", "vm", "ops")
    assert given["expires_at"] is not None
    assert told["who_could_grant"] == {"people": [], "roles": []}


def test_what_stands_against_a_verb_in_the_objects_state_is_told(api, web):
    told = ask(api, "alice", "start", f"vm/{web.pk}")
    assert (told["allowed"], told["reason"]) == (False, "It is on already.")
    assert told["via"][0]["role"] == "org_admin"


def test_a_no_says_why_and_who_could_give_it_as_far_as_one_may_see(api, acme, dev, web):
    bob = make_person("bob")
    mine = ask(api, "bob", "vdc.edit", f"vdc/{dev.pk}")
    assert (mine["allowed"], mine["reason"]) == (False, "No role of bob gives vdc.edit.")
    assert mine["who_could_grant"] == {"people": [], "roles": ["Organization admin of acme"]}  # bob sees nobody
    make_person("root")
    his = ask(api, "alice", "vm.delete", f"vm/{web.pk}", bob)
    assert his["reason"] == "bob has vm.delete as User, but for other places or things of his own."
    assert his["who_could_grant"]["people"] == ["alice"]
    assert his["who_could_grant"]["roles"] == ["Organization admin of acme", "System admin"]


def test_a_role_that_has_ended_and_an_account_that_is_shut_are_told(api, acme, dev):
    nina = make_user("nina", RoleName.VDC_ADMIN, organization=acme, vdc_id=dev.pk)
    RoleBinding.objects.filter(user=nina).update(expires_at=timezone.now())
    assert "ended on" in ask(api, "alice", "vdc.view", f"vdc/{dev.pk}", nina)["reason"]
    RoleBinding.objects.filter(user=nina).update(expires_at=None)
    for field, word in (("must_change_password", "another password"), ("is_active", "disabled")):
        setattr(nina, field, field != "is_active")
        nina.save()
        told = ask(api, "alice", "vdc.view", f"vdc/{dev.pk}", nina)
        assert (told["allowed"], word in told["reason"]) == (False, True)
        nina.must_change_password, nina.is_active = False, True
        nina.save()
    assert ask(api, "alice", "vdc.view", f"vdc/{dev.pk}", nina)["allowed"] is True


def test_a_token_is_told_that_it_was_made_for_less(api, dev):
    made = api("vera").post("tokens", {"name": "ci", "rights": ["vdc.view", "organization.view"]})
    program = Api()
    program.headers["Authorization"] = f"Bearer {made.json()['token']}"
    told = program.get(f"access/explain?action=vm.create&object=vdc/{dev.pk}").json()
    assert (told["allowed"], "access token" in told["reason"]) == (False, True)


def test_roles_that_the_asker_may_not_see_are_only_counted(api, acme, dev):
    founder = make_user("founder", home=acme)
    founder.bindings.create(role="system_admin")
    told = ask(api, "alice", "vdc.edit", f"vdc/{dev.pk}", founder)
    assert (told["allowed"], told["via"], told["hidden"]) == (True, [], 1)


def test_the_system_as_a_whole_can_be_asked_about(api, cluster):
    assert ask(api, "root", "organization.create", "system")["allowed"] is True
    told = ask(api, "alice", "organization.create", "system")
    assert (told["allowed"], told["who_could_grant"]["roles"]) == (False, ["System admin"])
    assert ask(api, "alice", "self", "system")["allowed"] is True


def test_what_and_whom_one_does_not_see_is_not_there(api, acme, dev, web, globex_main):
    charlie, bob, alice = make_person("charlie"), make_person("bob"), make_person("alice")
    ask(api, "charlie", "vm.view", f"vm/{web.pk}", status=404)
    ask(api, "alice", "vdc.view", f"vdc/{globex_main.pk}", status=404)
    ask(api, "alice", "vdc.view", f"vdc/{dev.pk}", charlie, status=404)
    ask(api, "vera", "vdc.view", f"vdc/{dev.pk}", bob, status=404)  # others may ask about themselves only
    ask(api, "bob", "vdc.view", f"vdc/{dev.pk}", alice, status=404)
    ask(api, "nobody", "vdc.view", f"vdc/{dev.pk}", status=404)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "action"),
        ("action=vm.fly&object=system", "action"),
        ("action=vm.edit", "object"),
        ("action=vm.edit&object=moon/1", "object"),
        ("action=vm.edit&object=vm/web", "object"),
        ("action=vm.edit&object=system&user=bob", "user"),
    ],
)
def test_what_is_no_question_is_refused_by_its_field(api, query, field):
    refusal(api("alice").get(f"access/explain?{query}"), 400, field)


def test_the_answer_is_the_decision_for_everybody_and_every_right(api, acme, dev, web):
    """Told and done are one: no verb that is explained as allowed is refused for a right, nor the other way round."""
    people = [make_person(name) for name in ("root", "alice", "vera", "bob")]
    for user in people:
        actor = actor_of(user)
        for right in Right:
            asked = question(actor, str(right), f"vdc/{dev.pk}", None)
            told = explain(actor, asked)
            assert told["allowed"] is access.allows(actor, right, dev), (user, right)
            assert bool(told["via"]) is (told["allowed"] and right not in (Right.SELF, Right.ACCOUNT)), (user, right)
