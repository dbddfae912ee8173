"""Group rules that give an organization's own roles, and rules that give nothing as what they name is gone."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from core.models import AuditEntry
from tenancy.models import Organization, RoleBinding, SecondFactor
from tenancy.oidc.rows import GroupRule, Identity
from tests.cast import Api, make_person, session_of
from tests.portal import browser, text
from tests.tenancy.oidc.conftest import sign_in
from vdcs.models import Vdc

pytestmark = pytest.mark.django_db
LOOK = ["organization.view", "vdc.view", "vm.view", "vm.power"]


@dataclass
class Here:
    """acme with its VDC dev, its own role operator, and alice who gives it."""

    acme: Organization
    dev: Vdc
    operator: str
    alice: Any


@pytest.fixture
def here(api, acme, acme_dev):
    alice = api("alice")
    body = {"name": "operator", "display_name": "Night Shift", "organization": str(acme.pk), "rights": LOOK}
    return Here(acme, acme_dev, alice.post("roles", body).json()["id"], alice)


def rule(value, role="operator", **more):
    return {"match": "exact", "value": value, "role": role, **more}


def put(client, provider, *rules):
    return client.patch(f"identity-providers/{provider.pk}", {"rules": list(rules)})


def of_rule(provider):
    found = RoleBinding.objects.filter(by_provider=provider).select_related("custom")
    return sorted([(row.custom.name if row.custom else row.role, row.vdc_id) for row in found], key=str)


def audited(action):
    """What the last entry of this action says."""
    return AuditEntry.objects.filter(action=action).order_by("-pk").values_list("after", flat=True)[0]


def test_rules_give_an_organizations_own_roles_and_take_them_away(op, make_provider, here):
    provider, alice = make_provider(here.acme), here.alice
    answer = put(alice, provider, rule("ops"), rule("dev", vdc=str(here.dev.pk)))
    assert answer.status_code == 200, answer.content
    assert [(row["role"], row["gives_nothing"]) for row in answer.json()["rules"]] == [("operator", None)] * 2
    sent_back = put(alice, provider, *answer.json()["rules"])
    assert (sent_back.status_code, sent_back.json()["rules"]) == (200, answer.json()["rules"])
    op.more = {"sub": "s-1", "groups": ["ops", "dev"]}
    client, _answer = sign_in(op, provider)
    assert of_rule(provider) == sorted([("operator", None), ("operator", here.dev.pk)], key=str)
    assert client.get("/vms/").status_code == 200
    sign_in(op, provider)
    assert len(of_rule(provider)) == 2, "made once"
    told = alice.post(f"identity-providers/{provider.pk}/try", {"pasted": '{"sub": "s-1", "groups": ["ops"]}'}).json()
    assert [(place["role"], place["vdc"]) for place in told["removed"]] == [("operator", str(here.dev.pk))]
    op.more = {"sub": "s-1", "groups": []}
    sign_in(op, provider)
    assert of_rule(provider) == []


def test_an_own_role_by_hand_is_left_alone_by_a_rule_for_it(op, make_provider, here):
    provider = make_provider(here.acme, rules=[rule("ops")])
    op.more = {"sub": "s-1", "groups": []}
    sign_in(op, provider)
    someone = Identity.objects.get().user
    by_hand = RoleBinding.objects.create(user=someone, custom_id=here.operator, organization=here.acme)
    for groups in (["ops"], []):
        op.more = {"sub": "s-1", "groups": groups}
        sign_in(op, provider)
    assert list(RoleBinding.objects.filter(user=someone)) == [by_hand]


@pytest.mark.parametrize(
    "given",
    [
        ({"role": "king"}, "role"),
        ({"role": "theirs"}, "role"),
        ({"role": ""}, "rules.0.role"),
        ({"role": "x" * 64}, "rules.0.role"),
    ],
)
def test_a_role_that_is_none_here_is_refused_by_field(api, make_provider, here, globex, given):
    api("charlie").post("roles", {"name": "theirs", "organization": str(globex.pk), "rights": LOOK})
    answer = put(here.alice, make_provider(here.acme), rule("ops") | given[0])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, given[1])
    assert not GroupRule.objects.exists()


def test_a_provider_for_everybody_gives_an_organizations_own_role_there(api, op, make_provider, here, globex):
    provider, root = make_provider(None), api("root")
    assert put(root, provider, rule("ops")).json()["errors"][0]["field"] == "role", "of which organization?"
    assert put(root, provider, rule("ops", organization=str(globex.pk))).status_code == 422
    assert put(root, provider, rule("ops", organization=str(here.acme.pk))).status_code == 200
    op.more = {"sub": "s-1", "groups": ["ops"]}
    sign_in(op, provider)
    assert of_rule(provider) == [("operator", None)]


GONE = {
    "role": "The role operator is gone.",
    "vdc": "The VDC is gone.",
    "going": "The VDC is being deleted.",
}


def end(what, here):
    if what == "role":
        assert here.alice.delete(f"roles/{here.operator}").status_code == 204
    elif what == "vdc":
        here.dev.delete()
    else:
        here.dev.deletion_requested_at = timezone.now()
        here.dev.save()


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize("whose", ["acme", None])
def test_a_rule_whose_role_or_vdc_is_gone_says_that_it_gives_nothing(op, make_provider, here, what, whose):
    first = (
        rule("ops", organization=here.acme)
        if what == "role"
        else rule("ops", "user", organization=here.acme, vdc_id=here.dev.pk)
    )
    provider = make_provider(here.acme if whose else None, rules=[first, rule("all", "user", organization=here.acme)])
    end(what, here)
    client, why = Api(session_of(make_person("root"))), GONE[what]
    told = client.get(f"identity-providers/{provider.pk}").json()["rules"]
    assert [row["gives_nothing"] for row in told] == [why, None]
    tried = client.post(
        f"identity-providers/{provider.pk}/try", {"pasted": '{"sub": "s-1", "groups": ["ops", "all"]}'}
    ).json()
    assert [(row["holds"], row["gives_nothing"]) for row in tried["rules"]] == [(True, why), (True, None)]
    assert [place["role"] for place in tried["made"]] == ["user"]
    page = browser("root")
    shown = text(page.get(f"/identity-providers/{provider.pk}/"))
    assert f"Gives nothing {why}" in shown
    pasted = page.post(f"/identity-providers/{provider.pk}/try/", {"pasted": '{"groups": ["ops"]}'})
    assert f"Gives nothing {why}" in text(pasted)
    op.more = {"sub": "s-1", "groups": ["ops", "all"]}
    _client, answer = sign_in(op, provider)
    assert (answer.status_code, of_rule(provider)) == (302, [("user", None)])
    role = "operator" if what == "role" else "user"
    told = {"by": provider.slug, "rules_giving_nothing": [{"value": "ops", "role": role, "why": why}]}
    assert audited("session.begin") == told
    op.more = {"sub": "s-1", "groups": ["all"]}
    sign_in(op, provider)
    assert audited("session.begin") == {"by": provider.slug}


def test_where_a_code_is_asked_for_the_first_step_tells_it(op, make_provider, here):
    provider = make_provider(here.acme, rules=[rule("ops")])
    sign_in(op, provider)
    someone = Identity.objects.get().user
    SecondFactor.objects.create(user=someone, secret=b"x", confirmed_at=timezone.now())
    here.alice.delete(f"roles/{here.operator}")
    op.more = {"sub": "s-1", "groups": ["ops"]}
    sign_in(op, provider)
    why = "The role operator is gone."
    nothing = [{"value": "ops", "role": "operator", "why": why}]
    assert audited("session.ask_code") == {"by": provider.slug, "rules_giving_nothing": nothing}


@pytest.mark.parametrize("what", GONE)
def test_a_rule_that_gives_nothing_stands_in_no_other_ones_way(make_provider, here, what):
    first = rule("ops") if what == "role" else rule("ops", vdc_id=here.dev.pk)
    provider = make_provider(here.acme, rules=[first])
    end(what, here)
    alice, page = browser("alice"), f"/identity-providers/{provider.pk}/"
    added = alice.fill(page + "rules/new/", claim="", match="exact", value="all", role="user", place=str(here.acme.pk))
    assert added.status_code == 302
    told = here.alice.get(f"identity-providers/{provider.pk}").json()["rules"]
    assert [row["gives_nothing"] for row in told] == [GONE[what], None]
    assert put(here.alice, provider, *told).status_code == 200
    assert put(here.alice, provider, told[0] | {"value": "others"}).status_code == 422, "another one is made anew"
    assert alice.post(f"{page}rules/{provider.rules.first().pk}/delete/", {}).status_code == 302
    assert [row.value for row in provider.rules.all()] == ["all"]


def test_a_rule_for_a_vdc_that_is_going_leaves_what_it_gave(op, make_provider, here):
    provider = make_provider(here.acme, rules=[rule("ops", vdc_id=here.dev.pk)])
    op.more = {"sub": "s-1", "groups": ["ops"]}
    sign_in(op, provider)
    end("going", here)
    sign_in(op, provider)
    assert of_rule(provider) == [("operator", here.dev.pk)]


def test_the_portal_adds_a_rule_for_an_own_role(make_provider, here, globex):
    provider = make_provider(None)
    root, page = browser("root"), f"/identity-providers/{provider.pk}/"
    form = {"claim": "", "match": "exact", "value": "ops", "role": here.operator}
    assert "Night Shift, of acme</option>" in root.get(page + "rules/new/").content.decode()
    wrong = root.fill(page + "rules/new/", **form, place=str(globex.pk))
    assert (wrong.status_code, "This role is one of acme" in text(wrong)) == (422, True)
    assert root.fill(page + "rules/new/", **form, place=str(here.acme.pk)).status_code == 302
    assert "Night Shift" in text(root.get(page))
    found = root.post(page + "try/", {"pasted": '{"sub": "s-1", "groups": ["ops"]}'})
    assert "Night Shift of acme" in text(found)
