"""Pages of one's own account: two steps at sign-in, the second factor, sessions, tokens; an organization's programs."""

import re

import pyotp
import pytest
from django.test import Client

from tenancy.middleware import COOKIE_KEY
from tenancy.models import AccessToken, Organization, SecondFactor, Session, User
from tests.cast import PASSWORD, make_person, session_of
from tests.portal import browser, text

pytestmark = pytest.mark.django_db


def enrol(client):
    client.post("/account/second-factor/", {"do": "begin"})
    page = client.get("/account/second-factor/")
    found = re.search(r'id="secret">([A-Z2-7]+)<', page.content.decode())
    assert found is not None
    totp = pyotp.TOTP(found.group(1))
    return totp, page


def confirmed(client):
    totp, _ = enrol(client)
    import time

    done = client.post("/account/second-factor/", {"do": "confirm", "code": totp.at(time.time() - 30)})
    assert done.status_code == 200, text(done)
    return totp, re.findall(r"<li><code>([a-z0-9-]+)</code>", done.content.decode())


def test_enrols_with_a_picture_made_here(db):
    client = browser("bob")
    totp, page = enrol(client)
    body = page.content.decode()
    assert "<svg" in body
    assert "style=" not in body[body.index("<svg") : body.index("</svg>")]
    assert page.headers["Cache-Control"] == "no-store"
    wrong = client.post("/account/second-factor/", {"do": "confirm", "code": "000000"})
    assert wrong.status_code == 422
    assert "This is not the code" in text(wrong)
    done = client.post("/account/second-factor/", {"do": "confirm", "code": totp.now()})
    assert len(re.findall(r"<li><code>", done.content.decode())) == 10
    assert "10 recovery codes are left" in text(client.get("/account/second-factor/"))


def test_signs_in_in_two_steps(db):
    totp, recovery = confirmed(browser("bob"))
    client = Client()
    first = client.post("/sign-in/", {"username": "bob", "password": PASSWORD, "next": "/vms/"})
    assert first.status_code == 302
    assert first.headers["Location"] == "/sign-in/code/?next=%2Fvms%2F"
    assert COOKIE_KEY not in client.session
    assert client.get("/settings/").status_code == 302
    wrong = client.post("/sign-in/code/", {"code": "000000", "next": "/vms/"})
    assert wrong.status_code == 422
    done = client.post("/sign-in/code/", {"code": totp.now(), "next": "/vms/"})
    assert (done.status_code, done.headers["Location"]) == (302, "/vms/")
    assert client.get("/settings/").status_code == 200
    again = Client()
    again.post("/sign-in/", {"username": "bob", "password": PASSWORD})
    assert again.post("/sign-in/code/", {"code": recovery[0]}).status_code == 302
    assert again.get("/settings/").status_code == 200


def test_the_second_step_is_nothing_without_the_first(db, monkeypatch):
    totp, _ = confirmed(browser("bob"))
    assert Client().post("/sign-in/code/", {"code": totp.now()}).headers["Location"] == "/sign-in/"
    client = Client()
    client.post("/sign-in/", {"username": "bob", "password": PASSWORD})
    bob = User.objects.get(username="bob")
    bob.set_password("another-long-password")  # while he was looking for his phone
    bob.save()
    assert client.post("/sign-in/code/", {"code": totp.now()}).status_code == 422
    client.post("/sign-in/", {"username": "bob", "password": "another-long-password"})
    later = __import__("time").time() + 301
    monkeypatch.setattr("tenancy.views.time.time", lambda: later)
    assert client.get("/sign-in/code/").headers["Location"] == "/sign-in/"


def test_where_it_is_required_only_enrolling_is_open(db):
    client = browser("bob")
    Organization.objects.update(second_factor_required=True)
    for address in ("/", "/vms/", "/settings/", "/account/tokens/"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/account/second-factor/"), address
    assert "requires a second factor" in text(client.get("/account/second-factor/"))
    totp, _ = confirmed(client)
    assert client.get("/settings/").status_code == 200
    assert client.post("/account/second-factor/", {"do": "remove", "code": totp.now()}).status_code == 409
    assert SecondFactor.objects.exists()


def test_sees_and_ends_sessions(db):
    client, person = browser("bob"), make_person("bob")
    other, third = session_of(person), session_of(person)
    assert text(client.get("/account/sessions/")).count("This one") == 1
    assert client.post(f"/account/sessions/{other.pk}/end/").status_code == 302
    other.refresh_from_db()
    assert other.revoked_at is not None
    client.post("/account/sessions/end-others/")
    third.refresh_from_db()
    assert third.revoked_at is not None
    assert client.get("/account/sessions/").status_code == 200
    theirs = session_of(make_person("alice"))
    assert client.post(f"/account/sessions/{theirs.pk}/end/").status_code == 404
    assert Session.objects.get(pk=theirs.pk).revoked_at is None


def test_makes_and_deletes_a_token(db):
    client = browser("bob")
    made = client.fill("/account/tokens/new/", name="ci", days="7", **{"right-vm-view": "on"})
    found = re.search(r'value="(ovim_pat_[\w-]{43})"', made.content.decode())
    assert found is not None
    assert made.headers["Cache-Control"] == "no-store"
    assert Client().get("/api/v1/me", headers={"Authorization": f"Bearer {found.group(1)}"}).status_code == 200
    listed = client.get("/account/tokens/")
    assert found.group(1) not in listed.content.decode()
    assert "127.0.0.1" in text(listed)
    token = AccessToken.objects.get()
    assert (token.rights, token.user.username) == (["vm.view"], "bob")
    assert browser("alice").get(f"/account/tokens/{token.pk}/delete/").status_code == 404
    assert client.fill(f"/account/tokens/{token.pk}/delete/").status_code == 302
    assert not AccessToken.objects.exists()


def test_an_admin_looks_after_service_accounts(db):
    alice, acme = browser("alice"), Organization.objects.get(name="acme")
    assert alice.fill(f"/orgs/{acme.pk}/service-accounts/new/", name="ci", full_name="deploys").status_code == 302
    account = User.objects.get(username="ci@acme")
    made = alice.fill(f"/service-accounts/{account.pk}/tokens/new/", name="t", days="30")
    assert "ovim_pat_" in made.content.decode()
    page = text(alice.get(f"/orgs/{acme.pk}/service-accounts/"))
    assert "ci@acme" in page
    assert "deploys" in page
    charlie = browser("charlie")
    assert charlie.get(f"/orgs/{acme.pk}/service-accounts/").status_code == 404
    assert charlie.get(f"/service-accounts/{account.pk}/tokens/new/").status_code == 404
    assert "ci@acme" not in text(alice.get("/people/"))
    assert alice.fill(f"/service-accounts/{account.pk}/delete/", confirm="ci@acme").status_code == 302
    assert not User.objects.filter(username="ci@acme").exists()
    assert not AccessToken.objects.exists()


def test_an_admin_resets_a_lost_factor_and_requires_one(db):
    bob, alice = make_person("bob"), browser("alice")
    assert "Reset second factor" not in text(alice.get(f"/people/{bob.pk}/"))
    confirmed(browser("bob"))
    assert "Reset second factor" in text(alice.get(f"/people/{bob.pk}/"))
    assert browser("charlie").get(f"/people/{bob.pk}/second-factor/").status_code == 404
    assert alice.fill(f"/people/{bob.pk}/second-factor/").status_code == 302
    assert not SecondFactor.objects.exists()
    acme = Organization.objects.get(name="acme")
    done = alice.fill(f"/orgs/{acme.pk}/edit/", display_name="Acme", second_factor_required="on")
    assert done.status_code == 302
    acme.refresh_from_db()
    assert acme.second_factor_required
    assert alice.get("/vms/").headers["Location"] == "/account/second-factor/"
