"""Access tokens and service accounts: what programs use the API with, and how little that may be."""

import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import AnsweredRequest, AuditEntry
from tenancy.models import AccessToken, RoleBinding, RoleName, Session, User
from tests.cast import PASSWORD, make_person, make_user, make_vdc

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(api):
    """`program(secret)`: an API client with this token."""

    def client(secret):
        found = api(None)
        found.headers["Authorization"] = f"Bearer {secret}"
        return found

    return client


def make(client, name="ci", **more):
    made = client.post("tokens", {"name": name, **more})
    assert made.status_code == 201, made.content
    return made.json()


def refused(answer, status, field=None, rule=None):
    assert answer.status_code == status, answer.content
    if field:
        assert [(e["field"], e["rule"]) for e in answer.json()["errors"]] == [(field, rule)]
    return answer.json()["detail"]


def test_a_token_is_told_once_and_kept_as_a_hash(api, program):
    alice = api("alice")
    first = alice.post("tokens", {"name": "ci"}, Idempotency_Key="k")
    secret = first.json()["token"]
    assert secret.startswith("ovim_pat_")
    assert len(secret) == 9 + 43
    assert first.headers["Cache-Control"] == "no-store"
    again = alice.post("tokens", {"name": "ci"}, Idempotency_Key="k")
    assert (again.status_code, again.json()["token"]) == (201, None)
    row = AccessToken.objects.get()
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    kept = str(list(AuditEntry.objects.values())) + str([bytes(r.body) for r in AnsweredRequest.objects.all()])
    assert secret not in kept
    assert "token" not in alice.get("tokens").json()["items"][0]
    assert program(secret).get("me").json()["token"] == str(row.pk)
    assert AuditEntry.objects.get(action="access_token.create").object_name == "ci"


@pytest.mark.parametrize("secret", ["ovim_pat_", "ovim_pat_made-up", "ovim_pat_" + "x" * 100_000, "ovim_pat_é"])
def test_a_token_that_there_is_not(program, secret):
    assert "not good" in refused(program(secret).get("me"), 401)


def test_it_does_what_its_user_does_within_its_rights(api, program, acme_dev):
    look = program(make(api("alice"), rights=["vm.view", "vdc.view"])["token"])
    assert look.get("vms").status_code == 200
    assert look.get("vdcs").json()["items"][0]["name"] == "dev"
    assert "vdc.edit" in refused(look.patch(f"vdcs/{acme_dev.pk}", {"display_name": "x"}), 403)
    assert "user.view" in refused(look.get("users"), 403)
    assert look.get("me").json()["rights"] == ["vdc.view", "vm.view"]


def test_it_reaches_its_vdcs_only(api, program, acme_dev, acme_prod, globex_main):
    acme = acme_dev.organization
    one = program(make(api("alice"), vdcs=[str(acme_dev.pk)])["token"])
    assert [row["id"] for row in one.get("vdcs").json()["items"]] == [str(acme_dev.pk)]
    refused(one.get(f"vdcs/{acme_prod.pk}"), 404)
    refused(one.patch(f"organizations/{acme.pk}", {"display_name": "x"}), 403)
    provider = program(make(api("root"), "r", vdcs=[str(globex_main.pk)])["token"])
    assert [row["id"] for row in provider.get("vdcs").json()["items"]] == [str(globex_main.pk)]
    refused(provider.get("clusters"), 403)


def test_who_lives_in_one_vdc_gets_no_more_by_a_token(api, program, acme_dev, acme_prod):
    bob = api("bob")
    token = program(make(bob, rights=["vm.view", "vdc.view", "vdc.edit", "user.edit"])["token"])
    assert token.get("me").json()["rights"] == ["vdc.view", "vm.view"]
    refused(bob.post("tokens", {"name": "x", "vdcs": [str(acme_prod.pk)]}), 422, "vdcs", "not_found")


def test_a_role_that_is_taken_away_is_taken_from_the_token_at_once(api, program):
    token = program(make(api("alice"))["token"])
    assert token.get("users").status_code == 200
    RoleBinding.objects.all().delete()
    refused(token.get("users"), 403)
    User.objects.update(is_active=False)
    refused(token.get("me"), 401)


def test_a_disabled_organization_and_a_password_to_be_changed_hold_for_tokens_too(api, program, acme):
    token = program(make(api("alice"))["token"])
    User.objects.update(must_change_password=True)
    refused(token.get("users"), 403)
    User.objects.update(must_change_password=False)
    acme.enabled = False
    acme.save()
    refused(token.get("me"), 401)


def test_it_expires_and_it_can_be_deleted(api, program):
    alice = api("alice")
    made = make(alice, days=1)
    token = program(made["token"])
    assert token.get("me").status_code == 200
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused(token.get("me"), 401)
    AccessToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert alice.delete(f"tokens/{made['id']}").status_code == 204
    refused(token.get("me"), 401)
    refused(alice.delete(f"tokens/{made['id']}"), 404)
    assert AuditEntry.objects.filter(action="access_token.delete").exists()


def test_ones_own_account_is_closed_to_tokens(api, program):
    """A stolen token must not become a session, another token or a password."""
    alice = make_person("alice")
    token = program(make(api("alice"))["token"])
    refused(token.post("tokens", {"name": "more"}), 403)
    refused(token.get("tokens"), 403)
    refused(token.post("me/password", {"current_password": PASSWORD, "new_password": "another-long-one"}), 403)
    refused(token.post("auth/logout"), 403)
    refused(token.post(f"users/{alice.pk}/reset-password", {"password": "another-long-one"}), 403)
    refused(token.patch(f"users/{alice.pk}", {"password": "another-long-one"}), 403)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_token_with_few_rights_is_no_ladder(api, program, acme):
    """Who may edit people could set an admin's password: not with a token that has less than that admin."""
    founder = make_user("founder", RoleName.ORG_ADMIN, organization=acme)
    root = make_person("root")
    for admin in ("alice", "root"):
        token = program(
            make(api(admin), rights=["user.view", "user.edit", "binding.edit", "organization.view"])["token"]
        )
        refused(token.post(f"users/{founder.pk}/reset-password", {}), 403)
        refused(
            token.post("role-bindings", {"user": str(founder.pk), "role": "vdc_admin", "organization": str(acme.pk)}),
            403,
        )
    refused(token.post(f"users/{root.pk}/reset-password", {}), 403)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"name": "No Label"}, "name", "dns_label"),
        ({"name": "x", "days": 0}, "days", "min_value"),
        ({"name": "x", "days": 367}, "days", "max_value"),
        ({"name": "x", "rights": []}, "rights", "empty"),
        ({"name": "x", "rights": ["vm.fly"]}, "rights", "unknown"),
        ({"name": "x", "rights": ["account"]}, "rights", "unknown"),
        ({"name": "x", "rights": ["self"]}, "rights", "unknown"),
        ({"name": "x", "vdcs": []}, "vdcs", "empty"),
        ({"name": "x", "vdcs": ["0198f000-0000-7000-8000-000000000000"]}, "vdcs", "not_found"),
        ({"name": "x", "service_account": "0198f000-0000-7000-8000-000000000000"}, "service_account", "not_found"),
    ],
)
def test_refuses_bad_tokens_by_field(api, body, field, rule):
    refused(api("alice").post("tokens", body), 422, field, rule)


def test_a_name_is_used_once_by_each(api):
    make(api("alice"))
    refused(api("alice").post("tokens", {"name": "ci"}), 409, "name", "unique")
    make(api("bob"))


def test_there_are_not_more_than_fifty(api):
    alice = make_person("alice")
    later = timezone.now() + timedelta(days=1)
    AccessToken.objects.bulk_create(
        AccessToken(user=alice, name=f"t{n}", digest=f"{n:064}", expires_at=later) for n in range(50)
    )
    assert "50 access tokens" in refused(api("alice").post("tokens", {"name": "ci"}), 409)


def test_others_do_not_see_ones_tokens(api):
    mine = make(api("bob"))
    for who in ("alice", "root", "charlie"):
        assert api(who).get("tokens").json()["items"] == []
        refused(api(who).get(f"tokens/{mine['id']}"), 404)
        refused(api(who).delete(f"tokens/{mine['id']}"), 404)


def test_the_last_use_is_written_once_a_minute(api, program, django_assert_num_queries):
    token = program(make(api("alice"))["token"])
    token.get("me")
    row = AccessToken.objects.get()
    assert row.last_address == "127.0.0.1"
    first = row.last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        token.get("me")
    row.refresh_from_db()
    assert row.last_used_at == first
    AccessToken.objects.update(last_used_at=first - timedelta(minutes=2))
    token.get("me")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at > first
    assert api("alice").get("tokens").json()["items"][0]["last_used_at"] is not None


# --- service accounts ------------------------------------------------------------------------------------------------


def service(client, organization, name="ci"):
    made = client.post("service-accounts", {"name": name, "organization": str(organization.pk)})
    assert made.status_code == 201, made.content
    return made.json()


def test_a_service_account_works_through_its_tokens(api, program, acme, acme_dev):
    alice = api("alice")
    account = service(alice, acme)
    assert account["username"] == "ci@acme"
    secret = make(alice, service_account=account["id"])["token"]
    token = program(secret)
    refused(token.get("vms"), 403)  # it has no role yet
    bound = {"user": account["id"], "role": "vdc_admin", "organization": str(acme.pk), "vdc": str(acme_dev.pk)}
    assert alice.post("role-bindings", bound).status_code == 201
    assert token.get("vms").status_code == 200
    assert token.get("me").json()["username"] == "ci@acme"
    refused(token.post(f"vdcs/{acme_dev.pk}/unmanaged/x/adopt"), 403)
    entry = AuditEntry.objects.filter(outcome="refused").latest("at")
    assert entry.actor_name == "ci@acme"
    assert str(entry.session_id) == alice.get("tokens").json()["items"][0]["id"]


def test_it_never_signs_in(api, acme):
    account = service(api("alice"), acme)
    user = User.objects.get(pk=account["id"])
    user.set_password(PASSWORD)  # as if somebody had written one into the database
    user.save()
    signed_in = api(None).post("auth/login", {"username": "ci@acme", "password": PASSWORD})
    assert refused(signed_in, 401) == "The user name or the password is wrong, or the account is disabled."
    refused(api("alice").post(f"users/{account['id']}/reset-password", {}), 404)
    assert not Session.objects.filter(user=user).exists()


def test_its_tokens_die_with_it(api, program, acme):
    alice = api("alice")
    account = service(alice, acme)
    token = program(make(alice, service_account=account["id"])["token"])
    assert token.get("me").status_code == 200
    assert alice.post(f"service-accounts/{account['id']}/disable").status_code == 200
    refused(token.get("me"), 401)
    alice.post(f"service-accounts/{account['id']}/enable")
    assert token.get("me").status_code == 200
    assert alice.delete(f"service-accounts/{account['id']}").status_code == 204
    refused(token.get("me"), 401)
    assert not AccessToken.objects.exists()


def test_admins_manage_those_of_their_organization_only(api, acme, globex):
    alice, charlie = api("alice"), api("charlie")
    account = service(alice, acme)
    made = make(alice, service_account=account["id"])
    assert charlie.get("service-accounts").json()["items"] == []
    assert charlie.get("tokens").json()["items"] == []
    refused(charlie.get(f"service-accounts/{account['id']}"), 404)
    refused(charlie.delete(f"service-accounts/{account['id']}"), 404)
    refused(charlie.delete(f"tokens/{made['id']}"), 404)
    refused(
        charlie.post("tokens", {"name": "x", "service_account": account["id"]}), 422, "service_account", "not_found"
    )
    refused(charlie.post("service-accounts", {"name": "x", "organization": str(acme.pk)}), 422)
    refused(api("bob").post("tokens", {"name": "x", "service_account": account["id"]}), 422)
    service(charlie, globex)  # the same name
    assert alice.get("tokens").json()["items"][0]["username"] == "ci@acme"
    assert api("root").delete(f"tokens/{made['id']}").status_code == 204


def test_an_admin_gets_no_token_of_an_account_that_can_more(api, acme):
    """A service account that the provider has given more than the admin has is no ladder either."""
    account = service(api("root"), acme)
    api("root").post("role-bindings", {"user": account["id"], "role": "system_admin"})
    refused(api("alice").post("tokens", {"name": "x", "service_account": account["id"]}), 403)


def test_it_is_nobody_among_people_and_no_last_admin(api, acme):
    alice = api("alice")
    account = service(alice, acme)
    assert account["username"] not in [row["username"] for row in alice.get("users").json()["items"]]
    refused(alice.get(f"users/{account['id']}"), 404)
    alice.post("role-bindings", {"user": account["id"], "role": "org_admin", "organization": str(acme.pk)})
    me = make_person("alice")
    assert "last organization admin" in refused(api("root").post(f"users/{me.pk}/disable"), 409)


def test_a_vdc_that_is_gone_gives_nothing(api, program, acme):
    vdc = make_vdc(acme, "short")
    token = program(make(api("alice"), vdcs=[str(vdc.pk)])["token"])
    vdc.delete()
    assert token.get("vdcs").json()["items"] == []
