"""OVIM_REQUIRE_SECOND_FACTOR: the provider's own people need a second factor before anything else, and nobody else does."""

import time

import pyotp
import pytest
from django.urls import reverse

from tenancy.models import Group, Membership, RoleBinding, RoleName
from tests.cast import Api, make_organization, make_person, make_user, session_of
from tests.portal import browser, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _required(settings):
    settings.OVIM_REQUIRE_SECOND_FACTOR = True


def enrol(client):
    secret = client.post("me/second-factor").json()["secret"]
    done = client.post("me/second-factor/confirm", {"code": pyotp.TOTP(secret).at(time.time() - 30)})
    assert done.status_code == 200, done.content
    return pyotp.TOTP(secret)


def test_a_system_admin_does_nothing_before(api):
    root = api("root")
    assert root.get("clusters").status_code == 403
    me = root.get("me").json()
    assert (me["must_enrol_second_factor"], me["rights"]) == (True, [])
    assert root.get("me/second-factor").json()["demanded"] is True
    totp = enrol(root)
    assert root.get("clusters").status_code == 200
    refused = root.post("me/second-factor/remove", {"code": totp.now()})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "The provider requires a second factor. An admin can reset it, if you have a new device.",
    )


def test_the_portal_and_the_admin_lead_there_first():
    root = browser("root")
    for address in ("/", "/clusters/", "/admin/", reverse("session-list")):
        assert root.get(address).headers["Location"] == "/account/second-factor/", address
    assert "The provider requires a second factor." in text(root.get("/account/second-factor/"))


def test_an_organizations_people_are_not_meant(api):
    make_person("alice")
    assert api("alice").get("users").status_code == 200
    assert api("bob").get("vdcs").status_code == 200
    assert api("bob").get("me/second-factor").json()["demanded"] is False


def test_whoever_has_a_role_over_the_system_is_wherever_he_is_from():
    acme = make_organization("acme")
    admin = make_user("founder", RoleName.SYSTEM_ADMIN, home=acme)
    by_group = make_user("deputy", home=acme)
    group = Group.objects.create(name="ops")
    RoleBinding.objects.create(group=group, role=RoleName.SYSTEM_ADMIN)
    Membership.objects.create(group=group, user=by_group)
    for person in (admin, by_group):
        client = Api(session_of(person))
        assert client.get("clusters").status_code == 403, person
        enrol(client)
        assert client.get("clusters").status_code == 200, person


def test_access_tokens_of_theirs_have_no_effect_before(api, settings):
    settings.OVIM_REQUIRE_SECOND_FACTOR = False
    root = api("root")
    token = Api(headers={"Authorization": f"Bearer {root.post('tokens', {'name': 'ci'}).json()['token']}"})
    assert token.get("clusters").status_code == 200
    settings.OVIM_REQUIRE_SECOND_FACTOR = True
    assert token.get("clusters").status_code == 403
    enrol(root)
    assert token.get("clusters").status_code == 200


def test_who_asks_still_costs_one_question(api, django_assert_num_queries):
    root = api("root")
    root.get("me")
    with django_assert_num_queries(1):
        root.get("me")
