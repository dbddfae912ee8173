"""Another password, however it came about: whoever was signed in with the one before is out at once, over every door."""

import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from core import sealed
from core.mail import outbox
from core.models import AuditEntry, Mail
from tenancy.api import tokens
from tenancy.models import Session, User
from tenancy.services import users
from tenancy.tasks import send_resets
from tests.cast import PASSWORD, Api, actor_of, make_person, session_of
from tests.portal import Browser, browser

STRONG = "a-very-long-passphrase"


def by_link(bob):
    User.objects.filter(pk=bob.pk).update(email="bob@example.org")
    assert Api().post("auth/password-reset", {"account": "bob"}).status_code == 202
    send_resets()
    words = sealed.unseal(bytes(Mail.objects.get().body), outbox.PURPOSE, what="it")
    token = words.partition("token=")[2].split()[0]
    return Api().post("auth/password-reset/confirm", {"token": token, "new_password": STRONG})


def by_an_admin(bob):
    return Api(session_of(make_person("alice"))).post(f"users/{bob.pk}/reset-password", {"password": STRONG})


def by_an_admins_edit(bob):
    return Api(session_of(make_person("alice"))).patch(f"users/{bob.pk}", {"password": STRONG})


def by_an_admins_page(bob):
    return browser("alice").fill(f"/people/{bob.pk}/password/", password=STRONG)


def by_himself(bob):
    body = {"current_password": PASSWORD, "new_password": STRONG}
    return Api(session_of(bob)).post("me/password", body)


def by_his_own_page(bob):
    given = {"current_password": PASSWORD, "new_password": STRONG, "again": STRONG}
    return browser(bob).fill("/account/password/", **given)


WAYS = [by_link, by_an_admin, by_an_admins_edit, by_an_admins_page, by_himself, by_his_own_page]


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_ends_the_other_sessions_and_their_tokens_at_once(way, settings, tmp_path):
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM = tmp_path.as_uri(), "ovim@example.org"
    bob = make_person("bob")
    held = session_of(bob)
    program, page, refresh = Api(held), browser(bob), tokens.issue(held)["refresh"]
    token = program.post("tokens", {"name": "ci"}).json()["token"]
    assert program.get("vdcs").status_code == 200  # its signature is remembered from here on
    assert page.get("/vms/").status_code == 200

    assert way(bob).status_code in (200, 204, 302)

    assert program.get("vdcs").status_code == 401
    assert Api().post("auth/refresh", {"refresh": refresh}).status_code == 401
    assert page.get("/vms/").headers["Location"].startswith("/sign-in/")
    by_token = Api(headers={"Authorization": f"Bearer {token}"}).get("vdcs")
    # What programs run with stays, unless an admin's password has to be changed first: then nothing of his has an effect.
    assert by_token.status_code == (403 if User.objects.get(pk=bob.pk).must_change_password else 200)


@pytest.mark.django_db
def test_the_session_in_which_it_was_changed_goes_on(api):
    bob = make_person("bob")
    mine = Api(session_of(bob))
    body = {"current_password": PASSWORD, "new_password": STRONG}
    assert mine.post("me/password", body).status_code == 204
    assert mine.get("me").status_code == 200


def _signs_in(answers):
    answers.append(Api().post("auth/login", {"username": "bob", "password": PASSWORD}))
    connection.close()


def test_a_sign_in_by_the_old_password_at_the_same_moment_is_refused(live_db):
    """It was right when it was looked at, and another one was set before the session began."""
    bob = make_person("bob")
    answers: list[Any] = []
    thief = threading.Thread(target=_signs_in, args=(answers,))
    with transaction.atomic():
        users.set_password(actor=actor_of(make_person("alice")), user=bob, password=STRONG)
        thief.start()
        thief.join(timeout=3)  # as long as it would take to get in
    thief.join()
    assert answers[0].status_code == 401
    assert answers[0].json()["detail"].startswith("The user name or the password is wrong")
    assert not Session.objects.filter(user=bob, revoked_at=None).exists()
    entry = AuditEntry.objects.get(action="session.begin", outcome="refused")
    assert (entry.actor_name, entry.organization_id) == ("bob", bob.organization_id)


@pytest.mark.django_db
def test_the_second_step_of_a_sign_in_is_no_good_after_it():
    """Between password and code: the first step proved a password that is another one now."""
    bob, client = make_person("bob"), Browser()
    session = client.session
    session["second"] = [str(bob.pk), bob.get_session_auth_hash(), time.time() + 300]
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    users.set_password(actor=actor_of(make_person("alice")), user=bob, password=STRONG)
    refused = client.post("/sign-in/code/", {"code": "123456"})
    assert refused.status_code == 422
    assert not Session.objects.filter(user=bob).exists()
