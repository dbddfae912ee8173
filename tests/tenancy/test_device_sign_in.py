"""A command is signed in by a browser (RFC 8628), over HTTP: the API as the command has it, pages as the person has them."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.models import AuditEntry
from tenancy.device_rows import DeviceSignIn
from tenancy.models import Session, User
from tenancy.services import throttle
from tenancy.tasks import tidy
from tests.cast import Api, make_organization, make_person, session_of
from tests.portal import browser, text

ASK, POLL = "auth/device", "auth/device/token"


class Command:
    """Waits to be signed in. `poll` is as patient as the server wants."""

    def __init__(self, host="laptop"):
        answer = Api(headers={"User-Agent": "ovim/0.1.0"}).post(ASK, {"host": host})
        assert answer.status_code == 200, answer.content
        self.told = answer.json()
        self.code, self.secret = self.told["user_code"], self.told["device_code"]

    def poll(self, *, patient=True):
        if patient:
            DeviceSignIn.objects.update(asked_at=timezone.now() - timedelta(minutes=1))
        return Api(headers={"User-Agent": "ovim/0.1.0"}).post(POLL, {"device_code": self.secret})

    def refused(self, **how):
        answer = self.poll(**how)
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.json()["code"]


def decide(client, code, do="confirm"):
    return client.post("/device/", {"code": code, "do": do})


@pytest.mark.django_db
def test_from_the_command_to_the_browser_and_back():
    bob, command = browser("bob"), Command()
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", command.code)
    assert command.told["verification_uri"] == "http://testserver/device/"
    assert (command.told["interval"], 590 < command.told["expires_in"] <= 600) == (5, True)
    assert command.refused() == "authorization_pending"

    page = bob.get(f"/device/?code={command.code}")
    assert f'value="{command.code}"' in page.content.decode()
    assert command.refused() == "authorization_pending", "an address alone confirms nothing"
    asked = text(bob.post("/device/", {"code": command.code.lower().replace("-", " ")}))
    assert "ovim on laptop wants to sign in as you" in asked
    assert "127.0.0.1" in asked
    assert command.code in asked
    assert command.refused() == "authorization_pending"
    done = decide(bob, command.code)
    assert done.headers["Location"] == "/account/sessions/"

    answer = command.poll()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["user"]["username"] == "bob"
    bearer = Api(headers={"Authorization": f"Bearer {answer.json()['access']}"})
    assert bearer.get("vdcs").status_code == 200
    assert Api().post("auth/refresh", {"refresh": answer.json()["refresh"]}).status_code == 200
    assert "ovim on laptop" in text(bob.get("/account/sessions/"))
    assert bearer.get("me/sessions").json()["items"][0]["device"] == "ovim on laptop"
    entries = AuditEntry.objects.filter(action__in=["device.confirm", "session.begin"]).order_by("id")
    assert [(entry.action, entry.actor_name) for entry in entries] == [
        ("device.confirm", "bob"), ("session.begin", "bob"),
    ]  # fmt: skip
    assert entries[1].after == {"by": "ovim on laptop"}


@pytest.mark.django_db
def test_a_device_code_is_good_once():
    bob, command = browser("bob"), Command()
    decide(bob, command.code)
    assert command.poll().status_code == 200
    assert command.refused() == "invalid_grant"
    assert "There is no such code" in text(decide(bob, command.code))
    assert Session.objects.filter(user_agent__contains="on laptop").count() == 1


@pytest.mark.django_db
def test_who_denies_it_ends_it():
    bob, command = browser("bob"), Command()
    decide(bob, command.code, do="deny")
    assert command.refused() == "access_denied"
    assert "There is no such code" in text(decide(bob, command.code))
    assert AuditEntry.objects.get(action="device.deny").after == {"host": "laptop", "address": "127.0.0.1"}


@pytest.mark.django_db
def test_who_asks_too_soon_has_to_leave_five_seconds_more():
    command = Command()
    assert command.refused() == "authorization_pending"
    hasty = command.poll(patient=False).json()
    assert (hasty["code"], hasty["interval"]) == ("slow_down", 10)
    assert command.poll(patient=False).json()["interval"] == 15
    assert command.refused() == "authorization_pending"


@pytest.mark.django_db
def test_it_is_good_for_ten_minutes():
    bob, command = browser("bob"), Command()
    DeviceSignIn.objects.update(expires_at=timezone.now())
    assert command.refused() == "expired_token"
    assert "There is no such code" in text(decide(bob, command.code))
    tidy()
    assert command.refused() == "expired_token", "for a day it is told from one that there never was"
    DeviceSignIn.objects.update(expires_at=timezone.now() - timedelta(days=1, seconds=1))
    tidy()
    assert command.refused() == "invalid_grant"


@pytest.mark.django_db
def test_confirmed_and_then_not_fetched_in_time():
    bob, command = browser("bob"), Command()
    decide(bob, command.code)
    DeviceSignIn.objects.update(expires_at=timezone.now())
    assert command.refused() == "expired_token"


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["signed out", "password", "disabled", "idle"])
def test_the_session_that_confirmed_it_has_to_live_until_then(end):
    """What ends all of somebody's sessions ends what he has confirmed and nobody has fetched yet."""
    person, bob, command = make_person("bob"), browser("bob"), Command()
    decide(bob, command.code)
    alice = Api(session_of(make_person("alice")))
    if end == "signed out":
        bob.post("/sign-out/")
    elif end == "password":
        alice.post(f"users/{person.pk}/reset-password", {})
    elif end == "disabled":
        alice.post(f"users/{person.pk}/disable")
    else:
        Session.objects.filter(user=person).update(
            idle_after=timedelta(minutes=5), seen_at=timezone.now() - timedelta(hours=1)
        )
    assert command.refused() == "access_denied"
    assert command.refused() == "access_denied"
    assert not Session.objects.filter(user_agent__contains="on laptop").exists()
    assert AuditEntry.objects.filter(action="session.begin", outcome="refused", actor_name="bob").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["x" * 43, "ovim_pat_nothing"])
def test_a_code_that_there_never_was(secret):
    answer = Api().post(POLL, {"device_code": secret})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_grant")


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["", "<b>", "a b", "x" * 65, "-x", "evil\u202egnp"])
def test_a_machines_name_is_plain(host):
    answer = Api().post(ASK, {"host": host})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "host"


@pytest.mark.django_db
def test_guessing_codes_is_counted():
    bob, command = browser("bob"), Command()
    for _ in range(throttle.PER_PAIR):
        assert bob.post("/device/", {"code": "BBBB-BBBB"}).status_code == 422
    refused = bob.post("/device/", {"code": command.code, "do": "confirm"})
    assert refused.status_code == 429
    assert "Too many wrong codes" in text(refused)
    assert command.refused() == "authorization_pending"
    assert AuditEntry.objects.filter(action="device.confirm", outcome="refused").count() == 1


@pytest.mark.django_db
def test_right_codes_are_no_guesses():
    bob = browser("bob")
    for _ in range(throttle.PER_PAIR + 1):
        assert bob.post("/device/", {"code": Command().code}).status_code == 200


@pytest.mark.django_db
def test_one_address_does_not_begin_without_end(monkeypatch):
    monkeypatch.setattr(throttle, "PER_ADDRESS", 3)
    answers = [Api().post(ASK, {"host": "laptop"}).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]


@pytest.mark.django_db
def test_who_is_not_signed_in_signs_in_first_and_comes_back(client):
    command = Command()
    sent = client.get(f"/device/?code={command.code}")
    assert sent.headers["Location"] == f"/sign-in/?next=/device/%3Fcode%3D{command.code}"
    assert decide(client, command.code).headers["Location"].startswith("/sign-in/")
    assert command.refused() == "authorization_pending"


@pytest.mark.django_db
def test_who_has_to_change_his_password_does_that_first():
    bob, command = browser("bob"), Command()
    User.objects.update(must_change_password=True)
    assert decide(bob, command.code).headers["Location"] == "/account/password/"
    assert command.refused() == "authorization_pending"


@pytest.mark.django_db
def test_who_looks_as_another_person_signs_nothing_in_for_him():
    bob, alice, command = make_person("bob"), browser("alice"), Command()
    assert alice.fill(f"/people/{bob.pk}/preview/").status_code == 302
    assert decide(alice, command.code).status_code == 403
    assert command.refused() == "authorization_pending"


@pytest.mark.django_db
def test_neither_code_is_kept():
    command = Command()
    browser("bob").post("/device/", {"code": command.code})
    for table in ("tenancy_devicesignin", "core_auditentry"):
        with connection.cursor() as cursor:
            for word in (command.secret, command.code, command.code.replace("-", "")):
                cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{word}%"])
                assert cursor.fetchone()[0] == 0, (table, word)


@pytest.mark.django_db
def test_auth_info_tells_of_it():
    assert Api().get("auth/info").json()["methods"] == ["password", "device"]


@pytest.mark.django_db
def test_an_organization_that_is_disabled_meanwhile():
    bob, command = browser("bob"), Command()
    decide(bob, command.code)
    organization = make_organization("acme")
    organization.enabled = False
    organization.save()
    assert command.refused() == "access_denied"


def test_two_that_fetch_at_the_same_moment_get_one_session(live_db):
    bob, command, answers, start = browser("bob"), Command(), [], threading.Barrier(4)
    decide(bob, command.code)

    def fetch():
        start.wait()
        answers.append(Api().post(POLL, {"device_code": command.secret}))
        connection.close()

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert Session.objects.filter(user_agent__contains="on laptop").count() == 1
