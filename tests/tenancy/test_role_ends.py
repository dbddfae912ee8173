"""When a role that somebody has ends: changed over the API, in the portal; refused where it would be too much or too little."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from core.models import AuditEntry
from tenancy.models import RoleBinding, RoleName
from tenancy.oidc.rows import IdentityProvider
from tests.cast import Api, make_person, make_user, session_of
from tests.portal import browser, text
from tests.tenancy.test_resources import refusal

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def on(days):
    return (timezone.now() + days * DAY).replace(microsecond=0)


@pytest.fixture
def nina(acme, acme_dev):
    """A user in acme/dev until in ten days; alice administers acme."""
    make_person("alice")
    user = make_user("nina", home=acme)
    return RoleBinding.objects.create(
        user=user, role=RoleName.USER, organization=acme, vdc_id=acme_dev.pk, expires_at=on(10)
    )


def end(client, binding, at):
    return client.patch(f"role-bindings/{binding.pk}", {"expires_at": at and at.isoformat()})


def test_a_role_ends_sooner_later_or_never(api, nina):
    alice, was = api("alice"), nina.expires_at
    for wanted in (on(3), on(300), None, on(5)):
        answer = end(alice, nina, wanted)
        assert answer.status_code == 200, answer.content
        told = answer.json()["expires_at"]
        assert (told and parse_datetime(told)) == wanted
        nina.refresh_from_db()
        assert nina.expires_at == wanted
        entry = AuditEntry.objects.filter(action="binding.edit").order_by("-pk")[0]
        assert (entry.actor_name, entry.object_id, entry.organization_id) == ("alice", nina.pk, nina.organization_id)
        assert entry.before == {"expires_at": was and was.isoformat()}
        assert entry.after == {"expires_at": wanted and wanted.isoformat()}
        was = wanted


def test_what_changes_nothing_is_no_deed(api, nina):
    alice = api("alice")
    assert end(alice, nina, nina.expires_at).status_code == 200
    assert alice.patch(f"role-bindings/{nina.pk}", {}).status_code == 200
    assert not AuditEntry.objects.filter(action="binding.edit").exists()


def test_it_is_without_effect_from_then_on(api, nina):
    client = Api(session_of(nina.user))
    assert client.get("vdcs").status_code == 200
    soon = timezone.now() + timedelta(seconds=0.4)
    assert end(api("alice"), nina, soon).status_code == 200
    while timezone.now() <= soon:
        pass
    assert client.get("vdcs").status_code == 403
    refusal(end(api("alice"), nina, on(5)), 409)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "past"),
        ({"expires_at": "soon"}, "invalid"),
        ({"expires_at": 7}, "invalid"),
        ({"role": "org_admin"}, "unknown_field"),
    ],
)
def test_what_is_wrong_is_refused_by_field(api, nina, given, code):
    refusal(api("alice").patch(f"role-bindings/{nina.pk}", given), 422, next(iter(given)), code)


@pytest.mark.parametrize(
    ("who", "status"), [("root", 200), ("alice", 200), ("vera", 403), ("bob", 403), ("charlie", 404)]
)
def test_who_may(api, nina, who, status):
    assert end(api(who), nina, on(3)).status_code == status


def test_nobody_lengthens_what_he_has_himself(api, acme, nina):
    helper = make_user("helper", home=acme)
    mine = RoleBinding.objects.create(user=helper, role=RoleName.ORG_ADMIN, organization=acme, expires_at=on(10))
    client = Api(session_of(helper))
    for later in (on(11), None):
        assert "longer than he has it" in refusal(end(client, mine, later), 403)["detail"]
    assert end(client, mine, on(9)).status_code == 200, "shorter he may"
    assert end(client, nina, None).status_code == 200, "and a colleague's"


def test_the_last_admin_keeps_a_role_without_an_end(api, acme, nina):
    alice = RoleBinding.objects.get(user__username="alice")
    told = refusal(end(api("root"), alice, on(30)), 409)
    assert (
        told["detail"] == "This is the last organization admin of acme: name another one whose role has no end first."
    )
    alice.refresh_from_db()
    assert alice.expires_at is None
    make_user("other", RoleName.ORG_ADMIN, organization=acme)
    assert end(api("root"), alice, on(30)).status_code == 200
    root = RoleBinding.objects.get(user__username="root")
    refusal(end(api("root"), root, on(30)), 409)


def test_what_a_rule_gives_has_no_end_of_its_own(api, acme, nina):
    provider = IdentityProvider.objects.create(organization=acme, name="sso", issuer="https://sso.example.org")
    RoleBinding.objects.filter(pk=nina.pk).update(by_provider=provider)
    alice = api("alice")
    (row,) = alice.get(f"role-bindings?user={nina.user_id}").json()["items"]
    assert row["allowed_actions"] == {
        "edit": "A rule of an identity provider gives it and takes it away.",
        "delete": None,
    }
    refusal(end(alice, nina, None), 409)


def test_a_trial_changes_nothing(api, nina):
    answer = api("alice").patch(f"role-bindings/{nina.pk}?dry_run=true", {"expires_at": None})
    assert (answer.status_code, answer.json()["row"]["expires_at"]) == (200, None)
    nina.refresh_from_db()
    assert nina.expires_at is not None
    assert not AuditEntry.objects.filter(action="binding.edit").exists()


def test_in_the_portal(acme, nina):
    alice, page = browser("alice"), f"/roles/{nina.pk}/end/"
    listed = alice.get(f"/orgs/{acme.pk}/people/").content.decode()
    assert page in listed
    form = alice.get(page).content.decode()
    assert f'value="{nina.expires_at:%Y-%m-%dT%H:%M}"' in form
    assert "It can be done." in text(alice.fill(page, live=True, until="2999-01-01T00:00"))
    past = alice.fill(page, until="2020-01-01T00:00")
    assert (past.status_code, "This moment is past" in text(past)) == (422, True)
    done = alice.fill(page, until="2999-01-01T12:00")
    assert done.headers["Location"] == f"/people/{nina.user_id}/roles/"
    assert "The role User of nina ends on 2999-01-01 12:00 UTC." in text(alice.get(done.headers["Location"]))
    assert alice.fill(page, until="").status_code == 302
    nina.refresh_from_db()
    assert nina.expires_at is None
    last = RoleBinding.objects.get(user__username="alice")
    refused = alice.fill(f"/roles/{last.pk}/end/", until="2999-01-01T00:00")
    assert (refused.status_code, "This is the last organization admin of acme" in text(refused)) == (409, True)
