"""One's own sessions: seeing them, ending them; and refresh tokens that two use."""

import threading
from datetime import timedelta

import pyotp
import pytest
from django.db import connection
from django.utils import timezone

from core import sealed
from core.models import AuditEntry
from tenancy.api import tokens
from tenancy.models import SecondFactor, Session, User
from tenancy.services import codes
from tests.cast import PASSWORD, Api, make_person, session_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.django_db
def test_tells_devices_and_which_is_this_one(api):
    bob = make_person("bob")
    for agent in (FIREFOX, "ovim/0.1.0"):
        Session.objects.create(
            user=bob, expires_at=timezone.now() + timedelta(hours=1), user_agent=agent, address="192.0.2.7"
        )
    Session.objects.create(user=bob, expires_at=timezone.now() - timedelta(hours=1))
    Session.objects.create(user=bob, expires_at=timezone.now() + timedelta(hours=1), revoked_at=timezone.now())
    session_of(make_person("alice"))
    client = api("bob")
    items = client.get("me/sessions").json()["items"]
    assert [item["device"] for item in items] == ["unknown", "ovim command", "Firefox on Linux"]
    assert [item["current"] for item in items] == [True, False, False]
    assert items[1]["address"] == "192.0.2.7"


@pytest.mark.django_db
def test_ends_one_or_all_others_and_nobody_elses(api):
    person, alice = make_person("bob"), session_of(make_person("alice"))
    others = [session_of(person) for _ in range(3)]
    bob = api("bob")
    assert bob.delete(f"me/sessions/{alice.pk}").status_code == 404
    assert bob.delete(f"me/sessions/{others[0].pk}").status_code == 204
    assert bob.delete(f"me/sessions/{others[0].pk}").status_code == 404
    assert Api(others[0]).get("me").status_code == 401
    assert Api(others[1]).get("me").status_code == 200
    assert bob.post("me/sessions/end-others").json() == {"ended": 2}
    assert Api(others[1]).get("me").status_code == 401
    assert bob.get("me").status_code == 200
    assert Api(alice).get("me").status_code == 200
    assert AuditEntry.objects.filter(action="session.end", actor_name="bob").count() == 3


@pytest.mark.django_db
def test_the_last_use_is_written_once_a_minute(api, django_assert_num_queries):
    bob = api("bob")
    with django_assert_num_queries(1):
        bob.get("me")
    old = timezone.now() - timedelta(seconds=61)
    Session.objects.update(seen_at=old)
    bob.get("me")
    seen = Session.objects.get().seen_at
    assert seen > old
    with django_assert_num_queries(1):
        bob.get("me")
    assert Session.objects.get().seen_at == seen


@pytest.mark.django_db
def test_a_password_has_12_to_128_characters_and_is_in_no_list(api):
    bob = api("bob")

    def rule(password):
        answer = bob.post("me/password", {"current_password": PASSWORD, "new_password": password})
        return answer.json()["errors"][0]["rule"] if answer.status_code == 422 else answer.status_code

    assert rule("x7!" * 3 + "ab") == "password_too_short"
    assert rule("x7!" * 43) == "password_too_long"
    for listed in ("q1w2e3r4t5y6", "password1234!", "2024-Superman-99", "letmeinletmein"):
        assert rule(listed) == "password_too_common", listed
    assert rule("x7!" * 42 + "ab") == 204


def test_a_refresh_token_used_by_two_at_the_same_moment_ends_the_session(live_db):
    """One of them is first; the other one shows that there is a copy. Never do both go on."""
    session = session_of(make_person("bob"))
    issued = tokens.issue(session)["refresh"]
    answers, start = [], threading.Barrier(4)

    def refresh():
        client = Api()
        start.wait()
        answers.append(client.post("auth/refresh", {"refresh": issued}))
        connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert {answer.status_code for answer in answers} == {200, 401}
    session.refresh_from_db()
    assert session.revoked_at is not None
    client = Api()
    client.headers["Authorization"] = f"Bearer {good[0].json()['access']}"
    assert client.get("me").status_code == 401
    assert client.post("auth/refresh", {"refresh": good[0].json()["refresh"]}).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("thief_first", [True, False])
def test_whoever_uses_a_copied_refresh_token_second_is_found_out(api, thief_first):
    """Both orders: the thief refreshes before its owner does, or after."""
    stolen = tokens.issue(session_of(make_person("bob")))["refresh"]
    first = api(None).post("auth/refresh", {"refresh": stolen}).json()
    if not thief_first:
        first = api(None).post("auth/refresh", {"refresh": first["refresh"]}).json()
    assert "used before" in api(None).post("auth/refresh", {"refresh": stolen}).json()["detail"]
    assert api(None).post("auth/refresh", {"refresh": first["refresh"]}).status_code == 401
    assert AuditEntry.objects.filter(action="session.end_by_reuse").count() == 1


def test_two_at_once_with_one_code_are_one(live_db):
    bob = make_person("bob")
    secret = pyotp.random_base32()
    SecondFactor.objects.create(user=bob, secret=sealed.seal(secret, codes.PURPOSE), confirmed_at="2026-01-01T00:00Z")
    code, found, start = pyotp.TOTP(secret).now(), [], threading.Barrier(6)

    def attempt():
        start.wait()
        found.append(codes.passes(User.objects.get(username="bob"), code))
        connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 5 + [True]
