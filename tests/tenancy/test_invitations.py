"""Inviting people: over the API, at the portal, by the link, and everything that is refused on the way."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from core import sealed
from core.mail import outbox
from core.models import AuditEntry, Mail
from tenancy.models import Invitation, RoleBinding, RoleName, Session, User
from tests.cast import PASSWORD, Api, make_person, make_user, session_of
from tests.portal import browser, text

pytestmark = pytest.mark.django_db
STRONG = "a-very-long-passphrase"
EVE = "eve@example.org"


@pytest.fixture(autouse=True)
def mail(settings, tmp_path):
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM, settings.OVIM_MAIL_CA = tmp_path.as_uri(), "ovim@example.org", ""


def last_mail():
    row = Mail.objects.order_by("-id").first()
    assert row is not None
    return row, sealed.unseal(bytes(row.body), outbox.PURPOSE, what="it")


def last_token():
    return last_mail()[1].partition("token=")[2].split()[0]


def invite(client, home, **given):
    return client.post("invitations", {"organization": str(home.pk), "email": EVE, "role": "user"} | given)


def accept(link, **given):
    body = {"token": link, "username": "eve", "password": STRONG, "full_name": "Eve Adams"} | given
    return Api().post("auth/invitation/accept", body)


def test_an_invitation_makes_an_account_with_the_role(api, acme, acme_dev):
    made = invite(api("alice"), acme, role="vdc_admin", vdc=str(acme_dev.pk))
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["state"], body["vdc_name"], body["inviter"], body["link"]) == ("open", "dev", "alice", None)
    row, words = last_mail()
    assert (row.recipient, row.organization_id) == (EVE, acme.pk)
    assert "alice invites you to Acme" in words
    assert "as vdc admin in the VDC dev" in words
    token = last_token()
    seen = Api().post("auth/invitation", {"token": token}).json()
    assert (seen["organization"], seen["email"], seen["role"], seen["vdc"]) == ("acme", EVE, "vdc_admin", "dev")
    done = accept(token)
    assert done.status_code == 201, done.content
    eve = User.objects.get(username="eve")
    assert (eve.email, eve.organization, eve.full_name, eve.must_change_password) == (EVE, acme, "Eve Adams", False)
    binding = RoleBinding.objects.get(user=eve)
    assert (binding.role, binding.organization, binding.vdc_id) == ("vdc_admin", acme, acme_dev.pk)
    assert Api().post("auth/login", {"username": "eve", "password": STRONG}).status_code == 200
    told = api("alice").get(f"invitations/{body['id']}").json()
    assert (told["state"], told["accepted_by"]) == ("accepted", str(eve.pk))
    assert told["allowed_actions"]["withdraw"] == "It was accepted already."
    entry = AuditEntry.objects.get(action="invitation.accept")
    assert (entry.actor_name, entry.organization_id, entry.outcome) == ("eve", acme.pk, "done")


def test_a_link_is_good_once(api, acme):
    invite(api("alice"), acme)
    token = last_token()
    assert accept(token).status_code == 201
    again = accept(token, username="mallory")
    assert (again.status_code, again.json()["code"]) == (410, "link_used")
    assert not User.objects.filter(username="mallory").exists()
    entry = AuditEntry.objects.get(action="invitation.accept", outcome="refused")
    assert (entry.actor_name, entry.organization_id) == (EVE, acme.pk)


def test_an_expired_one_is_refused_and_can_be_sent_again(api, acme):
    alice = api("alice")
    pk = invite(alice, acme, days=1).json()["id"]
    token = last_token()
    Invitation.objects.update(expires_at=timezone.now(), sent_at=timezone.now() - timedelta(days=1))
    assert accept(token).json()["code"] == "link_expired"
    assert alice.get(f"invitations/{pk}").json()["state"] == "expired"
    assert alice.post(f"invitations/{pk}/resend", {}).json()["state"] == "open"
    assert accept(token).status_code == 404, "the earlier link"
    assert accept(last_token()).status_code == 201


def test_a_withdrawn_one_is_refused_and_its_mail_stays_unsent(api, acme):
    alice = api("alice")
    pk = invite(alice, acme).json()["id"]
    token = last_token()
    assert alice.delete(f"invitations/{pk}").status_code == 204
    assert accept(token).json()["code"] == "link_withdrawn"
    assert outbox.post() == 0
    assert alice.delete(f"invitations/{pk}").status_code == 409
    assert alice.post(f"invitations/{pk}/resend", {}).status_code == 409
    assert invite(alice, acme).status_code == 201, "anew"


def test_it_is_not_sent_twice_within_a_minute_nor_made_twice(api, acme):
    alice = api("alice")
    pk = invite(alice, acme).json()["id"]
    again = alice.post(f"invitations/{pk}/resend", {})
    assert (again.status_code, again.json()["code"]) == (429, "throttled")
    twice = invite(alice, acme, email=EVE.upper())
    assert (twice.status_code, "invited to this role already" in twice.json()["detail"]) == (409, True)
    assert invite(alice, acme, role="org_admin").status_code == 201


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        ("root", "org_admin", 201),
        ("alice", "org_admin", 201),
        ("alice", "system_admin", 422),
        ("vera", "user", 403),
        ("bob", "user", 403),
        ("charlie", "user", 422),
        ("nobody", "user", 403),
        (None, "user", 401),
    ],
)
def test_nobody_invites_to_more_than_he_may_give(api, acme, who, role, status):
    assert invite(api(who), acme, role=role).status_code == status
    assert Mail.objects.count() == (status == 201)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"email": "no"}, "email"),
        ({"role": "king"}, "role"),
        ({"days": 31}, "days"),
        ({"days": 0}, "days"),
        ({"vdc": "01a20000-0000-7000-8000-000000000000"}, "vdc"),
        ({"organization": "01a20000-0000-7000-8000-000000000000"}, "organization"),
        ({"email": "a@example.org\nBcc: b@example.org"}, "email"),
    ],
)
def test_refuses_bad_input_by_field(api, acme, given, field):
    answer = invite(api("alice"), acme, **given)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_a_vdc_of_somebody_else_is_none_of_the_organizations(api, acme, globex_main):
    assert invite(api("alice"), acme, vdc=str(globex_main.pk)).json()["errors"][0]["field"] == "vdc"


def test_what_the_inviter_may_no_longer_give_is_not_given(api, acme):
    make_user("another", RoleName.ORG_ADMIN, organization=acme)
    invite(api("alice"), acme, role="org_admin")
    RoleBinding.objects.filter(user__username="alice").delete()
    answer = accept(last_token())
    assert (answer.status_code, answer.json()["code"]) == (410, "link_withdrawn")
    assert "alice, who invited you, may no longer give this role" in answer.json()["detail"]
    assert not User.objects.filter(username="eve").exists()


def test_a_vdc_that_is_gone_is_told(api, acme, acme_dev):
    invite(api("alice"), acme, vdc=str(acme_dev.pk))
    acme_dev.delete()
    assert "is gone" in accept(last_token()).json()["detail"]


def test_nobody_joins_a_disabled_organization(api, acme):
    invite(api("alice"), acme)
    acme.enabled = False
    acme.save()
    assert accept(last_token()).status_code == 409


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"username": "alice"}, 409, "username"),
        ({"username": "Eve!"}, 422, "username"),
        ({"password": "short"}, 422, "password"),
        ({"password": EVE}, 422, "password"),
        ({"token": "x" * 101}, 422, "token"),
    ],
)
def test_what_is_wrong_with_the_new_account_leaves_the_link_good(api, acme, given, status, field):
    invite(api("alice"), acme)
    token = last_token()
    answer = accept(token, **given)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert accept(token).status_code == 201


def test_who_has_an_account_joins_and_belongs_to_both(api, acme, globex):
    invite(api("alice"), acme)
    charlie = api("charlie")
    assert charlie.post("me/invitation", {"token": last_token()}).status_code == 200
    person = User.objects.get(username="charlie")
    assert person.organization == globex
    held = RoleBinding.objects.filter(user=person).values_list("role", "organization__name")
    assert set(held) == {
        ("org_admin", "globex"),
        ("user", "acme"),
    }
    assert {row["name"] for row in charlie.get("organizations").json()["items"]} == {"acme", "globex"}
    assert charlie.post("me/invitation", {"token": last_token()}).json()["code"] == "link_used"
    page = browser(person).get("/place/")
    assert ("acme" in text(page), "globex" in text(page)) == (True, True)
    shell = text(browser(person).get(f"/vms/?org={acme.pk}"))
    assert "Organization acme" in shell


def test_a_role_that_one_has_already_is_no_fault(api, acme):
    invite(api("alice"), acme, role="org_admin")
    alice = make_person("alice")
    assert Api(session_of(alice)).post("me/invitation", {"token": last_token()}).status_code == 200
    assert RoleBinding.objects.filter(user=alice).count() == 1


def test_an_access_token_accepts_nothing(api, acme):
    made = api("charlie").post("tokens", {"name": "ci"}).json()
    invite(api("alice"), acme)
    program = Api()
    program.headers["Authorization"] = f"Bearer {made['token']}"
    assert program.post("me/invitation", {"token": last_token()}).status_code == 403


def test_where_no_mail_is_sent_the_link_is_told_once(api, acme, settings):
    settings.OVIM_MAIL_URL = ""
    alice = api("alice")
    body = {"organization": str(acme.pk), "email": EVE, "role": "user"}
    first = alice.post("invitations", body, Idempotency_Key="k1")
    link = first.json()["link"]
    assert link.startswith("http://testserver/invitation/?token=")
    assert first.headers["Cache-Control"] == "no-store"
    assert alice.post("invitations", body, Idempotency_Key="k1").json()["link"] is None
    assert accept(link.partition("token=")[2]).status_code == 201


def test_a_trial_invites_nobody(api, acme):
    answer = api("alice").post("invitations?dry_run=true", {"organization": str(acme.pk), "email": EVE, "role": "user"})
    assert answer.status_code == 200
    assert (Invitation.objects.count(), Mail.objects.count()) == (0, 0)


def test_if_match_is_compared(api, acme):
    alice = api("alice")
    made = invite(alice, acme)
    assert made.headers["ETag"] == '"1"'
    pk = made.json()["id"]
    assert alice.delete(f"invitations/{pk}", If_Match='"7"').status_code == 412
    assert alice.delete(f"invitations/{pk}", If_Match='"1"').status_code == 204


def test_others_invitations_are_not_there(api, acme):
    pk = invite(api("alice"), acme).json()["id"]
    charlie = api("charlie")
    assert charlie.get("invitations").json()["items"] == []
    assert charlie.get(f"invitations/{pk}").status_code == 404
    assert charlie.delete(f"invitations/{pk}").status_code == 404
    assert charlie.post(f"invitations/{pk}/resend", {}).status_code == 404
    assert [row["email"] for row in api("root").get("invitations").json()["items"]] == [EVE]


def test_the_portal_from_the_invitation_to_the_first_page(acme, acme_dev):
    alice = browser("alice")
    listed = f"/orgs/{acme.pk}/invitations/"
    assert "Nobody is invited" in text(alice.get(listed))
    done = alice.fill(f"{listed}new/", email=EVE, role="user", vdc=str(acme_dev.pk), days="3")
    assert done.headers["Location"] == listed
    assert EVE in text(alice.get(listed))
    eve = Client()
    opened = eve.get(f"/invitation/?token={last_token()}")
    assert opened.headers["Location"] == "/invitation/"
    page = eve.get("/invitation/")
    assert "alice invites eve@example.org to Acme , as user in the VDC dev" in text(page)
    wrong = eve.post("/invitation/", {"username": "alice", "new_password": STRONG, "again": STRONG})
    assert wrong.status_code == 409
    assert re.search(r'name="username"[^>]*aria-invalid="true"', wrong.content.decode())
    joined = eve.post("/invitation/", {"username": "eve", "new_password": STRONG, "again": STRONG})
    assert joined.headers["Location"] == "/"
    assert eve.get("/vms/").status_code == 200
    assert "Accepted" in text(alice.get(listed))
    other = Client()
    other.get(f"/invitation/?token={last_token()}")
    refused = other.get("/invitation/")
    assert (refused.status_code, "accepted already" in text(refused)) == (410, True)


def test_the_portal_with_an_account_there_is(api, acme):
    invite(api("alice"), acme)
    make_person("charlie")
    client = Client()
    client.get(f"/invitation/?token={last_token()}")
    signed = client.post("/sign-in/", {"username": "charlie", "password": PASSWORD, "next": "/invitation/"})
    assert signed.headers["Location"] == "/invitation/"
    assert "Join as charlie" in text(client.get("/invitation/"))
    joined = client.post("/invitation/join/")
    assert joined.headers["Location"] == f"/?org={acme.pk}"
    assert RoleBinding.objects.filter(user__username="charlie", organization=acme).exists()
    assert client.post("/invitation/join/").status_code == 404, "the link is out of the cookie"
    assert Session.objects.filter(user__username="charlie", revoked_at=None).count() == 1


def test_the_portal_sends_again_and_withdraws(acme):
    alice = browser("alice")
    alice.fill(f"/orgs/{acme.pk}/invitations/new/", email=EVE, role="user", vdc="", days="7")
    row = Invitation.objects.get()
    alice.post(f"/invitations/{row.pk}/resend/")
    assert "wait a minute" in text(alice.get(f"/orgs/{acme.pk}/invitations/"))
    Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    alice.post(f"/invitations/{row.pk}/resend/")
    assert Mail.objects.count() == 2
    assert alice.fill(f"/invitations/{row.pk}/withdraw/").status_code == 302
    row.refresh_from_db()
    assert row.withdrawn_at is not None


def test_the_portal_shows_the_link_where_no_mail_is_sent(acme, settings):
    settings.OVIM_MAIL_URL = ""
    answer = browser("alice").fill(f"/orgs/{acme.pk}/invitations/new/", email=EVE, role="user", vdc="", days="7")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "http://testserver/invitation/?token=" in answer.content.decode()


@pytest.mark.parametrize("page", ["", "new/"])
def test_invitations_elsewhere_are_not_there(globex, page):
    make_person("charlie")
    assert browser("alice").get(f"/orgs/{globex.pk}/invitations/{page}").status_code == 404
    assert browser("vera").get(f"/orgs/{make_person('vera').organization_id}/invitations/{page}").status_code == 403


# Roles of the organization's own


OPERATOR = ["organization.view", "vdc.view", "vm.view", "vm.power"]


@pytest.fixture
def operator(api, acme):
    made = api("alice").post(
        "roles", {"name": "operator", "display_name": "Night Shift", "organization": str(acme.pk), "rights": OPERATOR}
    )
    return made.json()["id"]


@pytest.mark.parametrize("in_vdc", [True, False])
def test_an_own_role_is_given_as_bindings_give_it(api, acme, acme_dev, operator, in_vdc):
    place = {"vdc": str(acme_dev.pk)} if in_vdc else {}
    made = invite(api("alice"), acme, role="operator", **place)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["role"], body["custom_role"], body["trouble"]) == ("operator", operator, None)
    assert f"as Night Shift{' in the VDC dev' if in_vdc else ''}." in last_mail()[1]
    seen = Api().post("auth/invitation", {"token": last_token()}).json()
    assert (seen["role"], seen["role_name"]) == ("operator", "Night Shift")
    assert accept(last_token()).status_code == 201
    binding = RoleBinding.objects.get(user__username="eve")
    assert (binding.role, str(binding.custom_id), binding.vdc_id) == ("", operator, acme_dev.pk if in_vdc else None)
    assert AuditEntry.objects.filter(action="invitation.accept", after__role="operator").count() == 1


def test_an_own_role_is_invited_to_by_who_could_give_it(api, acme, operator):
    """A helper who looks after people and gives roles, but has not what this one gives; and others' roles are none."""
    helper = make_user("helper", home=acme)
    alice = api("alice")
    rights = ["organization.view", "user.view", "user.edit", "binding.view", "binding.edit"]
    alice.post("roles", {"name": "helper", "organization": str(acme.pk), "rights": rights})
    alice.post("role-bindings", {"user": str(helper.pk), "role": "helper", "organization": str(acme.pk)})
    client = Api(session_of(helper))
    refused = invite(client, acme, role="operator")
    assert (refused.status_code, "nobody invites to more than he may give" in refused.json()["detail"]) == (403, True)
    assert invite(client, acme, role="helper").status_code == 201
    options = browser(helper).get(f"/orgs/{acme.pk}/invitations/new/").content.decode()
    assert ("helper</option>" in options, "Night Shift" in options) == (True, False)
    elsewhere = invite(api("charlie"), make_person("charlie").organization, role="operator")
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["field"]) == (422, "role")


def refused_untouched(answer, words):
    assert (answer.status_code, answer.json()["code"]) == (410, "link_withdrawn"), answer.content
    assert words in answer.json()["detail"]
    assert not User.objects.filter(username="eve").exists()
    assert Invitation.objects.get().accepted_at is None
    assert AuditEntry.objects.filter(action="invitation.accept", outcome="refused").count() == 1


def test_an_own_role_that_is_gone_is_not_given(api, acme, operator):
    alice = api("alice")
    pk = invite(alice, acme, role="operator").json()["id"]
    assert alice.delete(f"roles/{operator}").status_code == 204
    looked = Api().post("auth/invitation", {"token": last_token()})
    assert (looked.status_code, "Night Shift" in looked.json()["detail"]) == (410, True)
    refused_untouched(accept(last_token()), "The role Night Shift that you were invited to is gone")
    told = alice.get(f"invitations/{pk}").json()
    assert (told["role"], told["custom_role"]) == ("operator", None)
    assert told["trouble"] == told["allowed_actions"]["resend"] == "Its role is gone: withdraw it, and invite anew."
    assert alice.post(f"invitations/{pk}/resend", {}).status_code == 409
    assert "Its role is gone" in text(browser("alice").get(f"/orgs/{acme.pk}/invitations/"))
    assert alice.delete(f"invitations/{pk}").status_code == 204


def test_two_invitations_whose_roles_are_gone_do_not_stand_in_each_others_way(api, acme, operator):
    alice = api("alice")
    other = {"name": "other", "organization": str(acme.pk), "rights": OPERATOR}
    second = alice.post("roles", other).json()["id"]
    assert [invite(alice, acme, role=name).status_code for name in ("operator", "other", "other")] == [201, 201, 409]
    assert [alice.delete(f"roles/{pk}").status_code for pk in (operator, second)] == [204, 204]


@pytest.mark.parametrize("change", [{"rights": [*OPERATOR, "vm.delete"]}, {"rights": OPERATOR[:2]}, {"own_only": True}])
def test_an_own_role_that_gives_something_else_by_now_is_not_given(api, acme, operator, change):
    alice = api("alice")
    pk = invite(alice, acme, role="operator").json()["id"]
    assert alice.patch(f"roles/{operator}", {"display_name": "Late Shift"}).status_code == 200
    assert Api().post("auth/invitation", {"token": last_token()}).status_code == 200, "only its title"
    assert alice.patch(f"roles/{operator}", change).status_code == 200
    refused_untouched(accept(last_token()), "has been changed since you were invited to it")
    told = alice.get(f"invitations/{pk}").json()
    assert (told["trouble"], told["allowed_actions"]["resend"]) == (
        "Its role has been changed since: send it again.",
        None,
    )
    Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    assert alice.post(f"invitations/{pk}/resend", {}).json()["trouble"] is None
    assert accept(last_token()).status_code == 201


def test_an_own_role_in_the_portal_and_in_its_door(api, acme, acme_dev, operator):
    alice = browser("alice")
    form = f"/orgs/{acme.pk}/invitations/new/"
    assert alice.fill(form, email=EVE, role=operator, vdc=str(acme_dev.pk), days="3").status_code == 302
    assert "Night Shift" in text(alice.get(f"/orgs/{acme.pk}/invitations/"))
    eve = Client()
    eve.get(f"/invitation/?token={last_token()}")
    assert "as Night Shift in the VDC dev" in text(eve.get("/invitation/"))
    api("alice").delete(f"roles/{operator}")
    ended = eve.get("/invitation/")
    assert (ended.status_code, "is gone" in text(ended)) == (410, True)
    wrong = eve.post("/invitation/", {"username": "eve", "new_password": STRONG, "again": STRONG})
    assert (wrong.status_code, User.objects.filter(username="eve").exists()) == (410, False)


def test_a_vdc_on_its_way_out_is_told_as_gone(api, acme, acme_dev):
    pk = invite(api("alice"), acme, vdc=str(acme_dev.pk)).json()["id"]
    acme_dev.deletion_requested_at = timezone.now()
    acme_dev.save()
    assert "is gone" in accept(last_token()).json()["detail"]
    assert "Its VDC is gone" in api("alice").get(f"invitations/{pk}").json()["trouble"]
